"""Make customer months: customer days, bills, payments, work orders, weather -> features.customer_months.

Only months which depend on deliveries not taken up yet are made again. A rerun finds nothing new. Runs after
build_customer_days, whose rows it adds up.

    wattlake build_customer_months --date 2025-06-30
"""

from expectations.features import CUSTOMER_MONTHS_SUITE
from jobs.kernels.month_sums import MONTH_SUMS, month_sums
from jobs.runtime.context import Context
from jobs.transforms.changes import DAY_FEEDS, Facts, rows_touched, touched_by
from jobs.transforms.customer_days import no_longer_there, where_keys
from jobs.transforms.customer_months import (
    MONTH_FEEDS,
    MonthFacts,
    customer_months,
    customer_months_touched,
    months_of,
)
from schemas.features import CUSTOMER_MONTHS

# corrections of these feeds may move the only facts of a month to another customer or month
TAKE_AWAY = ("metering_points", "bills", "complaints")


def run(ctx: Context) -> str:
    """Find the months, join, judge, merge; take away months of which nothing is known any more."""
    changes = ctx.lake.new_changes(ctx.job, MONTH_FEEDS)
    if not changes:
        return "nothing new"
    ctx.needs("build_customer_days", DAY_FEEDS, "Days have to be made before months")
    touched = touched_by(changes, everything=not ctx.lake.exists(CUSTOMER_MONTHS))
    ctx.expect_days(None if touched.everything else rows_touched(changes))
    time_zone = ctx.settings.site.time_zone
    facts = MonthFacts.of(ctx.lake.read, time_zone)
    day_facts = Facts.of(ctx.lake.read, time_zone)
    if not touched.everything:
        day_facts = day_facts.with_periods(ctx.stage(day_facts.periods, "periods"))
    keys = ctx.stage(customer_months_touched(touched, facts, day_facts, ctx.date), "keys")
    if months := months_of(keys):
        added = customer_months(keys, facts.of_months(months), month_sums, MONTH_SUMS)
        made = ctx.gate(added, CUSTOMER_MONTHS_SUITE)
        ctx.lake.merge(made, CUSTOMER_MONTHS)
        if (touched.has(*TAKE_AWAY) or touched.takes_away) and not touched.everything:
            gone = no_longer_there(keys, made, ctx.lake.read(CUSTOMER_MONTHS), "month")
            for condition in where_keys(gone, "month"):
                ctx.lake.delete(CUSTOMER_MONTHS, condition)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up"
