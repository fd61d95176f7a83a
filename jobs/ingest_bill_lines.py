"""Components of bills: new deliveries of the feed -> core.bill_lines, a line of a version of a bill.

Rows which break an error rule go to quarantine.bill_lines. A rerun finds no new delivery and changes nothing.

    wattlake ingest_bill_lines --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.bill_lines"])
