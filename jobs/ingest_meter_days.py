"""Interval readings: new deliveries of the feed -> core.meter_days, a meter and a date; replaced rows are kept.

Rows which break an error rule go to quarantine.meter_days; what a row of `warn` rules broke stays in its `flags`.
A rerun finds no new delivery and changes nothing. Metering points must have been loaded before.

    wattlake ingest_meter_days --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.meter_days"])
