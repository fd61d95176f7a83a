"""Components of bills: new deliveries of the feed -> core.bill_lines, a line of a version of a bill.

Rows which break an error rule go to quarantine.bill_lines. A rerun finds no new delivery and changes nothing.

    wattlake ingest_bill_lines --date 2025-06-30
"""

from expectations.bills import BILL_LINES_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.bills import BILL_LINES


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "bill_lines", READERS)
    return merge(judge(received, BILL_LINES_SUITE, BILL_LINES), BILL_LINES)
