"""Add up the curves of areas: validated meter days, metering points -> features.area_loads, an area and a date.

Only dates with new readings, or whose metering points changed, are made again, each of them whole. A rerun finds
nothing new.

    wattlake build_area_loads --date 2025-06-30
"""

from typing import TYPE_CHECKING

from expectations.features import AREA_LOADS_SUITE
from jobs.kernels.area_curves import PARTS, district_parts, rolled_up
from jobs.runtime.context import Context
from jobs.transforms.area_loads import AREA_FEEDS, area_dates, area_loads
from jobs.transforms.changes import Facts, Touched, meters_since, reach, rows_touched, touched_by
from jobs.transforms.validated_days import VALIDATION_FEEDS
from schemas.features import AREA_LOADS
from schemas.metering_points import METERING_POINTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Find the dates, add up, judge, replace the dates."""
    changes = ctx.lake.new_changes(ctx.job, AREA_FEEDS)
    if not changes:
        return "nothing new"
    ctx.needs("build_validated_days", VALIDATION_FEEDS, "Meter days have to be validated before")
    touched = touched_by(changes, everything=not ctx.lake.exists(AREA_LOADS))
    ctx.expect_days(None if touched.everything else rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    dates = [row.load_date for row in _dates(ctx, touched, facts).collect()]
    if dates:
        ctx.expect_rows(len(dates) * ctx.lake.rows_held(METERING_POINTS))
        loads = area_loads(facts.on(dates), district_parts, PARTS, rolled_up)
        ctx.lake.replace_slices(ctx.gate(loads, AREA_LOADS_SUITE), AREA_LOADS, dates)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up, {len(dates)} dates made"


def _dates(ctx: Context, touched: Touched, facts: Facts) -> "DataFrame":
    if touched.everything or not touched.has("metering_points"):
        return area_dates(touched, facts)
    since = ctx.stage(meters_since(touched, facts), "since")
    first, _ = reach(since, ctx.date)
    return area_dates(touched, facts.since(min([first, *touched.dates])), since)
