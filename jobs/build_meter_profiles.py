"""Learn what is usual for each meter: core.meter_days -> features.meter_profiles, a meter and a week.

A week is made when its Monday has come, for all meters; a late or corrected day makes the weeks again of which it is
the past, for its meter, and so do a corrected calendar and corrected weather, for all. Flags mark a meter whose days
came to lie at other hours of the clock. A rerun finds nothing new.

    wattlake build_meter_profiles --date 2025-06-30
"""

from datetime import date
from typing import TYPE_CHECKING

from expectations.meter_profiles import METER_PROFILES_SUITE
from jobs.kernels.past_weeks import past_weeks
from jobs.runtime.context import Context
from jobs.runtime.quality import with_flags
from jobs.transforms.changes import Facts, Touched, rows_touched, touched_by
from jobs.transforms.meter_profiles import (
    FOR_MANY,
    PROFILE_FEEDS,
    dates_told,
    meter_profiles,
    meters_moved,
    meters_of,
    no_longer_profiled,
    weeks_after,
    worked_dates,
)
from schemas.meter_days import METER_DAYS
from schemas.meter_profiles import METER_PROFILES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Find the weeks, make them, replace them."""
    changes = ctx.lake.new_changes(ctx.job, PROFILE_FEEDS)
    days = [day for day in ctx.lake.partition_dates(METER_DAYS) if day <= ctx.date]
    due = weeks_after(days, ctx.date)
    held = ctx.lake.partitions_held(METER_PROFILES, due)
    fresh = [week for week in due if week not in held]
    if not changes and not fresh:
        return "nothing new"
    touched = touched_by(changes, everything=False)
    # what is to be made is found among few rows; what is made of all meters is made of many
    ctx.expect_days(rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    again = [week for week in weeks_after(touched.of("meter_days").dates, ctx.date) if week in held]
    if held and touched.has(*FOR_MANY):
        told = weeks_after(dates_told(touched, facts, ctx.date), ctx.date)
        fresh = sorted({*fresh, *told} & set(due))
        again = [week for week in again if week not in fresh]
    moved = None
    if held and touched.has("metering_points"):
        moved = ctx.stage(meters_moved(touched, facts), "moved")
        # most new rows move nobody
        if moved.isEmpty():
            moved = None
        else:
            again = [week for week in due if week in held and week not in fresh]
    if fresh or again:
        if fresh or moved is not None:
            ctx.expect_days(None)
        _make(ctx, touched, facts, moved, fresh, again)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(fresh)} week(s) made of all meters, {len(again)} again of some"


def _make(
    ctx: Context, touched: Touched, facts: Facts, moved: "DataFrame | None", fresh: list[date], again: list[date]
) -> None:
    worked = worked_dates(facts.calendar)
    if fresh:
        profile = past_weeks(fresh, worked, facts.time_zone)
        made = ctx.gate(
            with_flags(meter_profiles(facts, None, fresh, profile), METER_PROFILES_SUITE), METER_PROFILES_SUITE
        )
        ctx.lake.replace_slices(made, METER_PROFILES, fresh)
    if again:
        named = meters_of(touched, facts)
        meters = ctx.stage(named if moved is None else named.unionByName(moved).distinct(), "meters")
        profile = past_weeks(again, worked, facts.time_zone)
        made = ctx.gate(
            with_flags(meter_profiles(facts, meters, again, profile), METER_PROFILES_SUITE), METER_PROFILES_SUITE
        )
        gone = no_longer_profiled(meters, again, made, ctx.lake.read(METER_PROFILES))
        ctx.lake.synchronise(made.selectExpr("*", "true AS keep").unionByName(gone), METER_PROFILES, "keep")
