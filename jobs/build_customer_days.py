"""Make customer days: readings, registers and master data -> features.customer_days, a customer and a local date.

Only days which depend on deliveries not taken up yet are made again: late and corrected readings, swaps, multipliers
corrected backwards, new tariffs, weather. A rerun finds nothing new; a run that was killed is made again whole.

    wattlake build_customer_days --date 2025-06-30
"""

from expectations.features import CUSTOMER_DAYS_SUITE
from jobs.kernels.customer_curves import day_measures
from jobs.kernels.tou_periods import tou_periods
from jobs.runtime.context import Context
from jobs.transforms.changes import (
    DAY_FEEDS,
    FAR_REACHING,
    Facts,
    customer_dates,
    rows_touched,
    touched_by,
    touched_dates,
)
from jobs.transforms.customer_days import customer_days, lines_of, no_longer_there, where_keys
from schemas.features import CUSTOMER_DAYS


def run(ctx: Context) -> str:
    """Find the days, measure, judge, merge; take away days which are nobody's any more."""
    changes = ctx.lake.new_changes(ctx.job, DAY_FEEDS)
    if not changes:
        return "nothing new"
    touched = touched_by(changes, everything=not ctx.lake.exists(CUSTOMER_DAYS))
    if not touched.everything:
        ctx.expect_rows(rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    facts = facts.with_periods(ctx.stage(facts.periods, "periods"))
    keys = ctx.stage(customer_dates(touched, facts, ctx.date), "keys")
    needed = facts if touched.everything else facts.on(touched_dates(touched, facts, keys))
    if touched.has(*FAR_REACHING) and not touched.everything:
        # many dates, of which few meters may be meant
        needed = needed.of_meters(keys)
    measure = day_measures(tou_periods(lines_of(facts.tariffs)), facts.time_zone)
    days = ctx.gate(customer_days(keys, needed, measure), CUSTOMER_DAYS_SUITE)
    ctx.lake.merge(days, CUSTOMER_DAYS)
    if touched.has("metering_points") and not touched.everything:
        for condition in where_keys(no_longer_there(keys, days, ctx.lake.read(CUSTOMER_DAYS))):
            ctx.lake.delete(CUSTOMER_DAYS, condition)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up"
