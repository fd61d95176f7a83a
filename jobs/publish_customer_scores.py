"""Publish scores, and with them the date: segments and forecasts -> mart.customer_scores -> mart.publications.

Every customer known on the date has one row, also without data, and then with the reasons. The row of
mart.publications is written last, when profiles, forecasts and scores of the date are all in place: readers join on it
and never see half a publication. A rerun replaces the slice of the date by the same rows.

    wattlake publish_customer_scores --date 2025-06-30
"""

from expectations.mart import CUSTOMER_SCORES_SUITE, PUBLICATIONS_SUITE
from jobs.runtime.context import Context
from jobs.transforms.scores import customer_scores, publication, slice_of
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, SEGMENT_SCORES, USAGE_FORECASTS
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_PROFILES, CUSTOMER_SCORES, PUBLICATIONS
from schemas.metering_points import METERING_POINTS


def run(ctx: Context) -> str:
    """Join, judge, replace the slice; then judge the whole publication and announce it."""
    if ctx.is_history():
        return "published already, and a later date as well: it stays as it is (--key again=yes makes it again)"
    ctx.expect_rows(ctx.lake.rows_held(CUSTOMERS))
    time_zone = ctx.settings.site.time_zone
    scores = customer_scores(
        ctx.date,
        customers=ctx.lake.read(CUSTOMERS),
        points=ctx.lake.read(METERING_POINTS),
        days=ctx.lake.read(CUSTOMER_DAYS),
        segments=ctx.lake.read(SEGMENT_SCORES),
        forecasts=ctx.lake.read(USAGE_FORECASTS),
        has_segments=bool(ctx.lake.partitions_held(SEGMENT_SCORES, [ctx.date])),
        has_forecasts=bool(ctx.lake.partitions_held(USAGE_FORECASTS, [ctx.date])),
        time_zone=time_zone,
    )
    ctx.lake.replace(ctx.gate(scores, CUSTOMER_SCORES_SUITE), CUSTOMER_SCORES, ctx.date)
    published = (CUSTOMER_SCORES, CUSTOMER_PROFILES, CUSTOMER_FORECASTS)
    slices = {table.name: slice_of(ctx.lake.read(table), table, ctx.date) for table in published}
    made = slice_of(ctx.lake.read(USAGE_FORECASTS), USAGE_FORECASTS, ctx.date)
    row = ctx.gate(publication(ctx.date, slices, made, ctx.lake.read(CUSTOMERS), time_zone), PUBLICATIONS_SUITE)
    ctx.lake.merge(row, PUBLICATIONS)
    return f"published as of {ctx.date}"
