"""Validated meter days -> what the search for breaks of level needs of them: the day's energy and the dark hours."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.arrow_numbers import floats
from jobs.kernels.hourly_energy import hourly_energy

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Floats = npt.NDArray[np.float64]

# clock hours in which no roof feeds in at any time of the year, as long as the clock is near the sun's
DARK_HOURS: Sequence[int] = (21, 22, 23, 0, 1, 2)
# a day whose energy is less sure than that says nothing of the level
_MOST_UNSURE = 0.05

LEVEL_DAYS = pa.schema(
    [
        ("district_id", pa.string()),
        ("meter_id", pa.string()),
        ("read_date", pa.date32()),
        ("multiplier", pa.float64()),
        # dial kWh; null where not complete, doubted, or too much of it is estimated
        ("daily_kwh", pa.float64()),
        # dial kWh of each of the dark hours; null where unknown
        ("dark_kwh", pa.list_(pa.float64())),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)


def level_days(time_zone: str) -> Batches:
    """A function from batches of validated meter days, with district_id and multiplier, to `LEVEL_DAYS`."""

    def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield _looked_at(batch, time_zone)

    return look


def _looked_at(batch: pa.RecordBatch, time_zone: str) -> pa.RecordBatch:
    energy = hourly_energy(batch, time_zone)
    total, unsure = floats(batch.column("total_kwh")), np.nan_to_num(floats(batch.column("estimate_sd_kwh")))
    missing = pc.fill_null(batch.column("missing_count"), 1).to_numpy(zero_copy_only=False)
    whole = (missing == 0) & ~energy.is_doubted & (unsure <= _MOST_UNSURE * np.nan_to_num(total))
    dark = energy.kwh[:, list(DARK_HOURS)]
    offsets = pa.array(np.arange(len(dark) + 1, dtype=np.int32) * dark.shape[1])
    made = {
        "daily_kwh": pa.array(total, mask=~whole | np.isnan(total)),
        "dark_kwh": pa.ListArray.from_arrays(offsets, pa.array(dark.ravel(), mask=np.isnan(dark).ravel())),
    }
    arrays = [made[f.name] if f.name in made else batch.column(f.name).cast(f.type) for f in LEVEL_DAYS]
    return pa.RecordBatch.from_arrays(arrays, schema=LEVEL_DAYS)
