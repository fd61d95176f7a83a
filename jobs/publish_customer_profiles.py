"""Publish profiles: contract, usage, bills and contacts -> mart.customer_profiles, a customer on the date.

A rerun replaces the slice of the date by the same rows. Readers see it once publish_customer_scores has announced it.

    wattlake publish_customer_profiles --date 2025-06-30
"""

from expectations.mart import CUSTOMER_PROFILES_SUITE
from jobs.runtime.context import Context
from jobs.transforms.profiles import customer_profiles
from schemas.complaints import COMPLAINTS
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, CUSTOMER_MONTHS
from schemas.mart import CUSTOMER_PROFILES
from schemas.metering_points import METERING_POINTS
from schemas.reference import TARIFFS


def run(ctx: Context) -> str:
    """Join, judge, replace the slice."""
    if ctx.is_history():
        return "published already, and a later date as well: it stays as it is (--key again=yes makes it again)"
    ctx.expect_rows(ctx.lake.rows_held(CUSTOMERS))
    profiles = customer_profiles(
        ctx.date,
        customers=ctx.lake.read(CUSTOMERS),
        points=ctx.lake.read(METERING_POINTS),
        days=ctx.lake.read(CUSTOMER_DAYS),
        months=ctx.lake.read(CUSTOMER_MONTHS),
        complaints=ctx.lake.read(COMPLAINTS),
        tariffs=ctx.lake.read(TARIFFS),
        time_zone=ctx.settings.site.time_zone,
    )
    ctx.lake.replace(ctx.gate(profiles, CUSTOMER_PROFILES_SUITE), CUSTOMER_PROFILES, ctx.date)
    return "profiles are in place"
