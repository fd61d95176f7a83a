"""Which meter counts for whom on which date, and what its registers say."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

# stands for "still installed", so that dates compare without null
NEVER = date(9999, 12, 31)

# no dial has fewer whole digits; below that a falling reading is a mistake and not a roll-over
_FEWEST_DIGITS = 4
# a dial rolls over from its last tenth into its first: any other fall is an exchanged or misread dial
_NEAR_TOP, _NEAR_ZERO = 0.9, 0.1


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


def register_days(readings: DataFrame) -> DataFrame:
    """A meter and a local date: energy by the total register, dial kWh, and when it was known.

    The reading of a date is taken at the midnight which ends it: energy = reading(date) - reading(date before). What
    the source states as the date's energy comes first. Null where the registers do not tell, as after a swap.
    """
    none = F.lit(None).cast("double")

    def said(day: Column, after: Column, before: Column, energy: Column) -> Column:
        return F.struct(day.alias("usage_date"), after.alias("after"), before.alias("before"), energy.alias("day"))

    of_its_date = said(F.col("read_date"), F.col("reading_kwh"), none, F.col("day_kwh"))
    of_the_next = said(F.date_add("read_date", 1), none, F.col("reading_kwh"), none)
    both = (
        readings.where("register_code = 'total'")
        .select("meter_id", "received_at", F.explode(F.array(of_its_date, of_the_next)).alias("said"))
        .groupBy("meter_id", "said.usage_date")
        .agg(
            # each of them is said once: max only drops the nulls of the other reading
            F.max("said.after").alias("after_kwh"),
            F.max("said.before").alias("before_kwh"),
            F.max("said.day").alias("day_kwh"),
            F.max("received_at").alias("register_received_at"),
        )
    )
    energy = F.coalesce(F.col("day_kwh"), dial_difference(F.col("before_kwh"), F.col("after_kwh")))
    return both.select("meter_id", "usage_date", energy.alias("register_dial_kwh"), "register_received_at").where(
        "register_dial_kwh IS NOT NULL"
    )


def dial_difference(before: Column, after: Column) -> Column:
    """How far a dial moved, with at most one roll-over at a power of ten; null where it moved back otherwise."""
    digits = F.greatest(F.floor(F.log10(F.greatest(before, F.lit(1.0)))) + 1, F.lit(_FEWEST_DIGITS))
    top = F.pow(F.lit(10.0), digits)
    rolled_over = (before >= top * _NEAR_TOP) & (after <= top * _NEAR_ZERO)
    return F.when(after >= before, after - before).when(rolled_over, after - before + top)
