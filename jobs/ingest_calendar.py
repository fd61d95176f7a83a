"""Calendar: new deliveries of the feed -> core.calendar, a local date.

Rows which break an error rule go to quarantine.calendar. A rerun finds no new delivery and changes nothing.

    wattlake ingest_calendar --date 2025-06-30
"""

from expectations.reference import CALENDAR_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.reference import CALENDAR


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "calendar", READERS)
    return merge(judge(received, CALENDAR_SUITE, CALENDAR), CALENDAR)
