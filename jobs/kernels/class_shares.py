"""Profiles of usage classes from those of single meters: the mean shape of a class on each type of day.

Each meter counts the same, whatever it uses. Sums are whole numbers, so that they do not depend on which meters come in
one batch.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.kernels.arrow_numbers import floats, ints
from jobs.kernels.class_profiles import DAY_TYPES, resampled
from jobs.kernels.clock import MINUTES_A_DAY

Floats = npt.NDArray[np.float64]

INTERVAL_MINUTES = 15
# a class of fewer meters would show how single customers live
FEWEST_METERS = 20
# a meter's energy of a day
_UNITS = 1_000_000
_CURVES = ("working_kwh", "other_kwh")

SUMS = pa.schema(
    [
        ("usage_class", pa.string()),
        ("day_type", pa.string()),
        ("start_minute", pa.int32()),
        ("meters", pa.int64()),
        ("units", pa.int64()),
    ]
)


def class_sums(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Sums of the meters of a batch, by class, type of day and interval, from rows of features.meter_profiles.

    A row has usage_class, interval_minutes, daily_kwh (above zero), working_kwh and other_kwh. A meter counts with both
    of its curves; one that lacks an interval does not count.
    """
    for batch in batches:
        minutes = ints(batch.column("interval_minutes"))
        for length in np.unique(minutes):
            rows = batch.take(pa.array(np.flatnonzero(minutes == length)))
            yield from _sums(rows, MINUTES_A_DAY // int(length))


def _sums(rows: pa.RecordBatch, slots: int) -> Iterator[pa.RecordBatch]:
    daily = floats(rows.column("daily_kwh"))
    curves = [floats(rows.column(name).flatten()).reshape(-1, slots).T / daily for name in _CURVES]
    whole = ~np.isnan(np.concatenate(curves)).any(axis=0)
    classes = np.array(rows.column("usage_class").to_pylist())
    for usage_class in np.unique(classes[whole]):
        mine = whole & (classes == usage_class)
        for day_type, curve in zip(DAY_TYPES, curves, strict=True):
            units = np.rint(resampled(curve[:, mine], INTERVAL_MINUTES) * _UNITS).astype(np.int64).sum(axis=1)
            count = len(units)
            columns: list[pa.Array] = [
                pa.array([str(usage_class)] * count),
                pa.array([day_type] * count),
                pa.array(np.arange(count, dtype=np.int32) * INTERVAL_MINUTES),
                pa.array(np.full(count, mine.sum(), np.int64)),
                pa.array(units),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=SUMS)


def class_shares(sums: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Rows of core.class_profiles without valid_from, from all sums; and classes of too few meters, with their number.

    The shares of a day add up to 1.
    """
    units: dict[tuple[str, str], dict[int, int]] = {}
    meters: dict[str, int] = {}
    for row in sums:
        units.setdefault((row["usage_class"], row["day_type"]), {})[row["start_minute"]] = row["units"]
        meters[row["usage_class"]] = row["meters"]
    too_few = {name: count for name, count in sorted(meters.items()) if count < FEWEST_METERS}
    rows = [
        {
            "usage_class": usage_class,
            "day_type": day_type,
            "start_minute": start,
            "interval_minutes": INTERVAL_MINUTES,
            "share": count / sum(by_start.values()),
        }
        for (usage_class, day_type), by_start in sorted(units.items())
        if usage_class not in too_few and any(by_start.values())
        for start, count in sorted(by_start.items())
    ]
    return rows, too_few
