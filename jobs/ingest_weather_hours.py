"""Weather: new deliveries of the feed -> core.weather_hours, a place and an hour.

Rows which break an error rule go to quarantine.weather_hours. A rerun finds no new delivery and changes nothing.

    wattlake ingest_weather_hours --date 2025-06-30
"""

from expectations.reference import WEATHER_HOURS_SUITE
from jobs.kernels.readers import READERS
from jobs.runtime.context import Context
from jobs.runtime.ingestion import judge, merge
from jobs.runtime.receiving import receive
from schemas.reference import WEATHER_HOURS


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    received = receive(ctx, "weather_hours", READERS)
    return merge(judge(received, WEATHER_HOURS_SUITE, WEATHER_HOURS), WEATHER_HOURS)
