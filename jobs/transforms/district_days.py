"""features.district_days: a transformer district and a local date with its balance, held against its own past."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, StructField, StructType
from pyspark.sql.window import Window

from jobs.transforms.area_loads import metered_parts
from jobs.transforms.changes import Facts, Touched, ever_in_district
from jobs.transforms.metering import district_periods, holds_on
from schemas.district_days import DISTRICT_DAYS, EXPLANATION

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
WholeDate = Callable[[pa.Table], pa.Table]

# the past of a district, and of the profiles of its meters with the week in which they hold
PAST_DAYS = 28
_PROFILES_REACH = PAST_DAYS + 6
_FEWEST_USUAL_DAYS = 7
# of the supply: more than that estimated tells more of the estimates than of the district
_MOST_ESTIMATED = 0.1
# spreads; a loss rate is known to no better than the floor, which load and weather move it by
_JUMP_SPREADS = 6.0
_LEAST_SPREAD = 0.003
# what is managed as a high or a negative loss (高损, 负损)
_HIGH_LOSS, _NEGATIVE_LOSS = 0.1, -0.01
# a meter's change counts from so many of its own spreads on, and when it is so much of the jump
_OWN_SPREADS, _LEAST_SHARE = 1.0, 0.2
_MOST_METERS = 5

_KEY = ("district_id", "balance_date")
_BALANCE = (
    "district_id", "balance_date", "supplied_kwh", "counted_kwh", "loss_kwh", "loss_rate", "point_count",
    "measured_count", "estimated_count", "unknown_count", "estimated_share", "hourly_supplied_kwh",
    "hourly_counted_kwh", "hourly_doubtful_kwh", "available_at",
)  # fmt: skip
BALANCES = StructType([StructField(name, DISTRICT_DAYS.type_of(name)) for name in _BALANCE])


def touched_keys(touched: Touched, facts: Facts, since: DataFrame | None = None) -> DataFrame:
    """A district and a local date (district_id, balance_date) whose balance depends on the new deliveries.

    `since` are `meters_since`, where they are worked out already. A meter which the deliveries moved from one district
    to another concerns both.
    """
    parts = metered_parts(touched, facts, since).withColumnRenamed("usage_date", "balance_date")
    return parts.join(ever_in_district(touched, facts), "meter_id").select(*_KEY).distinct()


def dates_reached(dates: Sequence[date], known: Sequence[date]) -> list[date]:
    """Those of the known dates whose usual loss, or the usual energy of whose meters, rests on one of the dates."""
    reach = {day + timedelta(days=n) for day in dates for n in range(_PROFILES_REACH + 1)}
    return sorted(reach & {*known, *dates})


def dates_of_past(dates: Sequence[date]) -> list[date]:
    """The dates with the past of each."""
    return sorted({day - timedelta(days=n) for day in dates for n in range(PAST_DAYS + 1)})


def balances(facts: Facts, keys: DataFrame, add_up: Batches, parts: pa.Schema, balance: WholeDate) -> DataFrame:
    """A district with a meter of its own and a date, both of `keys`, with its balance. The facts are of these dates.

    A date on which no meter of the district was validated has none: a register reading alone names such dates.

    `add_up` turns meters into `parts`, sums by district, on the workers, batch by batch; `balance` makes rows of the
    sums of one date. Neither ever holds the curves of a date's meters in one place.
    """
    supply = district_periods(facts.points).withColumn("is_supply", F.lit(True))
    customers = facts.periods.where("district_id IS NOT NULL").withColumn("is_supply", F.lit(False))
    curves = facts.validated.select(
        "meter_id", "read_date", "interval_minutes", "kwh", "quality", "flags", "total_kwh", "estimated_count",
        "missing_count", "clock_shift_minutes", "register_kwh", "available_at",
    )  # fmt: skip
    counting = supply.unionByName(customers).join(keys, "district_id").where(holds_on(F.col("balance_date")))
    # on the date of a swap the meter taken down sends its part, or nothing
    leaves = "is_swapped_out AND balance_date = ends_on"
    days = (
        counting.join(
            curves, (curves.meter_id == counting.meter_id) & (curves.read_date == counting.balance_date), "left"
        )
        .drop(curves.meter_id)
        .where(f"NOT ({leaves}) OR kwh IS NOT NULL")
        .select(
            "balance_date",
            "district_id",
            "is_supply",
            "multiplier",
            F.col("balance_date").alias("read_date"),
            "interval_minutes",
            "kwh",
            "quality",
            "flags",
            "total_kwh",
            "estimated_count",
            "missing_count",
            "clock_shift_minutes",
            "register_kwh",
            F.greatest("available_at", "point_received_at").alias("available_at"),
        )
    )
    return days.mapInArrow(add_up, from_arrow_schema(parts)).groupBy("balance_date").applyInArrow(balance, BALANCES)


def judged_days(days: DataFrame) -> DataFrame:
    """Grain of `days` (balances of dates and of their past): adds what is usual, jump_kwh and verdict."""
    is_balanced = F.coalesce(
        (F.col("loss_rate").isNotNull()) & (F.col("estimated_share") <= _MOST_ESTIMATED), F.lit(False)
    )
    past = (
        Window.partitionBy("district_id")
        .orderBy(F.datediff("balance_date", F.lit(date(2000, 1, 1))))
        .rangeBetween(-PAST_DAYS, -1)
    )
    rates = F.collect_list(F.when(is_balanced, F.col("loss_rate"))).over(past)
    usual = days.withColumn("past_rates", F.array_sort(rates)).withColumn("usual_loss_rate", _median("past_rates"))
    distance = F.transform("past_rates", lambda rate: F.abs(rate - F.col("usual_loss_rate")))
    spread = (
        usual.withColumn("distances", F.array_sort(distance))
        .withColumn("usual_spread", F.greatest(F.lit(_LEAST_SPREAD), 1.4826 * _median("distances")))
        .withColumn("usual_days", F.size("past_rates"))
        .withColumn("usual_spread", F.when(F.col("usual_days") > 0, F.round("usual_spread", 9)))
        .withColumn("jump_kwh", F.round(F.col("loss_kwh") - F.col("usual_loss_rate") * F.col("supplied_kwh"), 6))
    )
    is_told = is_balanced & (F.col("supplied_kwh") > 0)
    jumps = (
        (F.col("usual_days") >= _FEWEST_USUAL_DAYS)
        & (F.abs("jump_kwh") > _JUMP_SPREADS * F.col("usual_spread") * F.col("supplied_kwh"))
    )  # fmt: skip
    verdict = (
        F.when(~is_told, "not_told")
        .when(F.coalesce(jumps, F.lit(False)), "jump")
        .when(F.col("loss_rate") > _HIGH_LOSS, "high_loss")
        .when(F.col("loss_rate") < _NEGATIVE_LOSS, "negative_loss")
        .otherwise("ok")
    )
    return spread.withColumn("verdict", verdict).drop("past_rates", "distances")


def _median(ordered: str) -> Column:
    """Of an ordered array; null where it is empty."""
    return F.expr(f"(get({ordered}, (size({ordered}) - 1) DIV 2) + get({ordered}, size({ordered}) DIV 2)) / 2")


def with_explanations(days: DataFrame, facts: Facts, profiles: DataFrame) -> DataFrame:
    """Grain of `days`: adds explained_by, where the verdict is a jump.

    A meter explains what its usual energy is above (or, of a loss that fell, below) what it counted, where that is
    clearly more than it varies. The facts are of the dates on which there are jumps.
    """
    jumps = days.where("verdict = 'jump'").select(*_KEY, "jump_kwh")
    usual = profiles.select(
        "meter_id", "week_start", F.col("daily_kwh").alias("usual_kwh"), F.col("daily_spread_kwh").alias("own_spread")
    )
    counted = facts.validated.select("meter_id", F.col("read_date").alias("balance_date"), "total_kwh")
    meters = (
        facts.periods.join(F.broadcast(jumps), "district_id")
        .where(holds_on(F.col("balance_date")))
        .withColumn("week_start", F.date_trunc("week", "balance_date").cast("date"))
        # a profile in the units of another multiplier says nothing
        .where(F.expr(f"starts_on <= date_sub(week_start, {PAST_DAYS})"))
        .join(counted, ["meter_id", "balance_date"])
        .join(usual, ["meter_id", "week_start"])
        .withColumn("explains_kwh", F.round(F.expr("(usual_kwh - total_kwh) * multiplier"), 6))
        .withColumn("share", F.round(F.expr("explains_kwh / jump_kwh"), 6))
        .where(f"share >= {_LEAST_SHARE} AND abs(usual_kwh - total_kwh) >= {_OWN_SPREADS} * coalesce(own_spread, 0)")
    )
    ranked = F.struct(F.abs(F.lit(1.0) - F.col("share")).alias("off"), *EXPLANATION.fieldNames())
    best = meters.groupBy(*_KEY).agg(F.slice(F.array_sort(F.collect_list(ranked)), 1, _MOST_METERS).alias("ranked"))
    fields = ", ".join(f"'{name}', m.{name}" for name in EXPLANATION.fieldNames())
    listed = F.expr(f"transform(ranked, m -> named_struct({fields}))")
    none = F.array().cast(ArrayType(EXPLANATION))
    return (
        days.join(best, [*_KEY], "left")
        .withColumn("explained_by", F.when(F.col("verdict") == "jump", F.coalesce(listed, none)))
        .drop("ranked")
    )
