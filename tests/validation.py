"""Validation as the job does it, on the facts of a story."""

from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession

from jobs._validation import validated
from jobs.kernels.class_profiles import class_profiles
from jobs.kernels.day_checks import Tolerance, day_evidence
from jobs.kernels.tou_periods import tou_periods
from jobs.kernels.validated_curves import finished_days as finish
from jobs.transforms.changes import Facts
from jobs.transforms.class_profiles import profile_rows
from jobs.transforms.customer_days import lines_of
from jobs.transforms.meter_profiles import worked_dates
from jobs.transforms.validated_days import all_days, dates_between
from schemas.meter_profiles import METER_PROFILES
from schemas.validated_days import VALIDATED_DAYS


def with_validated(
    spark: SparkSession,
    facts: Facts,
    register_tariff: str | None = None,
    within: Callable[[DataFrame], DataFrame] = lambda keys: keys,
    profiles: DataFrame | None = None,
) -> Facts:
    """The facts with every day validated; what the job stages is worked out once.

    `within` may leave out days; without `profiles` the meters have no past.
    """
    facts = facts.with_periods(facts.periods.localCheckpoint())
    days = [row.read_date for row in facts.meter_days.select("read_date").distinct().collect()]
    keys = within(all_days(facts, dates_between(days))).localCheckpoint()
    profiles = spark.createDataFrame([], METER_PROFILES.struct) if profiles is None else profiles
    worked = worked_dates(facts.calendar)
    classes, _ = class_profiles(profile_rows(facts.class_profiles), worked)
    look = day_evidence(tou_periods(lines_of(facts.tariffs)), register_tariff, facts.time_zone, Tolerance())
    mend = finish(worked, classes, facts.time_zone)
    made = validated(keys, facts, profiles, look, mend, lambda rows, _: rows.localCheckpoint())
    return replace(facts, validated=made.select(*VALIDATED_DAYS.column_names).localCheckpoint())
