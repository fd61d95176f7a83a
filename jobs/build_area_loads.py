"""Add up the curves of areas: core.meter_days, core.metering_points -> features.area_loads, an area and a date.

Only dates with new readings, or whose metering points changed, are made again. A rerun finds nothing new.

    wattlake build_area_loads --date 2025-06-30
"""

from expectations.features import AREA_LOADS_SUITE
from jobs.kernels.area_curves import district_parts, rolled_up
from jobs.runtime.context import Context
from jobs.transforms.area_loads import AREA_FEEDS, area_dates, area_loads
from jobs.transforms.changes import Facts, rows_touched, touched_by
from schemas.features import AREA_LOADS


def run(ctx: Context) -> str:
    """Find the dates, add up, judge, merge."""
    changes = ctx.lake.new_changes(ctx.job, AREA_FEEDS)
    if not changes:
        return "nothing new"
    touched = touched_by(changes, everything=not ctx.lake.exists(AREA_LOADS))
    if not touched.everything:
        ctx.expect_rows(rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    dates = [row.load_date for row in area_dates(touched, facts).collect()]
    if dates:
        loads = area_loads(facts.on(dates), district_parts, rolled_up)
        ctx.lake.merge(ctx.gate(loads, AREA_LOADS_SUITE), AREA_LOADS)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up, {len(dates)} dates made"
