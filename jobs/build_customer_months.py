"""Make customer months: customer days, bills, payments, work orders, weather -> features.customer_months.

Only months which depend on deliveries not taken up yet are made again. A rerun finds nothing new. Runs after
build_customer_days, whose rows it adds up.

    wattlake build_customer_months --date 2025-06-30
"""

from expectations.features import CUSTOMER_MONTHS_SUITE
from jobs.runtime.context import Context
from jobs.runtime.errors import UserError
from jobs.transforms.changes import DAY_FEEDS, Facts, customer_dates, rows_touched, touched_by
from jobs.transforms.customer_months import (
    MONTH_FEEDS,
    MonthFacts,
    customer_months,
    customer_months_touched,
    first_and_last_date,
)
from schemas.features import CUSTOMER_MONTHS


def run(ctx: Context) -> str:
    """Find the months, join, judge, merge."""
    changes = ctx.lake.new_changes(ctx.job, MONTH_FEEDS)
    if not changes:
        return "nothing new"
    if ctx.lake.new_changes("build_customer_days", DAY_FEEDS):
        raise UserError(f"Days have to be made before months: run build_customer_days --date {ctx.date} first.")
    touched = touched_by(changes, everything=not ctx.lake.exists(CUSTOMER_MONTHS))
    if not touched.everything:
        ctx.expect_rows(rows_touched(changes))
    time_zone = ctx.settings.site.time_zone
    facts = MonthFacts.of(ctx.lake.read, time_zone)
    day_facts = Facts.of(ctx.lake.read, time_zone)
    day_facts = day_facts.with_periods(ctx.stage(day_facts.periods, "periods"))
    touched_days = customer_dates(touched, day_facts, ctx.date)
    keys = ctx.stage(customer_months_touched(touched, touched_days, facts), "keys")
    between = first_and_last_date(keys)
    if between:
        months = customer_months(keys, facts, between)
        ctx.lake.merge(ctx.gate(months, CUSTOMER_MONTHS_SUITE), CUSTOMER_MONTHS)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up"
