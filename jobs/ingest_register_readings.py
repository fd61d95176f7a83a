"""Dials at midnight: new deliveries of the feed -> core.register_readings, a meter, a date and a register.

Rows which break an error rule go to quarantine.register_readings. A rerun finds no new delivery and changes nothing.

    wattlake ingest_register_readings --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.register_readings"])
