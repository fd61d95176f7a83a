"""Profiles of usage classes: what they say, which held days rest on one, and how they are made from those of meters."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.transforms.changes import Facts, Touched
from jobs.transforms.day_context import METER_DAY, connections, with_connection, with_usual
from jobs.transforms.validated_days import HAS_GAP
from schemas.reference import CLASS_PROFILES

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# an interval of the day that nobody measured; a day of which nothing is known has no intervals
_HAS_GAPS = f"{HAS_GAP} OR interval_minutes IS NULL"
# of a day without intervals a class gives the shape where registers, or a few days of past, give the level
_HAS_LEVEL = "interval_minutes IS NOT NULL OR register_kwh IS NOT NULL OR usual_daily_kwh IS NOT NULL"


def profile_rows(profiles: DataFrame) -> list[dict[str, Any]]:
    """The rows of core.class_profiles, received_us in microseconds: they grow with versions, not with customers."""
    read = profiles.select(
        "usage_class",
        "valid_from",
        "day_type",
        "start_minute",
        "interval_minutes",
        "share",
        "delivery_id",
        F.unix_micros("received_at").alias("received_us"),
    )
    return [row.asDict() for row in read.collect()]


def versions_changed(touched: Touched, facts: Facts) -> list[tuple[str, date]]:
    """Class and valid_from of the versions of which new deliveries brought rows, or took any away. A handful."""
    key = ("usage_class", "valid_from")
    new = touched.of("class_profiles").concerned(facts.class_profiles, lambda: facts.before(CLASS_PROFILES), *key)
    return [(row.usage_class, row.valid_from) for row in new.distinct().collect()]


def days_of_classes(
    class_dates: Sequence[tuple[str, date]], facts: Facts, profiles: DataFrame, fewest_days: int
) -> DataFrame:
    """A meter and a date (meter_id, read_date), held, which rests on the profile of its class.

    It is of one of these classes and dates, has gaps, and its meter no past of so many days in intervals of its length.
    `profiles` are features.meter_profiles.
    """
    spark = facts.validated.sparkSession
    of_class = F.broadcast(spark.createDataFrame(list(class_dates), "usage_class string, read_date date"))
    dates = sorted({day for _, day in class_dates})
    held = facts.validated.where(F.col("read_date").isin(dates)).where(_HAS_GAPS)
    days = with_connection(held.select(*METER_DAY, "interval_minutes", "register_kwh"), connections(facts))
    has_past = f"profile_days >= {fewest_days} AND profile_minutes = interval_minutes"
    without = with_usual(days, profiles).where(f"NOT coalesce({has_past}, false)").where(_HAS_LEVEL)
    return without.join(of_class, ["usage_class", "read_date"], "left_semi").select(*METER_DAY)


def meters_of_classes(profiles: DataFrame, facts: Facts, week: date, fewest_days: int) -> DataFrame:
    """A meter with so many days behind its profile of the week: the profile, and its customer's usage_class then."""
    known = profiles.where(
        (F.col("week_start") == F.lit(week)) & (F.col("days") >= fewest_days) & (F.col("daily_kwh") > 0)
    )
    dated = with_connection(known.withColumn("read_date", F.col("week_start")), connections(facts))
    return dated.where("usage_class IS NOT NULL").select(
        "usage_class", "interval_minutes", "daily_kwh", "working_kwh", "other_kwh"
    )


def summed(meters: DataFrame, sum_up: Batches, sums: pa.Schema) -> list[dict[str, Any]]:
    """A class, a type of day and an interval with the sums of `sum_up` over all meters: as many as classes, no more."""
    key = ("usage_class", "day_type", "start_minute")
    parts = meters.mapInArrow(sum_up, from_arrow_schema(sums))
    totals = parts.groupBy(*key).agg(F.sum("meters").alias("meters"), F.sum("units").alias("units"))
    return [row.asDict() for row in totals.collect()]
