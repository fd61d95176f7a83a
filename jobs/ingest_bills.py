"""Bills: new deliveries of the feed -> core.bills, a version of a bill.

Rows which break an error rule go to quarantine.bills. A rerun finds no new delivery and changes nothing.

    wattlake ingest_bills --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.bills"])
