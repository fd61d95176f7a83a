"""features.customer_days: a customer and a local date."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType
from pyspark.sql.window import Window

from jobs.transforms.changes import Facts
from jobs.transforms.metering import customer_periods, holds_on
from jobs.transforms.weather import daily_weather
from schemas.features import CUSTOMER_DAYS

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# a point of the customer has no curve at all for the date, which leaves the customer's total unknown
POINT_WITHOUT_CURVE = "point_without_curve"

_MEASURED = (
    "kwh", "kwh_sharp", "kwh_peak", "kwh_flat", "kwh_valley", "peak_kw", "peak_time", "load_factor", "night_kwh",
    "night_base_kw", "volatility", "hourly_kwh", "completeness", "estimated_share", "register_kwh", "sum_gap_pct",
    "sum_check",
)  # fmt: skip


def customer_days(keys: DataFrame, facts: Facts, measure: Batches) -> DataFrame:
    """A customer and a date of `keys` (customer_key, usage_date) for which any of its meters has a curve.

    Known is what every point of the customer knows: a point without a curve leaves the day unknown, with a flag, as a
    sum without it would look like a drop in use. `measure` turns the meters of a row into measures on the workers.
    """
    metered = customer_meters(keys, facts.validated, facts.periods)
    dated = (
        metered.join(F.broadcast(calendar_facts(facts.calendar)), on="usage_date", how="left")
        .join(F.broadcast(daily_weather(facts.weather, facts.time_zone)), on=["prefecture", "usage_date"], how="left")
        .join(_tariffs(facts.customers), on="customer_key", how="left")
        .where("valid_from IS NULL OR (valid_from <= usage_date AND usage_date < valid_until)")
    )
    # greatest() passes over null
    known_at = F.greatest("meters_received_at", "weather_received_at", "calendar_received_at")
    rows = dated.withColumn("available_at", known_at)
    kept = [name for name in CUSTOMER_DAYS.column_names if name not in _MEASURED]
    inputs = rows.select(*kept, "tariff_code", "meters")
    fields = [inputs.schema[name] for name in (*kept, "tariff_code")]
    result = StructType([*fields, *(StructField(n, CUSTOMER_DAYS.type_of(n)) for n in _MEASURED)])
    return inputs.mapInArrow(measure, result).select(*CUSTOMER_DAYS.column_names)


def customer_meters(keys: DataFrame, validated: DataFrame, periods: DataFrame) -> DataFrame:
    """A customer and a date with `meters`: its meters' curves and registers, by point; only where one has a curve."""
    expected = keys.join(periods, on="customer_key", how="inner").where(holds_on(F.col("usage_date")))
    curves = validated.where("kwh IS NOT NULL").select(
        "meter_id",
        F.col("read_date").alias("usage_date"),
        "interval_minutes",
        "kwh",
        "quality",
        F.col("flags").alias("meter_flags"),
        F.col("register_kwh").alias("register_dial_kwh"),
        F.col("available_at").alias("received_at"),
    )
    outgoing = F.col("usage_date") == F.col("ends_on")
    meters = (
        expected.join(curves, on=["meter_id", "usage_date"], how="left")
        # what is not there of a meter that was taken down is not missing
        .where(~outgoing | F.col("received_at").isNotNull())
    )
    meter = F.struct(
        "point_id",
        "starts_on",
        "meter_id",
        "multiplier",
        "interval_minutes",
        "kwh",
        "quality",
        "register_dial_kwh",
    )
    sent = F.col("received_at").isNotNull()
    silent = F.when(F.max(~sent & ~outgoing), F.lit(POINT_WITHOUT_CURVE))
    of_meters = F.array_sort(F.array_distinct(F.flatten(F.collect_list("meter_flags"))))
    flags = F.concat(of_meters, F.array_compact(F.array(silent)))
    return (
        meters.groupBy("customer_key", "usage_date")
        .agg(
            F.array_sort(F.collect_list(meter)).alias("meters"),
            flags.alias("flags"),
            F.count("received_at").cast("int").alias("meter_count"),
            # the smallest, as one customer is seldom in two places and any choice must be the same every time
            F.min("prefecture").alias("prefecture"),
            F.max(F.greatest("received_at", "point_received_at")).alias("meters_received_at"),
        )
        .where("meter_count > 0")
    )


def calendar_facts(calendar: DataFrame) -> DataFrame:
    """A local date: usage_date, is_holiday, is_working_weekend, calendar_received_at."""
    return calendar.select(
        F.col("calendar_date").alias("usage_date"),
        "is_holiday",
        "is_working_weekend",
        F.col("received_at").alias("calendar_received_at"),
    )


def _tariffs(customers: DataFrame) -> DataFrame:
    """A customer and the dates on which it has a tariff; the first one known also holds before it."""
    order = Window.partitionBy("customer_key").orderBy("valid_from")
    is_first = F.row_number().over(order) == 1
    always = F.lit("0001-01-01").cast("date")
    return customer_periods(customers).select(
        "customer_key",
        "tariff_code",
        F.when(is_first, always).otherwise(F.col("valid_from")).alias("valid_from"),
        "valid_until",
    )


def no_longer_there(keys: DataFrame, made: DataFrame, held: DataFrame, slice_by: str = "usage_date") -> DataFrame:
    """A customer and a date (or month) of `keys` which was held and is not made any more, as after a late move-out."""
    on = ["customer_key", slice_by]
    return keys.join(made.select(*on), on=on, how="left_anti").join(held.select(*on), on=on, how="left_semi")


def where_keys(keys: DataFrame, slice_by: str = "usage_date") -> Iterator[str]:
    """SQL conditions, one a date (or month), which hold for exactly these rows. For keys that are few."""
    by_slice = keys.groupBy(slice_by).agg(F.sort_array(F.collect_set("customer_key")).alias("customer_keys"))
    for row in by_slice.orderBy(slice_by).collect():
        customers = ", ".join(f"'{key}'" for key in row.customer_keys)
        yield f"{slice_by} = '{row[slice_by]}' AND customer_key IN ({customers})"


def lines_of(tariffs: DataFrame) -> list[dict[str, Any]]:
    """The tariff lines as plain rows: they grow with tariffs, not with customers."""
    return [row.asDict() for row in tariffs.collect()]
