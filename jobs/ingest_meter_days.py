"""Interval readings: new deliveries of the feed -> core.meter_days, a meter and a date; replaced rows are kept.

Rows which break an error rule go to quarantine.meter_days; what a row of `warn` rules broke stays in its `flags`.
A rerun finds no new delivery and changes nothing. Metering points must have been loaded before.

    wattlake ingest_meter_days --date 2025-06-30
"""

from expectations.meter_days import METER_DAYS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from jobs.transforms.meter_days import with_installation
from schemas.customers import CUSTOMERS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS


def run(ctx: Context) -> str:
    """Receive, look up where each meter is installed, judge, merge."""
    received = receive(ctx, "meter_days", READERS)
    if received.deliveries and not ctx.lake.exists(METERING_POINTS):
        raise DataError("No metering points are loaded yet, so no meter is known: run ingest_metering_points first.")
    received.then(lambda rows: with_installation(rows, ctx.lake.read(METERING_POINTS), ctx.lake.read(CUSTOMERS)))
    return merge(judge(received, METER_DAYS_SUITE, METER_DAYS), METER_DAYS)
