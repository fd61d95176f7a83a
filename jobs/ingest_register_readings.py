"""Dials at midnight: new deliveries of the feed -> core.register_readings, a meter, a date and a register.

Rows which break an error rule go to quarantine.register_readings. A rerun finds no new delivery and changes nothing.

    wattlake ingest_register_readings --date 2025-06-30
"""

from expectations.register_readings import REGISTER_READINGS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.register_readings import REGISTER_READINGS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "register_readings", READERS)
    return merge(judge(received, REGISTER_READINGS_SUITE, REGISTER_READINGS), REGISTER_READINGS)
