"""Balance districts: validated meter days, metering points -> features.district_days, a district and a date.

What a district's own meter supplied is held against what its customers' counted, and the loss against the district's
own past. Districts and dates with new readings, or whose metering points changed, are balanced again, and the dates
after them whose usual loss rests on them are judged again; rows which are not expected any more go. A rerun finds
nothing new.

    wattlake build_district_days --date 2025-06-30
"""

from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from expectations.districts import DISTRICT_DAYS_SUITE
from jobs.kernels.district_days import PARTS, district_parts
from jobs.kernels.district_days import balances as balance
from jobs.runtime.context import Context
from jobs.transforms.area_loads import AREA_FEEDS
from jobs.transforms.changes import Facts, Touched, meters_since, reach, rows_touched, touched_by
from jobs.transforms.differences import differences
from jobs.transforms.district_days import (
    balances,
    dates_of_past,
    dates_reached,
    judged_days,
    touched_keys,
    with_explanations,
)
from jobs.transforms.validated_days import VALIDATION_FEEDS
from schemas.district_days import DISTRICT_DAYS
from schemas.meter_profiles import METER_PROFILES
from schemas.metering_points import METERING_POINTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Find districts and dates, balance them, judge them and the dates after them, write what is new of it."""
    changes = ctx.lake.new_changes(ctx.job, AREA_FEEDS)
    if not changes:
        return "nothing new"
    ctx.needs("build_validated_days", VALIDATION_FEEDS, "Meter days have to be validated before")
    touched = touched_by(changes, everything=not ctx.lake.exists(DISTRICT_DAYS))
    ctx.expect_days(None if touched.everything else rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    keys = ctx.stage(_keys(ctx, touched, facts), "keys")
    dates = sorted(row.balance_date for row in keys.select("balance_date").distinct().collect())
    if dates:
        ctx.expect_rows(len(dates) * ctx.lake.rows_held(METERING_POINTS))
        _make(ctx, facts, keys, dates)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up, {len(dates)} dates balanced"


def _keys(ctx: Context, touched: Touched, facts: Facts) -> "DataFrame":
    if touched.everything or not touched.has("metering_points"):
        return touched_keys(touched, facts)
    since = ctx.stage(meters_since(touched, facts), "since")
    first, _ = reach(since, ctx.date)
    return touched_keys(touched, facts.since(min([first, *touched.dates])), since)


def _make(ctx: Context, facts: Facts, keys: "DataFrame", dates: list[date]) -> None:
    made = ctx.stage(balances(facts.on(dates), keys, district_parts(facts.time_zone), PARTS, balance), "balances")
    districts = F.broadcast(keys.select("district_id").distinct())
    held = ctx.lake.read(DISTRICT_DAYS).join(districts, "district_id", "left_semi")
    reached = dates_reached(dates, ctx.lake.partition_dates(DISTRICT_DAYS))
    others = held.where(F.col("balance_date").isin(dates_of_past(reached))).join(keys, keys.columns, "left_anti")
    near = made.unionByName(others.select(*made.columns))
    judged = ctx.stage(judged_days(near).where(F.col("balance_date").isin(reached)), "judged")
    jumps = [row.balance_date for row in judged.where("verdict = 'jump'").select("balance_date").distinct().collect()]
    days = with_explanations(judged, facts.on(jumps), ctx.lake.read(METER_PROFILES))
    rows = ctx.gate(days, DISTRICT_DAYS_SUITE)
    new = ctx.stage(differences(rows, held.where(F.col("balance_date").isin(reached)), DISTRICT_DAYS), "new")
    ctx.lake.synchronise(new, DISTRICT_DAYS, "keep")
