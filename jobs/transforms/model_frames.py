"""What the models read, from the feature tables: long frames with the columns which the models' functions expect."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType
from pyspark.sql.window import Window

# customers handled by one call of a model's function: enough to vectorise, few enough for a worker's memory
CUSTOMERS_A_CHUNK = 2000
_HASH_RANGE = 1_000_000


def usage_history(days: DataFrame, customers: DataFrame, until: date, history_days: int) -> DataFrame:
    """One row per customer and date up to `until`: unique_id, ds, y (kWh; null = not known in full), usage_class.

    A date counts as known when every interval is, and intervals and registers do not contradict each other: a part of
    a day's energy is not the day's energy.
    """
    known = F.expr("completeness >= 1 AND sum_check <> 'failed'")
    return (
        days.where(F.col("usage_date").between(until - timedelta(days=history_days - 1), until))
        .join(usage_classes(customers, until), "customer_key", "left")
        .select(
            F.col("customer_key").alias("unique_id"),
            F.col("usage_date").alias("ds"),
            F.when(known, F.col("kwh")).alias("y"),
            "usage_class",
        )
    )


def shape_days(days: DataFrame, customers: DataFrame, until: date, history_days: int) -> DataFrame:
    """One row per customer and date up to `until`: unique_id, ds, hourly (24 kWh), is_weekend, usage_class.

    A working weekend is a weekday, a public holiday a weekend day: people live by the calendar, not by its columns.
    """
    weekend = F.dayofweek("usage_date").isin(1, 7)
    return (
        days.where(F.col("usage_date").between(until - timedelta(days=history_days - 1), until))
        .where("hourly_kwh IS NOT NULL AND sum_check <> 'failed'")
        .join(usage_classes(customers, until), "customer_key", "left")
        .select(
            F.col("customer_key").alias("unique_id"),
            F.col("usage_date").alias("ds"),
            F.col("hourly_kwh").alias("hourly"),
            (
                (weekend & ~F.coalesce("is_working_weekend", F.lit(False))) | F.coalesce("is_holiday", F.lit(False))
            ).alias("is_weekend"),
            "usage_class",
        )
    )


def in_periods(rows: DataFrame, border: date) -> DataFrame:
    """The rows with is_after: whether `ds` lies after the border, which itself does not."""
    return rows.withColumn("is_after", F.col("ds") > F.lit(border))


def calendar_days(calendar: DataFrame) -> DataFrame:
    """One row per date, in order: ds, is_holiday, is_working_weekend."""
    return calendar.select(F.col("calendar_date").alias("ds"), "is_holiday", "is_working_weekend").orderBy("ds")


def usage_classes(customers: DataFrame, on: date) -> DataFrame:
    """One row per customer: customer_key, usage_class on the date."""
    latest = Window.partitionBy("customer_key").orderBy(F.desc("valid_from"))
    return (
        customers.where(F.col("valid_from") <= F.lit(on))
        .withColumn("rank", F.row_number().over(latest))
        .where("rank = 1")
        .select("customer_key", "usage_class")
    )


def sample_of_customers(rows: DataFrame, customers: int, most: int, seed: int) -> DataFrame:
    """The rows of about `most` of the `customers`, chosen by a hash of their id: the same ones every day."""
    if customers <= most:
        return rows
    share = int(_HASH_RANGE * most / customers)
    return rows.where(F.expr(f"pmod(xxhash64(unique_id, {seed}), {_HASH_RANGE}) < {share}"))


def in_chunks(
    rows: DataFrame, customers: int, function: Callable[[pd.DataFrame], pd.DataFrame], result: StructType, *parts: str
) -> DataFrame:
    """Apply a model's function to chunks of whole customers, on the workers.

    The function must give a customer the same rows in any chunk. parts: columns whose values are kept apart, so that a
    chunk holds one value of each.
    """
    chunks = max(1, -(-customers // CUSTOMERS_A_CHUNK))
    names = result.fieldNames()

    def apply(chunk: pd.DataFrame) -> pd.DataFrame:
        return function(chunk.drop(columns="chunk"))[names]

    return (
        rows.withColumn("chunk", F.expr(f"pmod(xxhash64(unique_id), {chunks})"))
        .groupBy("chunk", *parts)
        .applyInPandas(apply, result)
    )


def profile_type(profile_columns: Sequence[str]) -> StructType:
    """Type of the rows which `models.segment_profiles.profile_frame` gives."""
    numbers = [*profile_columns, "log_level", "weekend_ratio", "night_share"]
    return StructType(
        [
            StructField("unique_id", StringType()),
            *(StructField(name, DoubleType()) for name in numbers),
            StructField("weekdays_known", LongType()),
            StructField("weekend_days_known", LongType()),
            StructField("usage_class", StringType()),
        ]
    )
