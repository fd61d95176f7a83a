"""Metering points: new deliveries of the feed -> core.metering_points, a point from when a meter was installed.

Rows which break an error rule go to quarantine.metering_points. A rerun finds no new delivery and changes nothing.

    wattlake ingest_metering_points --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.metering_points"])
