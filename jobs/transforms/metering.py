"""Which meter counts for whom on which date."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

# stands for "still installed", so that dates compare without null
NEVER = date(9999, 12, 31)


def customers_points(points: DataFrame) -> DataFrame:
    """Rows of metering points at which a customer's energy is measured, and not that of a district once more."""
    return points.where(F.coalesce("point_kind", F.lit("customer")) == "customer")


def meter_periods(points: DataFrame) -> DataFrame:
    """A customer's meter at a metering point from `starts_on` to before `ends_on`: the master data, made consistent.

    A period ends when the master data say so, when the next row of the point begins, or when the meter itself turns up
    at another point. `is_swapped_out`: on `ends_on` another meter takes over for the same customer. What this one
    measured on that date before it was taken down still counts then, which `holds_on` takes into account.
    """
    return _periods_of(customers_points(points))


def district_periods(points: DataFrame) -> DataFrame:
    """A district's own meter from `starts_on` to before `ends_on`, with the columns of `meter_periods`."""
    return _periods_of(points.where("point_kind = 'district' AND district_id IS NOT NULL"))


def _periods_of(points: DataFrame) -> DataFrame:
    of_point = Window.partitionBy("point_id").orderBy("installed_from")
    of_meter = Window.partitionBy("meter_id").orderBy("installed_from", "point_id")
    never = F.lit(NEVER)
    following = points.select(
        "*",
        F.coalesce(F.lead("installed_from").over(of_point), never).alias("next_at_point"),
        F.lead("meter_id").over(of_point).alias("next_meter"),
        F.lead("customer_key").over(of_point).alias("next_customer"),
        F.coalesce(F.lead("installed_from").over(of_meter), never).alias("next_of_meter"),
    ).withColumn("ends_on", F.least(F.coalesce("installed_to", never), "next_at_point", "next_of_meter"))
    swapped_out = (
        (F.col("next_at_point") == F.col("ends_on"))
        & (F.col("next_of_meter") != F.col("ends_on"))
        & (F.col("next_meter") != F.col("meter_id"))
        & F.col("next_customer").eqNullSafe(F.col("customer_key"))
    )
    return following.select(
        "point_id",
        "meter_id",
        "customer_key",
        "multiplier",
        "district_id",
        "feeder_id",
        "county",
        "prefecture",
        F.col("installed_from").alias("starts_on"),
        "ends_on",
        F.coalesce(swapped_out, F.lit(False)).alias("is_swapped_out"),
        F.col("received_at").alias("point_received_at"),
    ).where("starts_on < ends_on")


def holds_on(day: Column) -> Column:
    """Whether a meter period counts on a date."""
    inside = (F.col("starts_on") <= day) & (day < F.col("ends_on"))
    return inside | (F.col("is_swapped_out") & (day == F.col("ends_on")))


def customers_on(day: date, customers: DataFrame) -> DataFrame:
    """A customer with the version of its row which holds on the date: the latest `valid_from` up to it."""
    order = Window.partitionBy("customer_key").orderBy(F.desc("valid_from"))
    held = customers.where(F.col("valid_from") <= F.lit(day))
    return held.withColumn("place", F.row_number().over(order)).where("place = 1").drop("place")


def customer_periods(customers: DataFrame) -> DataFrame:
    """A customer from `valid_from` to before `valid_until`."""
    order = Window.partitionBy("customer_key").orderBy("valid_from")
    until = F.coalesce(F.lead("valid_from").over(order), F.lit(NEVER))
    return customers.withColumn("valid_until", until)
