"""Learn what is usual for each meter: core.meter_days -> features.meter_profiles, a meter and a week.

A week is made when its Monday has come, for all meters; a late or corrected day makes the weeks again of which it is
the past, for its meter. A rerun finds nothing new.

    wattlake build_meter_profiles --date 2025-06-30
"""

from datetime import date

from expectations.meter_profiles import METER_PROFILES_SUITE
from jobs.kernels.past_weeks import past_weeks
from jobs.runtime.context import Context
from jobs.transforms.changes import Facts, Touched, calendar_dates, rows_touched, touched_by
from jobs.transforms.meter_profiles import (
    PROFILE_FEEDS,
    meter_profiles,
    meters_of,
    no_longer_profiled,
    weeks_after,
    worked_dates,
)
from schemas.meter_days import METER_DAYS
from schemas.meter_profiles import METER_PROFILES


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
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    again = [week for week in weeks_after(touched.of("meter_days").dates, ctx.date) if week in held]
    if touched.has("calendar"):
        fresh = sorted({*fresh, *_weeks_of_calendar(ctx, touched, facts)} & set(due))
        again = [week for week in again if week not in fresh]
    if fresh or again:
        ctx.expect_days(None if fresh else rows_touched(changes))
        _make(ctx, touched, facts, fresh, again)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(fresh)} week(s) made of all meters, {len(again)} again of some"


def _weeks_of_calendar(ctx: Context, touched: Touched, facts: Facts) -> list[date]:
    said = calendar_dates(touched, facts, ctx.date)
    return weeks_after([row.usage_date for row in said.collect()], ctx.date)


def _make(ctx: Context, touched: Touched, facts: Facts, fresh: list[date], again: list[date]) -> None:
    worked = worked_dates(facts.calendar)
    if fresh:
        profile = past_weeks(fresh, worked, facts.time_zone)
        made = ctx.gate(meter_profiles(facts.meter_days, fresh, profile), METER_PROFILES_SUITE)
        ctx.lake.replace_slices(made, METER_PROFILES, fresh)
    if again:
        meters = ctx.stage(meters_of(touched, facts), "meters")
        profile = past_weeks(again, worked, facts.time_zone)
        days = facts.meter_days.join(meters, "meter_id", "left_semi")
        made = ctx.gate(meter_profiles(days, again, profile), METER_PROFILES_SUITE)
        gone = no_longer_profiled(meters, again, made, ctx.lake.read(METER_PROFILES))
        ctx.lake.synchronise(made.selectExpr("*", "true AS keep").unionByName(gone), METER_PROFILES, "keep")
