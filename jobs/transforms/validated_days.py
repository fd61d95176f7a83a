"""features.validated_days: a meter and a local date, with all that its curve is to be held against."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from jobs.transforms.changes import Facts, Touched, calendar_dates, metered_dates, reading_dates, union_of
from jobs.transforms.day_context import METER_DAY, PROFILE_CURVES
from jobs.transforms.meter_profiles import PAST_DAYS
from jobs.transforms.metering import holds_on
from schemas.common import INSTANT
from schemas.validated_days import VALIDATED_DAYS

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# the feeds on which a validated meter day depends
VALIDATION_FEEDS = (
    "meter_days",
    "register_readings",
    "metering_points",
    "customers",
    "tariffs",
    "calendar",
    "weather_hours",
    "class_profiles",
)


def expected_days(periods: DataFrame, dates: DataFrame) -> DataFrame:
    """A meter and a date of `dates` (read_date) on which it counts for somebody: is_expected, whether it must send."""
    return _expected(periods.crossJoin(F.broadcast(dates)).where(holds_on(F.col("read_date"))))


def _expected(held: DataFrame) -> DataFrame:
    # on the date of a swap the meter taken down sends its part, or nothing
    leaves = F.col("is_swapped_out") & (F.col("read_date") == F.col("ends_on"))
    return held.groupBy(*METER_DAY).agg((~F.min(leaves)).alias("is_expected"))


# -- which days -------------------------------------------------------------------------------------------------------

# what is held of a day tells whether anything beside its own curve and registers has a say in it
_RESTS_ON_OTHERS = "size(flags) > 0 OR missing_count > 0 OR estimated_count > 0 OR sum_gap_kwh IS NULL"
# what calendar and weather have a say in
HAS_GAP = "missing_count > 0 OR estimated_count > 0"


def all_days(facts: Facts, dates: Sequence[date]) -> DataFrame:
    """A meter and a date of `dates` on which a meter is installed or has sent a curve: with is_expected."""
    dated = _dates(facts, dates)
    sent = facts.meter_days.join(F.broadcast(dated), "read_date", "left_semi").select(*METER_DAY)
    every = sent.join(expected_days(facts.periods, dated), METER_DAY, "full")
    return every.select(*METER_DAY, F.coalesce("is_expected", F.lit(False)).alias("is_expected"))


@dataclass(frozen=True)
class DaysSince:
    """Meters whose master data changed (`meters_since`, worked out), and the dates from the first of the changes on."""

    meters: DataFrame
    dates: Sequence[date]


def days_read(touched: Touched, facts: Facts) -> DataFrame:
    """A meter and a date (meter_id, read_date) with a new curve or register reading."""
    return metered_dates(touched, facts).withColumnRenamed("usage_date", "read_date")


def days_to_validate(
    touched: Touched,
    facts: Facts,
    dates: Sequence[date],
    fresh: Sequence[date],
    direct: DataFrame,
    since: DaysSince | None,
    told: Sequence[date] = (),
    of_classes: DataFrame | None = None,
) -> DataFrame:
    """A meter and a date (meter_id, read_date) of `dates` which depends on the new deliveries.

    Every expected day of the `fresh` dates, of which nothing was validated yet; days with a new curve or register
    reading; days of meters whose master data changed; and of the days that are not settled by their own curve and
    registers those beside a new reading, those of which it is the past, and those it can be mistaken for; and of those
    with a gap the ones which rest on dates (`told`) of which calendar or weather say something new. `direct` are
    `days_read`, worked out, as they are looked at often; `since` tells of changed master data, `of_classes`
    (meter_id, read_date) of days whose class profile is another.
    """
    parts = [expected_days(facts.periods, _dates(facts, fresh)).select(*METER_DAY), direct]
    if since is not None:
        meters = F.broadcast(since.meters)
        expected = expected_days(facts.periods.join(meters, "meter_id", "left_semi"), _dates(facts, since.dates))
        held = facts.validated.where(F.col("read_date").isin(list(since.dates)))
        known = held.select(*METER_DAY).unionByName(expected.select(*METER_DAY))
        parts.append(known.join(meters, "meter_id").where("read_date >= since").select(*METER_DAY))
    if of_classes is not None:
        parts.append(of_classes.select(*METER_DAY))
    if touched.has("calendar"):
        said = calendar_dates(touched, facts, max(dates)).withColumnRenamed("usage_date", "read_date")
        parts.append(expected_days(facts.periods, said).select(*METER_DAY))
    near = sorted(_dates_beside(reading_dates(touched)) & set(dates))
    unsettled = facts.validated.where(F.col("read_date").isin(near)).where(_RESTS_ON_OTHERS)
    parts.append(unsettled.join(_beside(direct, max(dates)), METER_DAY, "left_semi").select(*METER_DAY))
    parts.append(_mistakable(unsettled, direct))
    if resting := sorted(dates_resting_on(told) & set(dates)):
        with_gap = facts.validated.where(F.col("read_date").isin(resting)).where(HAS_GAP)
        parts.append(with_gap.select(*METER_DAY))
    return union_of(parts).join(F.broadcast(_dates(facts, dates)), "read_date", "left_semi").distinct()


def _dates(facts: Facts, dates: Sequence[date]) -> DataFrame:
    return facts.periods.sparkSession.createDataFrame([(day,) for day in dates], "read_date date")


def with_expectation(keys: DataFrame, facts: Facts) -> DataFrame:
    """Grain of `keys`, without those of which neither a meter is installed nor a curve was sent: adds is_expected."""
    dates = keys.select("read_date").distinct()
    sent = facts.meter_days.join(F.broadcast(dates), "read_date", "left_semi").select(*METER_DAY)
    there = keys.join(sent.withColumn("is_sent", F.lit(True)), METER_DAY, "left")
    expected = _expected(keys.join(facts.periods, "meter_id").where(holds_on(F.col("read_date"))))
    return (
        there.join(expected, METER_DAY, "left")
        .where("is_sent OR is_expected IS NOT NULL")
        .select(*METER_DAY, F.coalesce("is_expected", F.lit(False)).alias("is_expected"))
    )


def dates_between(days: Sequence[date]) -> list[date]:
    """All dates from the first to the last of the days."""
    if not days:
        return []
    return [min(days) + timedelta(days=n) for n in range((max(days) - min(days)).days + 1)]


def dates_with_neighbours(dates: Sequence[date]) -> list[date]:
    """The dates with those on both sides of each."""
    return sorted({day + timedelta(days=n) for day in dates for n in (-1, 0, 1)})


def _dates_beside(read: Sequence[date]) -> set[date]:
    """The dates which `_beside` can name, known without looking at rows."""
    around = {day + timedelta(days=n) for day in read for n in range(-2, 3)}
    return around | _dates_after(read)


def dates_resting_on(told: Sequence[date]) -> set[date]:
    """The dates whose estimates rest on these: themselves, and those whose past they are."""
    return set(told) | _dates_after(told)


def _dates_after(days: Sequence[date]) -> set[date]:
    """The dates of the weeks of which one of the days is the past."""
    mondays = {day + timedelta(days=7 - day.weekday()) for day in days}
    return {monday + timedelta(days=n) for monday in mondays for n in range(PAST_DAYS)}


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


def with_patterns(days: DataFrame, patterns: Sequence[tuple[str, str]]) -> DataFrame:
    """Grain of `days`: adds a Boolean column a pattern, in their order; null counts as false."""
    for name, condition in patterns:
        days = days.withColumn(name, F.coalesce(F.expr(condition), F.lit(False)))
    return days


FINISHED = ("interval_minutes", "kwh", "quality", "total_kwh", "measured_count", "estimated_count", "missing_count",
            "estimate_sd_kwh")  # fmt: skip
# when the class profile by which a day was estimated was known; of the table it is a part of available_at
_CLASS_RECEIVED = StructField("class_received_at", INSTANT)


def finished_days(flagged: DataFrame, finish: Batches, time_zone: str) -> DataFrame:
    """Grain of `flagged` (with found_flags, the rules which validation found broken): every column of the table.

    Days with nothing wrong and nothing missing stay as they were delivered, and go through no worker. The evidence
    stays, as the suite judges what is written by it once more.
    """
    rows = flagged.withColumn("flags", F.col("found_flags")).drop("found_flags")
    is_whole = F.coalesce((F.size("flags") == 0) & (F.col("missing_count") == 0), F.lit(False))
    kept = [field for field in rows.schema.fields if field.name not in (*FINISHED, *PROFILE_CURVES)]
    made = (StructField(name, VALIDATED_DAYS.type_of(name)) for name in FINISHED)
    result = StructType([*kept, *made, _CLASS_RECEIVED])
    mended = rows.where(~is_whole).mapInArrow(finish, result)
    never = F.lit(None).cast(INSTANT)
    unestimated = {"estimate_sd_kwh": F.lit(0.0), _CLASS_RECEIVED.name: never}
    as_sent = rows.where(is_whole).withColumns(unestimated).select(*result.names)
    # an estimate made without any reading of the date is known when the date has ended
    ended = F.to_utc_timestamp(F.date_add("read_date", 1).cast("timestamp"), time_zone)
    # weather has a say where the meter's own profile, which answers to it, fills a gap
    of_weather = F.when(F.expr("estimated_count > 0 AND per_degree IS NOT NULL"), F.col("weather_received_at"))
    known_at = F.greatest("received_at", "register_received_at", "point_received_at", of_weather, _CLASS_RECEIVED.name)
    delivered = F.coalesce("delivered_flags", F.array().cast("array<string>"))
    return as_sent.unionByName(mended).withColumns(
        {
            "flags": F.array_sort(F.array_distinct(F.concat(delivered, "flags"))),
            "available_at": F.coalesce(known_at, ended),
        }
    )


def no_longer_expected(keys: DataFrame, made: DataFrame, held: DataFrame) -> DataFrame:
    """A day which was looked at, is held, and not made any more; with `keep` false."""
    looked_at = keys.select(*METER_DAY)
    gone = held.join(looked_at, METER_DAY, "left_semi").join(made.select(*METER_DAY), METER_DAY, "left_anti")
    return gone.select(*METER_DAY, F.lit(False).alias("keep"))


def made_beside(changed: DataFrame, gone: DataFrame, direct: DataFrame) -> DataFrame:
    """A meter and a date which was made anew, or is gone, although no delivery names it; `direct` are `days_read`."""
    every = changed.select(*METER_DAY).unionByName(gone.select(*METER_DAY))
    return every.join(direct, METER_DAY, "left_anti")
