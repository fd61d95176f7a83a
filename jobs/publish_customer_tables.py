"""Publish what is known of every customer: contract, usage, forecasts, segments -> the tables of mart, together.

mart.customer_profiles and mart.customer_scores hold each customer known on the date in one row, also without data, and
then with the reasons; mart.customer_forecasts a customer and a date to come. All three are made and judged before any
of them is replaced, so a suite that does not pass leaves the mart as it is. mart.publications is written last: readers
go by its dates, and never see half a publication. A rerun replaces the slices of the date by the same rows; while it
does, the date is not announced.

    wattlake publish_customer_tables --date 2025-06-30
"""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from expectations.mart import (
    CUSTOMER_FORECASTS_SUITE,
    CUSTOMER_PROFILES_SUITE,
    CUSTOMER_SCORES_SUITE,
    PUBLICATIONS_SUITE,
)
from jobs.runtime.context import Context
from jobs.transforms.profiles import customer_profiles
from jobs.transforms.scores import customer_forecasts, customer_scores, publication, slice_of
from schemas.complaints import COMPLAINTS
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, CUSTOMER_MONTHS, SEGMENT_SCORES, USAGE_FORECASTS
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_PROFILES, CUSTOMER_SCORES, PUBLICATIONS
from schemas.metering_points import METERING_POINTS
from schemas.reference import TARIFFS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Make and judge all of it, take the announcement back, replace the slices, announce."""
    if ctx.is_history():
        return "published already, and a later date as well: it stays as it is (--key again=yes makes it again)"
    ctx.expect_rows(ctx.lake.rows_held(CUSTOMERS))
    time_zone = ctx.settings.site.time_zone
    made = slice_of(ctx.lake.read(USAGE_FORECASTS), USAGE_FORECASTS, ctx.date)
    parts = {
        CUSTOMER_PROFILES: (_profiles(ctx), CUSTOMER_PROFILES_SUITE),
        CUSTOMER_SCORES: (_scores(ctx, made), CUSTOMER_SCORES_SUITE),
        CUSTOMER_FORECASTS: (customer_forecasts(ctx.date, made, time_zone), CUSTOMER_FORECASTS_SUITE),
    }
    # side by side: one alone leaves the cores idle while it is planned
    with ThreadPoolExecutor() as pool:
        judged = dict(zip(parts, pool.map(lambda part: ctx.gate(*part), parts.values()), strict=True))
        slices = {table.name: rows for table, rows in judged.items()}
        row = publication(ctx.date, slices, made, ctx.lake.read(CUSTOMERS), time_zone)
        row = ctx.gate(row, PUBLICATIONS_SUITE)
        ctx.lake.delete(PUBLICATIONS, f"as_of_date = DATE'{ctx.date}'")
        list(pool.map(lambda table: ctx.lake.replace(judged[table], table, ctx.date), judged))
        ctx.lake.merge(row, PUBLICATIONS)
    return f"published as of {ctx.date}"


def _profiles(ctx: Context) -> "DataFrame":
    read = ctx.lake.read
    return customer_profiles(
        ctx.date,
        customers=read(CUSTOMERS),
        points=read(METERING_POINTS),
        days=read(CUSTOMER_DAYS),
        months=read(CUSTOMER_MONTHS),
        complaints=read(COMPLAINTS),
        tariffs=read(TARIFFS),
        time_zone=ctx.settings.site.time_zone,
    )


def _scores(ctx: Context, forecasts: "DataFrame") -> "DataFrame":
    read = ctx.lake.read
    return customer_scores(
        ctx.date,
        customers=read(CUSTOMERS),
        points=read(METERING_POINTS),
        days=read(CUSTOMER_DAYS),
        segments=read(SEGMENT_SCORES),
        forecasts=forecasts,
        has_segments=bool(ctx.lake.partitions_held(SEGMENT_SCORES, [ctx.date])),
        has_forecasts=bool(ctx.lake.partitions_held(USAGE_FORECASTS, [ctx.date])),
        time_zone=ctx.settings.site.time_zone,
    )
