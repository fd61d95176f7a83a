"""Validation as the job does it, on the facts of a story."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from expectations.validated_days import PATTERNS, VALIDATED_DAYS_SUITE
from jobs.kernels.class_profiles import class_profiles
from jobs.kernels.day_checks import EVIDENCE, Tolerance, day_evidence
from jobs.kernels.days_around import AROUND, days_around
from jobs.kernels.tou_periods import tou_periods
from jobs.kernels.validated_curves import finished_days as finish
from jobs.runtime.quality import with_broken_rules
from jobs.transforms.changes import Facts
from jobs.transforms.class_profiles import profile_rows
from jobs.transforms.customer_days import lines_of
from jobs.transforms.day_context import (
    connections,
    seen_days,
    with_connection,
    with_curves,
    with_temperature,
    with_usual,
)
from jobs.transforms.meter_profiles import worked_dates
from jobs.transforms.validated_days import (
    all_days,
    dates_between,
    finished_days,
    settled_days,
    with_patterns,
    with_peers,
)
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
    dates = dates_between(days)
    keys = within(all_days(facts, dates)).localCheckpoint()
    evidence = day_evidence(tou_periods(lines_of(facts.tariffs)), register_tariff, facts.time_zone, Tolerance())
    added = pa.schema([*AROUND, *EVIDENCE])
    seen = seen_days(keys, facts, lambda batches: evidence(days_around(batches)), added).localCheckpoint()
    profiles = spark.createDataFrame([], METER_PROFILES.struct) if profiles is None else profiles
    usual = with_usual(with_connection(seen, connections(facts)), profiles)
    known = with_temperature(usual, facts).localCheckpoint()
    judged = with_broken_rules(
        with_patterns(with_peers(known, settled_days(keys, facts)), PATTERNS),
        VALIDATED_DAYS_SUITE,
        "_errors",
        "found_flags",
    ).localCheckpoint()
    worked: Mapping[int, bool] = worked_dates(facts.calendar)
    curves = with_curves(judged.drop("_errors"), facts, profiles)
    classes, _ = class_profiles(profile_rows(facts.class_profiles), worked)
    made = finished_days(curves, finish(worked, classes, facts.time_zone), facts.time_zone)
    return replace(facts, validated=made.select(*VALIDATED_DAYS.column_names).localCheckpoint())
