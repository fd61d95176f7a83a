"""Bills: new deliveries of the feed -> core.bills, a version of a bill.

Rows which break an error rule go to quarantine.bills. A rerun finds no new delivery and changes nothing.

    wattlake ingest_bills --date 2025-06-30
"""

from expectations.bills import BILLS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.bills import BILLS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "bills", READERS)
    return merge(judge(received, BILLS_SUITE, BILLS), BILLS)
