"""Payments: new deliveries of the feed -> core.payments, a payment.

Rows which break an error rule go to quarantine.payments. A rerun finds no new delivery and changes nothing.

    wattlake ingest_payments --date 2025-06-30
"""

from expectations.bills import PAYMENTS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.bills import PAYMENTS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "payments", READERS)
    return merge(judge(received, PAYMENTS_SUITE, PAYMENTS), PAYMENTS)
