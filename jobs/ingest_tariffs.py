"""Tariffs: new deliveries of the feed -> core.tariffs, a line of a version of a tariff.

Rows which break an error rule go to quarantine.tariffs. A rerun finds no new delivery and changes nothing.

    wattlake ingest_tariffs --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.tariffs"])
