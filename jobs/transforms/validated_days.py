"""features.validated_days: a meter and a local date, with all that its curve is to be held against."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DoubleType,
    IntegerType,
    LongType,
    StructField,
    StructType,
)
from pyspark.sql.window import Window

from jobs.transforms.changes import (
    OF_METERS,
    Facts,
    Touched,
    calendar_dates,
    metered_dates,
    meters_since,
    union_of,
)
from jobs.transforms.meter_profiles import PAST_DAYS
from jobs.transforms.metering import customer_periods, dial_difference, holds_on
from schemas.validated_days import VALIDATED_DAYS

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

METER_DAY = ["meter_id", "read_date"]

# the feeds on which a validated meter day depends
VALIDATION_FEEDS = ("meter_days", "register_readings", "metering_points", "customers", "tariffs", "calendar")
REGISTER_CODES = ("total", "sharp", "peak", "flat", "valley")

# what the kernel of evidence adds, as Spark sees it
EVIDENCE = StructType(
    [
        StructField("known_kwh", DoubleType()),
        StructField("known_count", IntegerType()),
        StructField("expected_count", IntegerType()),
        StructField("sum_gap_kwh", DoubleType()),
        StructField("sum_tolerance_kwh", DoubleType()),
        StructField("sum_verdict", IntegerType()),
        StructField("periods_verdict", IntegerType()),
        StructField("clock_shift_minutes", IntegerType()),
        StructField("longer_intervals", IntegerType()),
        StructField("whole_factor", IntegerType()),
        StructField("dial_out_of_line", IntegerType()),
        StructField("longest_zero_from", IntegerType()),
        StructField("longest_zero_count", IntegerType()),
        StructField("longest_constant_from", IntegerType()),
        StructField("longest_constant_count", IntegerType()),
        StructField("peak_from", IntegerType()),
        StructField("peak_count", IntegerType()),
        StructField("peak_kwh", DoubleType()),
        StructField("second_kwh", DoubleType()),
        StructField("peak_by_register_kwh", DoubleType()),
        StructField("curve_hash", LongType()),
    ]
)


def register_context(readings: DataFrame) -> DataFrame:
    """A meter and a local date with what its registers say of it, dial kWh.

    register_kwh and register_<period>_kwh: energy of the date; null where the dials do not tell. dial_before_last_kwh,
    dial_before_kwh, dial_after_kwh, dial_after_next_kwh: the total at the midnights which end the second date before,
    the date before, the date itself, the next one. is_rolled_over; register_received_at of the two that bound the date.
    """
    of_code = {code: F.max(F.when(F.col("register_code") == code, F.col("reading_kwh"))) for code in REGISTER_CODES}
    dials = readings.groupBy(*METER_DAY).agg(
        *(dial.alias(code) for code, dial in of_code.items()),
        F.max(F.when(F.col("register_code") == "total", F.col("day_kwh"))).alias("stated"),
        F.max("received_at").alias("received_at"),
    )
    dial = F.struct(*REGISTER_CODES, "stated", "received_at")
    # a reading is the end of its date, the beginning of the next, and a neighbour of the dates beside those
    on_dates = (F.struct(F.lit(n).alias("place"), F.date_add("read_date", n).alias("on")) for n in (-1, 0, 1, 2))
    said = dials.select("meter_id", dial.alias("dial"), F.explode(F.array(*on_dates)).alias("of"))
    around = said.groupBy("meter_id", F.col("of.on").alias("read_date")).agg(
        *(
            # each of them is said once: max only drops the nulls of the others
            F.max(F.when(F.col("of.place") == place, F.col("dial"))).alias(name)
            for name, place in (("after_next", -1), ("after", 0), ("before", 1), ("before_last", 2))
        )
    )

    def moved(code: str) -> Column:
        return dial_difference(F.col(f"before.{code}"), F.col(f"after.{code}"))

    return around.where("after IS NOT NULL OR before IS NOT NULL").select(
        *METER_DAY,
        F.coalesce("after.stated", moved("total")).alias("register_kwh"),
        *(moved(code).alias(f"register_{code}_kwh") for code in REGISTER_CODES[1:]),
        *(
            F.col(f"{name}.total").alias(f"dial_{name}_kwh")
            for name in ("before_last", "before", "after", "after_next")
        ),
        (moved("total").isNotNull() & (F.col("after.total") < F.col("before.total"))).alias("is_rolled_over"),
        F.greatest("before.received_at", "after.received_at").alias("register_received_at"),
    )


def expected_days(periods: DataFrame, dates: DataFrame) -> DataFrame:
    """A meter and a date of `dates` (read_date) on which it counts for somebody."""
    held = periods.crossJoin(F.broadcast(dates)).where(holds_on(F.col("read_date")))
    # on the date of a swap the meter taken down sends its part, or nothing
    leaves = F.col("is_swapped_out") & (F.col("read_date") == F.col("ends_on"))
    return held.groupBy(*METER_DAY).agg((~F.min(leaves)).alias("is_expected"))


def days_with_context(keys: DataFrame, facts: Facts, profiles: DataFrame) -> DataFrame:
    """A meter and a date of `keys` (meter_id, read_date, is_expected) with its curve and all it is held against.

    `facts` hold the readings of the two dates before and the one after, and the meter days of one before and after.
    """
    curves = facts.meter_days.select(
        *METER_DAY, "interval_minutes", "kwh", "quality", F.col("flags").alias("delivered_flags"), "received_at"
    )
    complete = facts.meter_days.where("missing_count = 0").select(*METER_DAY, "total_kwh")

    def neighbour(days: int, name: str) -> DataFrame:
        moved = F.date_add("read_date", days).alias("read_date")
        return complete.select("meter_id", moved, F.col("total_kwh").alias(name))

    return (
        keys.join(curves, METER_DAY, "left")
        .join(register_context(facts.readings), METER_DAY, "left")
        .join(neighbour(1, "day_before_kwh"), METER_DAY, "left")
        .join(neighbour(-1, "day_after_kwh"), METER_DAY, "left")
        .join(_connections(facts), "meter_id", "left")
        .withColumn("connection", _holding("connections", "read_date"))
        .drop("connections")
        .select("*", "connection.*")
        .drop("connection")
        .withColumn("multiplier", F.coalesce("multiplier", F.lit(1.0)))
        .withColumn("week_start", F.date_trunc("week", "read_date").cast("date"))
        .join(_usual(profiles), ["meter_id", "week_start"], "left")
    )


def _usual(profiles: DataFrame) -> DataFrame:
    """A meter and a week with its profile, under the names by which the rules and the kernels know it."""
    return profiles.select(
        "meter_id",
        "week_start",
        F.col("interval_minutes").alias("profile_minutes"),
        F.col("days").alias("profile_days"),
        "working_kwh",
        "other_kwh",
        "spread_kwh",
        F.col("daily_kwh").alias("usual_daily_kwh"),
        F.col("daily_spread_kwh").alias("usual_daily_spread_kwh"),
        F.col("highest_kwh").alias("usual_max_kwh"),
        F.col("longest_zero_run").alias("usual_zero_run"),
        F.col("longest_constant_run").alias("usual_constant_run"),
    )


def _connections(facts: Facts) -> DataFrame:
    """A meter with the list of its connections: from, until, multiplier, feeder and contract capacity."""
    latest = Window.partitionBy("customer_key").orderBy(F.desc("valid_from"))
    capacity = (
        customer_periods(facts.customers)
        .withColumn("nth", F.row_number().over(latest))
        .where("nth = 1")
        .select("customer_key", F.col("contract_capacity_kva").alias("capacity_kva"), "usage_class")
    )
    connection = F.struct(
        "starts_on",
        F.when(F.col("is_swapped_out"), F.date_add("ends_on", 1)).otherwise(F.col("ends_on")).alias("until"),
        "multiplier",
        "feeder_id",
        "prefecture",
        "capacity_kva",
        "usage_class",
        "point_received_at",
    )
    return (
        facts.periods.join(capacity, "customer_key", "left")
        .groupBy("meter_id")
        .agg(F.array_sort(F.collect_list(connection)).alias("connections"))
    )


def _holding(connections: str, day: str) -> Column:
    """The connection which holds on the date; of two on the date of a move the later."""
    held = f"filter({connections}, c -> c.starts_on <= {day} AND {day} < c.until)"
    return F.expr(f"get({held}, size({held}) - 1)")


# -- which days -------------------------------------------------------------------------------------------------------

# what is held of a day tells whether anything beside its own curve and registers has a say in it
_RESTS_ON_OTHERS = "size(flags) > 0 OR missing_count > 0 OR estimated_count > 0 OR sum_gap_kwh IS NULL"


def days_to_validate(touched: Touched, facts: Facts, dates: Sequence[date], fresh: Sequence[date]) -> DataFrame:
    """A meter and a date (meter_id, read_date) of `dates` which depends on the new deliveries.

    Every expected day of the `fresh` dates, of which nothing was validated yet; days with a new curve or register
    reading; days of meters whose master data changed; and of the days that are not settled by their own curve and
    registers those beside a new reading, those of which it is the past, and those it can be mistaken for.
    """
    dated = facts.periods.sparkSession.createDataFrame([(day,) for day in dates], "read_date date")
    listed = F.broadcast(dated)
    expected = expected_days(facts.periods, dated)
    parts = [expected.join(F.broadcast(dated.where(F.col("read_date").isin(list(fresh)))), "read_date", "left_semi")]
    parts[0] = parts[0].select(*METER_DAY)
    if touched.everything:
        parts.append(facts.meter_days.select(*METER_DAY))
        return union_of(parts).join(listed, "read_date", "left_semi").distinct()
    direct = metered_dates(touched, facts).withColumnRenamed("usage_date", "read_date")
    parts.append(direct)
    if touched.has(*OF_METERS):
        since = meters_since(touched, facts)
        known = facts.validated.select(*METER_DAY).unionByName(expected.select(*METER_DAY))
        parts.append(known.join(F.broadcast(since), "meter_id").where("read_date >= since").select(*METER_DAY))
    if touched.has("calendar"):
        said = calendar_dates(touched, facts, max(dates)).withColumnRenamed("usage_date", "read_date")
        parts.append(expected.join(F.broadcast(said), "read_date", "left_semi").select(*METER_DAY))
    unsettled = facts.validated.where(_RESTS_ON_OTHERS)
    parts.append(unsettled.join(_beside(direct, max(dates)), METER_DAY, "left_semi").select(*METER_DAY))
    parts.append(_mistakable(unsettled, direct))
    return union_of(parts).join(listed, "read_date", "left_semi").distinct()


def with_expectation(keys: DataFrame, facts: Facts) -> DataFrame:
    """Grain of `keys`, without those of which neither a meter is installed nor a curve was sent: adds is_expected."""
    dates = keys.select("read_date").distinct()
    sent = facts.meter_days.join(F.broadcast(dates), "read_date", "left_semi").select(*METER_DAY)
    there = keys.join(sent.withColumn("is_sent", F.lit(True)), METER_DAY, "left")
    known = there.join(expected_days(facts.periods, dates), METER_DAY, "left")
    return known.where("is_sent OR is_expected IS NOT NULL").select(
        *METER_DAY, F.coalesce("is_expected", F.lit(False)).alias("is_expected"), F.lit(True).alias("is_made")
    )


def dates_between(days: Sequence[date]) -> list[date]:
    """All dates from the first to the last of the days."""
    if not days:
        return []
    return [min(days) + timedelta(days=n) for n in range((max(days) - min(days)).days + 1)]


def dates_with_neighbours(dates: Sequence[date]) -> list[date]:
    """The dates with those on both sides of each."""
    return sorted({day + timedelta(days=n) for day in dates for n in (-1, 0, 1)})


def _beside(direct: DataFrame, until: date) -> DataFrame:
    """A meter and the dates around a new reading, and those whose past it belongs to."""
    day, last = F.col("read_date"), F.lit(until)
    monday = F.next_day(day, "Mon")
    past_of = F.when(monday <= last, F.sequence(monday, F.least(F.date_add(monday, PAST_DAYS - 1), last)))
    around = F.sequence(F.date_sub(day, 2), F.date_add(day, 2))
    every = F.concat(around, F.coalesce(past_of, F.array().cast("array<date>")))
    return direct.select("meter_id", F.explode(every).alias("read_date")).distinct()


def _mistakable(unsettled: DataFrame, direct: DataFrame) -> DataFrame:
    """Days in doubt of the dates of new readings: one of these may be their twin, or exchanged with them."""
    dates = F.broadcast(direct.select("read_date").distinct())
    return unsettled.where("size(flags) > 0 AND sum_gap_kwh IS NOT NULL").join(dates, "read_date").select(*METER_DAY)


def settled_days(keys: DataFrame, facts: Facts) -> DataFrame:
    """A meter and a date of the dates of `keys`, not in them, as `with_peers` looks at them: held as validated."""
    dates = F.broadcast(keys.select("read_date").distinct())
    held = facts.validated.where("curve_hash IS NOT NULL").join(dates, "read_date", "left_semi")
    known = F.col("register_kwh") + F.col("sum_gap_kwh")
    return held.join(keys, METER_DAY, "left_anti").select(
        *METER_DAY, "curve_hash", "register_kwh", known.alias("known_kwh")
    )


# -- beside other meters ----------------------------------------------------------------------------------------------


def with_peers(days: DataFrame, others: DataFrame) -> DataFrame:
    """Grain of `days` (with evidence): adds is_twin and is_swapped.

    A twin has the curve of another meter of the date, interval for interval. Swapped are two meters of a feeder each of
    which fits the registers of the other, and not its own. `others` are `settled_days`, which can be twins of a day in
    doubt; exchanged with it are only days in doubt.
    """
    is_varied = "known_kwh > 0 AND longest_constant_count < known_count"
    curves = days.where(is_varied).select(*METER_DAY, "curve_hash").unionByName(others.select(*METER_DAY, "curve_hash"))
    shared = curves.groupBy("read_date", "curve_hash").agg(F.count("*").alias("meters")).where("meters > 1")
    twins = days.where(f"sum_verdict <> 1 AND {is_varied}").join(shared, ["read_date", "curve_hash"], "left_semi")
    twins = twins.select(*METER_DAY, F.lit(True).alias("is_twin"))
    doubtful = days.where("sum_verdict = -1 AND known_count >= expected_count").select(
        *METER_DAY, "feeder_id", "known_kwh", "register_kwh", "sum_tolerance_kwh"
    )
    a, b = doubtful.alias("a"), doubtful.alias("b")

    def fits(one: str, other: str) -> Column:
        # two dials round away twice as much as one
        allowed = 2 * F.greatest("a.sum_tolerance_kwh", "b.sum_tolerance_kwh")
        return F.abs(F.col(f"{one}.known_kwh") - F.col(f"{other}.register_kwh")) <= allowed

    swapped = (
        a.join(
            b,
            (F.col("a.read_date") == F.col("b.read_date"))
            & F.col("a.feeder_id").eqNullSafe(F.col("b.feeder_id"))
            & (F.col("a.meter_id") != F.col("b.meter_id"))
            & fits("a", "b")
            & fits("b", "a"),
        )
        .select("a.meter_id", "a.read_date")
        .distinct()
        .withColumn("is_swapped", F.lit(True))
    )
    return days.join(twins, METER_DAY, "left").join(swapped, METER_DAY, "left")


def with_evidence(days: DataFrame, look: Batches) -> DataFrame:
    """Grain of `days`: adds `EVIDENCE`."""
    return days.mapInArrow(look, StructType([*days.schema.fields, *EVIDENCE.fields]))


def changed_days(made: DataFrame, held: DataFrame) -> DataFrame:
    """A day of `made` that is not held, or is held with other values."""
    names = VALIDATED_DAYS.column_names
    said = F.xxhash64(*(F.col(name).cast(VALIDATED_DAYS.type_of(name)) for name in names))
    before = held.select(*METER_DAY, said.alias("said_before"))
    return made.join(before, METER_DAY, "left").where(~said.eqNullSafe(F.col("said_before"))).drop("said_before")


FINISHED = ("interval_minutes", "kwh", "quality", "total_kwh", "measured_count", "estimated_count", "missing_count",
            "estimate_sd_kwh")  # fmt: skip


def finished_days(flagged: DataFrame, finish: Batches, time_zone: str) -> DataFrame:
    """Grain of `flagged` (with found_flags, the rules which validation found broken): every column of the table.

    The evidence stays, as the suite judges what is written by it once more.
    """
    rows = flagged.withColumn("flags", F.col("found_flags")).drop("found_flags")
    kept = [field for field in rows.schema.fields if field.name not in FINISHED]
    result = StructType([*kept, *(StructField(name, VALIDATED_DAYS.type_of(name)) for name in FINISHED)])
    made = rows.mapInArrow(finish, result)
    # an estimate made without any reading of the date is known when the date has ended
    ended = F.to_utc_timestamp(F.date_add("read_date", 1).cast("timestamp"), time_zone)
    delivered = F.coalesce("delivered_flags", F.array().cast("array<string>"))
    return made.withColumns(
        {
            "flags": F.array_sort(F.array_distinct(F.concat(delivered, "flags"))),
            "available_at": F.coalesce(F.greatest("received_at", "register_received_at", "point_received_at"), ended),
        }
    )


def no_longer_expected(keys: DataFrame, made: DataFrame, held: DataFrame) -> DataFrame:
    """A day which was looked at, is held, and not made any more; with `keep` false."""
    looked_at = keys.select(*METER_DAY)
    gone = held.join(looked_at, METER_DAY, "left_semi").join(made.select(*METER_DAY), METER_DAY, "left_anti")
    return gone.select(*METER_DAY, F.lit(False).alias("keep"))


def made_beside(changed: DataFrame, gone: DataFrame, touched: Touched, facts: Facts) -> DataFrame:
    """A meter and a date which was made anew, or is gone, although no delivery names it."""
    direct = metered_dates(touched, facts).withColumnRenamed("usage_date", "read_date")
    every = changed.select(*METER_DAY).unionByName(gone.select(*METER_DAY))
    return every.join(direct, METER_DAY, "left_anti")
