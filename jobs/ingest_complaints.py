"""95598 work orders, free text masked: new deliveries of the feed -> core.complaints, a work order in its latest state.

Rows which break an error rule go to quarantine.complaints. A rerun finds no new delivery and changes nothing.

    wattlake ingest_complaints --date 2025-06-30
"""

from expectations.complaints import COMPLAINTS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.complaints import COMPLAINTS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "complaints", READERS)
    return merge(judge(received, COMPLAINTS_SUITE, COMPLAINTS), COMPLAINTS)
