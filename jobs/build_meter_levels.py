"""Find breaks of level: validated meter days, district days -> features.meter_levels, a meter and a date.

A meter whose level changes for good by a whole factor, or falls while its district loses as much more, is named with
what speaks for it. Once a week, when its Sunday has come, the districts with a meter day that changed since are looked
at, over the last 56 dates: a break needs days on both sides to be told from the weather, and the search reads them all.
A break that is not found any more goes, as long as it could still be seen. A rerun finds nothing new.

    wattlake build_meter_levels --date 2025-06-30
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from expectations.districts import METER_LEVELS_SUITE
from jobs.kernels.level_days import LEVEL_DAYS
from jobs.kernels.level_days import level_days as day_of_level
from jobs.kernels.meter_levels import meter_levels as breaks_of
from jobs.runtime.context import Context
from jobs.runtime.quality import with_flags
from jobs.transforms.area_loads import AREA_FEEDS
from jobs.transforms.changes import Facts, Touched, rows_touched, touched_by
from jobs.transforms.differences import differences
from jobs.transforms.meter_levels import level_days, levels_in_sight, meter_levels, touched_districts, window_dates
from jobs.transforms.meter_profiles import worked_dates
from schemas.district_days import DISTRICT_DAYS
from schemas.meter_levels import METER_LEVELS
from schemas.ops import CONSUMPTIONS
from schemas.reference import CALENDAR
from schemas.validated_days import VALIDATED_DAYS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Find the districts, look for breaks, judge, write what is new of it."""
    changes = ctx.lake.new_changes(ctx.job, AREA_FEEDS)
    if not changes:
        return "nothing new"
    due = _next_search(ctx)
    if ctx.date < due:
        return f"{len(changes)} deliveries wait for the search of {due}"
    ctx.needs("build_district_days", AREA_FEEDS, "Districts have to be balanced before")
    touched = touched_by(changes, everything=not ctx.lake.exists(METER_LEVELS))
    ctx.expect_days(None if touched.everything else rows_touched(changes))
    dates = window_dates(ctx.lake.partition_dates(VALIDATED_DAYS))
    if dates:
        _make(ctx, touched, dates)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up"


def _next_search(ctx: Context) -> date:
    """The Sunday after the last search; the run's date where there was none."""
    searched = [row["run_date"] for row in ctx.books.read(CONSUMPTIONS, job=ctx.job)]
    return max(searched) + timedelta(days=7 - (max(searched).weekday() + 1) % 7) if searched else ctx.date


def _make(ctx: Context, touched: Touched, dates: list[date]) -> None:
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    districts = ctx.stage(touched_districts(touched, facts), "districts")
    rows = ctx.gate(_flagged(ctx, facts.on(dates), districts, dates), METER_LEVELS_SUITE)
    held = levels_in_sight(ctx.lake.read(METER_LEVELS), districts, dates)
    ctx.lake.synchronise(ctx.stage(differences(rows, held, METER_LEVELS), "new"), METER_LEVELS, "keep")


def _flagged(ctx: Context, facts: Facts, districts: "DataFrame", dates: list[date]) -> "DataFrame":
    # half the work of a table of curves, whatever the number of changes
    ctx.expect_days(None)
    find = breaks_of(dates[0], len(dates), worked_dates(ctx.lake.read(CALENDAR)))
    balances = ctx.lake.read(DISTRICT_DAYS).where(F.col("balance_date").isin(dates))
    days = level_days(facts, districts, day_of_level(facts.time_zone), LEVEL_DAYS)
    found = meter_levels(days, balances.join(districts, "district_id", "left_semi"), find)
    return with_flags(found, METER_LEVELS_SUITE)
