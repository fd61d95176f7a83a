"""Publish forecasts: features.usage_forecasts -> mart.customer_forecasts, a customer and a date to come.

A rerun replaces the slice of the date by the same rows. Readers see it once publish_customer_scores has announced it.

    wattlake publish_customer_forecasts --date 2025-06-30
"""

from expectations.mart import CUSTOMER_FORECASTS_SUITE
from jobs.runtime.context import Context
from jobs.transforms.scores import customer_forecasts
from schemas.customers import CUSTOMERS
from schemas.features import USAGE_FORECASTS
from schemas.mart import CUSTOMER_FORECASTS


def run(ctx: Context) -> str:
    """Take the slice, judge, replace the slice."""
    if ctx.is_history():
        return "published already, and a later date as well: it stays as it is (--key again=yes makes it again)"
    ctx.expect_rows(ctx.lake.rows_held(CUSTOMERS))
    forecasts = customer_forecasts(ctx.date, ctx.lake.read(USAGE_FORECASTS), ctx.settings.site.time_zone)
    ctx.lake.replace(ctx.gate(forecasts, CUSTOMER_FORECASTS_SUITE), CUSTOMER_FORECASTS, ctx.date)
    return "forecasts are in place"
