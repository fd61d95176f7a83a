"""95598 work orders, free text masked: new deliveries of the feed -> core.complaints, a work order in its latest state.

Rows which break an error rule go to quarantine.complaints. A rerun finds no new delivery and changes nothing.

    wattlake ingest_complaints --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.complaints"])
