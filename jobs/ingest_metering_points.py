"""Metering points: new deliveries of the feed -> core.metering_points, a point from when a meter was installed.

Rows which break an error rule go to quarantine.metering_points. A rerun finds no new delivery and changes nothing.

    wattlake ingest_metering_points --date 2025-06-30
"""

from expectations.customers import METERING_POINTS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.metering_points import METERING_POINTS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "metering_points", READERS)
    return merge(judge(received, METERING_POINTS_SUITE, METERING_POINTS), METERING_POINTS)
