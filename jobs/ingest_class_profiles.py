"""Class profiles: new deliveries of the feed -> core.class_profiles, an interval of a type of day in a version.

Rows which break an error rule go to quarantine.class_profiles. A rerun finds no new delivery and changes nothing.

    wattlake ingest_class_profiles --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.class_profiles"])
