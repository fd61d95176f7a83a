"""features.meter_levels: a meter and the first date of a new level."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from jobs.transforms.changes import Facts, Touched, ever_in_district, metered_dates, meters_since, union_of
from jobs.transforms.metering import district_periods, holds_on
from schemas.meter_levels import METER_LEVELS

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Cogroup = Callable[[pa.Table, pa.Table], pa.Table]

# the dates up to a run in which breaks are looked for
WINDOW_DAYS = 56
# a break with fewer dates of the window before it can no longer be seen, and stays as it was found
UNSEEN_DAYS = 7

LEVELS = StructType([field for field in METER_LEVELS.struct.fields if field.name != "flags"])


def window_dates(held: Sequence[date]) -> list[date]:
    """The dates of the window which ends with the last date held.

    Also in a run for a date before it: with what is known by then only, it would take breaks away which are seen since.
    """
    return [max(held) - timedelta(days=n) for n in reversed(range(WINDOW_DAYS))] if held else []


def touched_districts(touched: Touched, facts: Facts) -> DataFrame:
    """A district (district_id) some of whose meters, its own among them, have a validated day that changed.

    A factory behind a transformer of its own is a district here.
    """
    places = ever_in_district(touched, facts)
    if touched.everything:
        return places.select("district_id").distinct()
    meters = [metered_dates(touched, facts).select("meter_id")]
    if touched.has("metering_points"):
        meters.append(meters_since(touched, facts).select("meter_id"))
    return places.join(union_of(meters).distinct(), "meter_id", "left_semi").select("district_id").distinct()


def level_days(facts: Facts, districts: DataFrame, look: Batches, looked_at: pa.Schema) -> DataFrame:
    """A meter of the districts and a date of the facts on which it counts: its day, as the search needs it.

    Without meters which stand in the line itself in districts without a meter of their own: nothing tells of these.
    """
    balanced = district_periods(facts.points).select("district_id").distinct().withColumn("is_balanced", F.lit(True))
    periods = (
        facts.periods.join(F.broadcast(districts), "district_id", "left_semi")
        .join(balanced, "district_id", "left")
        .where("is_balanced OR multiplier > 1")
        .select("district_id", "meter_id", "multiplier", "starts_on", "ends_on", "is_swapped_out")
    )
    days = facts.validated.join(periods, "meter_id").where(holds_on(F.col("read_date")))
    return days.mapInArrow(look, from_arrow_schema(looked_at))


def meter_levels(days: DataFrame, balances: DataFrame, find: Cogroup) -> DataFrame:
    """A meter and a date from which it is on another level, without flags. `days` are `level_days`."""
    sides = balances.select(
        "district_id", "balance_date", "hourly_supplied_kwh", "hourly_counted_kwh", "hourly_doubtful_kwh"
    )
    return days.groupBy("district_id").cogroup(sides.groupBy("district_id")).applyInArrow(find, LEVELS)


def levels_in_sight(held: DataFrame, districts: DataFrame, dates: Sequence[date]) -> DataFrame:
    """The breaks held of the districts which would be found again if they were there."""
    in_sight = held.where(F.col("since") >= F.lit(dates[0] + timedelta(days=UNSEEN_DAYS)))
    return in_sight.join(F.broadcast(districts), "district_id", "left_semi")
