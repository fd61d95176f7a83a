"""Validation as the job does it, on the facts of a story."""

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import SparkSession

from expectations.validated_days import VALIDATED_DAYS_SUITE
from jobs.kernels.day_checks import Tolerance, day_evidence
from jobs.kernels.tou_periods import tou_periods
from jobs.kernels.validated_curves import finished_days as finish
from jobs.runtime.quality import with_broken_rules
from jobs.transforms.changes import Facts, Touched
from jobs.transforms.customer_days import lines_of
from jobs.transforms.meter_profiles import worked_dates
from jobs.transforms.validated_days import (
    dates_between,
    days_to_validate,
    days_with_context,
    finished_days,
    settled_days,
    with_evidence,
    with_expectation,
    with_peers,
)
from schemas.meter_profiles import METER_PROFILES
from schemas.validated_days import VALIDATED_DAYS


def with_validated(spark: SparkSession, facts: Facts, register_tariff: str | None = None) -> Facts:
    """The facts with every day validated, of meters without a past."""
    days = [row.read_date for row in facts.meter_days.select("read_date").distinct().collect()]
    dates = dates_between(days)
    keys = with_expectation(days_to_validate(Touched(everything=True), facts, dates, dates), facts)
    look = day_evidence(tou_periods(lines_of(facts.tariffs)), register_tariff, facts.time_zone, Tolerance())
    seen = with_evidence(days_with_context(keys, facts, spark.createDataFrame([], METER_PROFILES.struct)), look)
    judged = with_broken_rules(
        with_peers(seen, settled_days(keys, facts)), VALIDATED_DAYS_SUITE, "_errors", "found_flags"
    )
    worked: Mapping[int, bool] = worked_dates(facts.calendar)
    made = finished_days(judged.drop("_errors"), finish(worked, facts.time_zone), facts.time_zone)
    return replace(facts, validated=made.select(*VALIDATED_DAYS.column_names))
