"""Interval readings of other channels than import: new deliveries -> core.channel_days, a meter, channel and date.

Mostly the deliveries of the feed meter_days, of which these rows are another feed's (`deliveries_of`, docs/feeds.md).
Rows which break an error rule go to quarantine.channel_days; what a row of `warn` rules broke stays in its `flags`.
A rerun finds no new delivery and changes nothing, and so does a run where no feed channel_days is declared. Metering
points must have been loaded before.

    wattlake ingest_channel_days --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    source = SOURCES["core.channel_days"]
    if source.feed not in ctx.feeds.names:
        return f"no feed {source.feed} is declared: nothing to do"
    return ingest(ctx, source)
