"""Make customer days: validated meter days, master data, weather -> features.customer_days, a customer and a date.

Only days which depend on deliveries not taken up yet are made again: late and corrected readings, swaps, multipliers
corrected backwards, new tariffs, weather. A rerun finds nothing new; a run that was killed is made again whole.

    wattlake build_customer_days --date 2025-06-30
"""

from typing import TYPE_CHECKING

from expectations.features import CUSTOMER_DAYS_SUITE
from jobs.kernels.customer_curves import day_measures
from jobs.kernels.tou_periods import tou_periods
from jobs.runtime.context import Context
from jobs.transforms.changes import (
    DAY_FEEDS,
    FAR_REACHING,
    OF_METERS,
    Facts,
    Touched,
    customer_dates,
    meters_since,
    reach,
    rows_touched,
    touched_by,
    touched_dates,
)
from jobs.transforms.customer_days import customer_days, lines_of, no_longer_there, where_keys
from jobs.transforms.validated_days import VALIDATION_FEEDS
from schemas.features import CUSTOMER_DAYS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Find the days, measure, judge, merge; take away days which are nobody's any more."""
    changes = ctx.lake.new_changes(ctx.job, DAY_FEEDS)
    if not changes:
        return "nothing new"
    ctx.needs("build_validated_days", VALIDATION_FEEDS, "Meter days have to be validated before")
    touched = touched_by(changes, everything=not ctx.lake.exists(CUSTOMER_DAYS))
    ctx.expect_days(None if touched.everything else rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    facts = facts.with_periods(ctx.stage(facts.periods, "periods"))
    keys = ctx.stage(_keys(ctx, touched, facts), "keys")
    needed = facts if touched.everything else facts.on(touched_dates(touched, facts, keys))
    if touched.has(*FAR_REACHING) and not touched.everything:
        # many dates, of which few meters may be meant
        needed = needed.of_meters(keys)
    measure = day_measures(tou_periods(lines_of(facts.tariffs)), facts.time_zone)
    days = ctx.gate(customer_days(keys, needed, measure), CUSTOMER_DAYS_SUITE)
    ctx.lake.merge(days, CUSTOMER_DAYS)
    if (touched.has("metering_points") or touched.takes_away) and not touched.everything:
        for condition in where_keys(no_longer_there(keys, days, ctx.lake.read(CUSTOMER_DAYS))):
            ctx.lake.delete(CUSTOMER_DAYS, condition)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up"


def _keys(ctx: Context, touched: Touched, facts: Facts) -> "DataFrame":
    if touched.everything or not touched.has(*OF_METERS):
        return customer_dates(touched, facts, ctx.date)
    since = ctx.stage(meters_since(touched, facts), "since")
    first, meter_days = reach(since, ctx.date)
    if ctx.are_rows_few:
        ctx.expect_rows(meter_days)
    return customer_dates(touched, facts.since(min([first, *touched.dates])), ctx.date, since)
