"""Weather: new deliveries of the feed -> core.weather_hours, a place and an hour.

Rows which break an error rule go to quarantine.weather_hours. A rerun finds no new delivery and changes nothing.

    wattlake ingest_weather_hours --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.weather_hours"])
