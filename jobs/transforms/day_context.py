"""A meter day with all it is held against: its curve, its dials, the days beside it, its connection, its own past."""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from jobs.transforms.changes import Facts
from jobs.transforms.weather import daily_weather

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

METER_DAY = ["meter_id", "read_date"]
REGISTER_CODES = ("total", "sharp", "peak", "flat", "valley")
# dates around a day whose dials and curves have a say in it
_DATES_BEFORE, _DATES_AFTER = 2, 1
# the wide columns of a curve: looked at once here, and once more where the finished day is made
_WIDE = ("kwh", "quality")
_COUNTS = ("total_kwh", "measured_count", "estimated_count", "missing_count")
PROFILE_CURVES = ("working_kwh", "other_kwh", "spread_kwh")


def seen_days(keys: DataFrame, facts: Facts, look: Batches, added: pa.Schema) -> DataFrame:
    """A meter and a date of `keys` (meter_id, read_date, is_expected): what its curve and the dates around it say.

    Without the curve itself; with received_at and delivered_flags of it, and `added`, which `look` makes of days
    sorted by meter. `facts` hold the readings of the two dates before and of the one after, and the curves of both.
    Everything is brought together by meter, once: the joins that follow find it so.
    """
    around = F.explode(F.sequence(F.lit(-_DATES_BEFORE), F.lit(_DATES_AFTER))).alias("away")
    is_made = F.col("away") == 0
    dates = (
        keys.select("meter_id", "read_date", "is_expected", around)
        .withColumn("read_date", F.expr("date_add(read_date, away)"))
        .repartition("meter_id")
        .groupBy(*METER_DAY)
        .agg(F.max(is_made).alias("is_made"), F.max(F.when(is_made, F.col("is_expected"))).alias("is_expected"))
    )
    curves = facts.meter_days.select(
        *METER_DAY,
        "interval_minutes",
        "kwh",
        "total_kwh",
        "missing_count",
        F.col("flags").alias("delivered_flags"),
        "received_at",
    ).repartition("meter_id")
    days = dates.join(curves, METER_DAY, "left").join(_dials(facts.readings), METER_DAY, "left")
    read_only = {*_WIDE, "is_made", "missing_count", "total_kwh", "stated_kwh", "dial_received_at"}
    handed_on = [f for f in days.schema.fields if f.name not in read_only and not f.name.startswith("dial_")]
    result = StructType([*handed_on, *from_arrow_schema(added).fields])
    names = result.names

    def narrow(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in look(batches):
            yield batch.select(names)

    return days.sortWithinPartitions(*METER_DAY).mapInArrow(narrow, result)


def _dials(readings: DataFrame) -> DataFrame:
    """A meter and a local date: its dials at the midnight which ends the date, side by side."""
    of_code = (
        F.max(F.when(F.col("register_code") == code, F.col("reading_kwh"))).alias(f"dial_{code}_kwh")
        for code in REGISTER_CODES
    )
    return (
        readings.repartition("meter_id")
        .groupBy(*METER_DAY)
        .agg(
            *of_code,
            F.max(F.when(F.col("register_code") == "total", F.col("day_kwh"))).alias("stated_kwh"),
            F.max("received_at").alias("dial_received_at"),
        )
    )


def with_usual(days: DataFrame, profiles: DataFrame) -> DataFrame:
    """Grain of `days`: adds what is usual for the meter in the week, single figures only."""
    usual = profiles.select(
        "meter_id",
        "week_start",
        F.col("interval_minutes").alias("profile_minutes"),
        F.col("days").alias("profile_days"),
        F.col("daily_kwh").alias("usual_daily_kwh"),
        F.col("daily_spread_kwh").alias("usual_daily_spread_kwh"),
        F.col("highest_kwh").alias("usual_max_kwh"),
        F.col("zero_share").alias("usual_zero_share"),
        F.col("longest_zero_run").alias("usual_zero_run"),
        F.col("longest_constant_run").alias("usual_constant_run"),
        "per_degree",
        F.col("temperature_c").alias("usual_temperature_c"),
    )
    return days.withColumn("week_start", _week()).join(usual, ["meter_id", "week_start"], "left")


def with_temperature(days: DataFrame, facts: Facts) -> DataFrame:
    """Grain of `days` (with prefecture): adds temperature_c, the mean of the date, and weather_received_at."""
    temperatures = daily_weather(facts.weather, facts.time_zone).withColumnRenamed("usage_date", "read_date")
    return days.join(F.broadcast(temperatures), ["prefecture", "read_date"], "left")


def with_curves(days: DataFrame, facts: Facts, profiles: DataFrame) -> DataFrame:
    """Grain of `days` (with week_start): adds the curve as delivered, and the profile where something is to be mended.

    Profiles are wide and few days need one.
    """
    curves = facts.meter_days.select(*METER_DAY, *_WIDE, *_COUNTS).repartition("meter_id")
    usual = profiles.select("meter_id", F.col("week_start").alias("profile_week"), *PROFILE_CURVES)
    there = days.repartition("meter_id").join(curves, METER_DAY, "left")
    is_to_mend = (F.size("found_flags") > 0) | (F.coalesce("missing_count", F.lit(1)) > 0)
    return (
        there.withColumn("profile_week", F.when(is_to_mend, F.col("week_start")))
        .join(usual.repartition("meter_id"), ["meter_id", "profile_week"], "left")
        .drop("profile_week")
    )


def _week() -> Column:
    return F.date_trunc("week", "read_date").cast("date")


def connections(facts: Facts) -> DataFrame:
    """A meter with the list of its connections: from, until, multiplier, feeder, and its customer's terms."""
    term = F.struct("valid_from", F.col("contract_capacity_kva").alias("capacity_kva"), "usage_class")
    terms = facts.customers.groupBy("customer_key").agg(F.array_sort(F.collect_list(term)).alias("terms"))
    connection = F.struct(
        "starts_on",
        F.when(F.col("is_swapped_out"), F.date_add("ends_on", 1)).otherwise(F.col("ends_on")).alias("until"),
        "multiplier",
        "feeder_id",
        "prefecture",
        "point_received_at",
        "terms",
    )
    return (
        facts.periods.join(terms, "customer_key", "left")
        .groupBy("meter_id")
        .agg(F.array_sort(F.collect_list(connection)).alias("connections"))
    )


def with_connection(days: DataFrame, held: DataFrame) -> DataFrame:
    """Grain of `days`: adds the connection (of `connections`) which holds on the date; of two on a move the later.

    With its customer's capacity_kva and usage_class on the date; the first ones known also hold before them.
    """
    holding = "filter(connections, c -> c.starts_on <= read_date AND read_date < c.until)"
    valid = "filter(terms, t -> t.valid_from <= read_date)"
    return (
        days.join(held, "meter_id", "left")
        .withColumn("connection", F.expr(f"get({holding}, size({holding}) - 1)"))
        .drop("connections")
        .select("*", "connection.*")
        .withColumn("term", F.expr(f"coalesce(get({valid}, size({valid}) - 1), get(terms, 0))"))
        .select("*", "term.capacity_kva", "term.usage_class")
        .drop("connection", "terms", "term")
        .withColumn("multiplier", F.coalesce("multiplier", F.lit(1.0)))
    )
