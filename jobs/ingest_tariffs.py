"""Tariffs: new deliveries of the feed -> core.tariffs, a line of a version of a tariff.

Rows which break an error rule go to quarantine.tariffs. A rerun finds no new delivery and changes nothing.

    wattlake ingest_tariffs --date 2025-06-30
"""

from expectations.reference import TARIFFS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.reference import TARIFFS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "tariffs", READERS)
    return merge(judge(received, TARIFFS_SUITE, TARIFFS), TARIFFS)
