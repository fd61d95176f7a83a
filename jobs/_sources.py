"""What each ingest job does to the rows of its feed, by table.

In one place, so that rows which are released from quarantine go the very way on which they were refused.
"""

from typing import TYPE_CHECKING

from expectations import SUITES
from jobs.kernels.readers import READERS
from jobs.runtime.errors import DataError
from jobs.runtime.receiving import Source, Step
from jobs.transforms.meter_days import with_installation
from schemas.channel_days import CHANNEL_DAYS
from schemas.core import CORE
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS

if TYPE_CHECKING:
    from jobs.runtime.context import Context


def _installed(ctx: "Context") -> Step:
    """Look up where each meter is installed."""
    if not ctx.lake.exists(METERING_POINTS):
        raise DataError("No metering points are loaded yet, so no meter is known: run ingest_metering_points first.")
    points = ctx.lake.read(METERING_POINTS)
    return lambda rows: with_installation(rows, points)


_STEPS = {METER_DAYS.name: (_installed,), CHANNEL_DAYS.name: (_installed,)}

SOURCES: dict[str, Source] = {
    table.name: Source(table, SUITES[table.name], READERS, _STEPS.get(table.name, ())) for table in CORE
}
