"""What goes wrong in the province: classes of faults, how often, and how a curve looks with one in it.

The share of a class means: of meter days (values, rows, times); of meters a quarter (what lasts; for multipliers, of
the meters behind transformers); of daily deliveries (files). A fault changes what is delivered, never the truth, and
each one is written to the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from jobs.province.draws import Dials, Ints, draw
from jobs.province.population import CHUNK, Chunk
from jobs.province.profiles import ProvinceError

# written instead of a value; far below any value, so that a curve stays an array of integers
MISSING, TEXT_DASHES, TEXT_NA = (np.iinfo(np.int32).min + n for n in range(1, 4))
VALUE_CLASSES = ("missing_points", "spike", "stuck", "zero_run", "negative", "text_value")
ROW_CLASSES = ("stamp_2400", "duplicated_row", "unknown_meter", "future_row")
TIME_CLASSES = ("late", "missing_day", "correction")
METER_CLASSES = (
    "kw_as_kwh",
    "shifted_clock",
    "identical_curves",
    "swapped_ids",
    "swapped_meter",
    "multiplier_change",
    "wrong_multiplier",
    "roll_over",
)
DELIVERY_CLASSES = ("duplicated_delivery", "truncated_file")
FAULT_CLASSES = (*VALUE_CLASSES, *ROW_CLASSES, *TIME_CLASSES, *METER_CLASSES, *DELIVERY_CLASSES)
DEFAULT_FAULTS: Mapping[str, float] = MappingProxyType(
    {
        "missing_points": 0.01,
        "spike": 0.001,
        "stuck": 0.0008,
        "zero_run": 0.0008,
        "negative": 0.0003,
        "text_value": 0.0003,
        "stamp_2400": 0.0005,
        "duplicated_row": 0.001,
        "unknown_meter": 0.0002,
        "future_row": 0.0001,
        "late": 0.02,
        "missing_day": 0.001,
        "correction": 0.005,
        "kw_as_kwh": 0.002,
        "shifted_clock": 0.002,
        "identical_curves": 0.0015,
        "swapped_ids": 0.0015,
        "swapped_meter": 0.008,
        "multiplier_change": 0.04,
        "wrong_multiplier": 0.04,
        "roll_over": 0.005,
        "duplicated_delivery": 0.03,
        # refuses a whole delivery until it comes again: off unless asked for
        "truncated_file": 0.0,
    }
)


@dataclass(frozen=True)
class RowFault:
    """A fault in one curve: its class, the point, the slots from (inclusive) to (exclusive), and a word of detail."""

    fault: str
    point: int
    slot_from: int
    slot_to: int
    detail: str = ""


def checked_faults(faults: Mapping[str, float] | None) -> dict[str, float]:
    """The shares asked for, 0 for what is not named; the defaults for None. ProvinceError for an unknown class."""
    if faults is None:
        return dict(DEFAULT_FAULTS)
    unknown = sorted(set(faults) - set(FAULT_CLASSES))
    if unknown:
        raise ProvinceError(f"unknown fault class {', '.join(unknown)}; known are {', '.join(FAULT_CLASSES)}")
    wrong = sorted(name for name, share in faults.items() if not 0 <= share <= 1)
    if wrong:
        raise ProvinceError(f"the share of {', '.join(wrong)} must be from 0 to 1")
    return {name: float(faults.get(name, 0.0)) for name in FAULT_CLASSES}


def which(chunk: Chunk, ordinal: int, classes: tuple[str, ...], faults: Mapping[str, float]) -> dict[str, Ints]:
    """Points hit by each class on a date; a point is hit by one of the classes at most."""
    luck = draw(chunk.seed, f"faults_{classes[0]}", chunk.index, ordinal).random(2 * CHUNK)[chunk.point_address]
    hit, low = {}, 0.0
    for name in classes:
        high = low + faults.get(name, 0.0)
        hit[name] = np.flatnonzero((luck >= low) & (luck < high)).astype(np.int64)
        low = high
    return hit


def lags(chunk: Chunk, ordinal: int, share: float, purpose: str) -> Ints:
    """(points,) days by which the row of a date is late: 0 or 1 to 5."""
    luck = draw(chunk.seed, f"{purpose}_lag", chunk.index, ordinal)
    is_late = luck.random(2 * CHUNK) < share
    days = luck.choice(np.array([1, 1, 1, 2, 2, 3, 4, 5]), 2 * CHUNK)
    return np.asarray(np.where(is_late, days, 0)[chunk.point_address], dtype=np.int64)


def spoil(chunk: Chunk, ordinal: int, curves: Dials, faults: Mapping[str, float]) -> list[RowFault]:
    """Put value faults into the curves (points, 96) of a date, in place, and say which."""
    found = []
    for name, points in which(chunk, ordinal, VALUE_CLASSES, faults).items():
        for point in points.tolist():
            # a generator for each point: whether its neighbour exists must not matter
            luck = draw(chunk.seed, name, int(chunk.point_number[point]), ordinal)
            found += [RowFault(name, point, *span) for span in _SPOILERS[name](curves[point], luck)]
    return found


def spoil_for_correction(curve: Dials, luck: np.random.Generator) -> tuple[int, int]:
    """Make a curve wrong as a first delivery which is corrected later: a gap, or values taken over wrongly."""
    first, last = _run(luck, 4, 40)
    if luck.random() < 0.5:
        curve[first:last] = MISSING
    else:
        # the offset makes zeros wrong too
        curve[first:last] = (curve[first:last] * luck.uniform(0.3, 2.5) + 30).astype(np.int32)
    return first, last


def _run(luck: np.random.Generator, shortest: int, longest: int) -> tuple[int, int]:
    length = int(luck.integers(shortest, longest))
    first = int(luck.integers(0, 96 - length))
    return first, first + length


def _missing_points(curve: Dials, luck: np.random.Generator) -> list[tuple[int, int]]:
    spans = [_run(luck, 1, 12) for _ in range(int(luck.integers(1, 3)))]
    for first, last in spans:
        curve[first:last] = MISSING
    return spans


def _spike(curve: Dials, luck: np.random.Generator) -> list[tuple[int, int]]:
    at = int(luck.integers(0, 96))
    curve[at] = int(max(curve.max(), 5000) * luck.uniform(15, 60))
    return [(at, at + 1)]


def _stuck(curve: Dials, luck: np.random.Generator) -> list[tuple[int, int]]:
    first, last = _run(luck, 28, 70)
    curve[first:last] = max(int(curve[first]), 10)
    return [(first, last)]


def _zero_run(curve: Dials, luck: np.random.Generator) -> list[tuple[int, int]]:
    first, last = _run(luck, 28, 70)
    curve[first:last] = 0
    return [(first, last)]


def _negative(curve: Dials, luck: np.random.Generator) -> list[tuple[int, int]]:
    first, last = _run(luck, 1, 4)
    curve[first:last] = -np.maximum(curve[first:last], 10)
    return [(first, last)]


def _text_value(curve: Dials, luck: np.random.Generator) -> list[tuple[int, int]]:
    first, last = _run(luck, 1, 4)
    curve[first:last] = TEXT_DASHES if luck.random() < 0.5 else TEXT_NA
    return [(first, last)]


_SPOILERS = {
    "missing_points": _missing_points,
    "spike": _spike,
    "stuck": _stuck,
    "zero_run": _zero_run,
    "negative": _negative,
    "text_value": _text_value,
}
