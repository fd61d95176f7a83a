"""What goes wrong in the province: classes of faults, how often, and which curves they hit on a date.

The share of a class means: of meter days (values, rows, times, registers); of meters a quarter (what lasts; for
multipliers, of the meters behind transformers; for `not_installed`, of the meters exchanged; for `theft`, of the main
meters in public districts); of daily deliveries (files). A fault changes what is delivered, never the truth, and each
one is written to the ledger. `docs/faults.md` says of each class what it changes and how it can be seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from jobs.province.draws import Ints, draw
from jobs.province.population import CHUNK, Chunk
from jobs.province.profiles import ProvinceError

# written instead of a value; far below any value, so that a curve stays an array of integers
MISSING, TEXT_DASHES, TEXT_NA = (np.iinfo(np.int32).min + n for n in range(1, 4))
VALUE_CLASSES = (
    "missing_points",
    "spike",
    "stuck",
    "zero_run",
    "negative",
    "text_value",
    "above_capacity",
    "sum_gap",
)
ROW_CLASSES = ("stamp_2400", "duplicated_row", "unknown_meter", "future_row", "conflicting_row")
TIME_CLASSES = ("late", "missing_day", "correction")
REGISTER_CLASSES = ("register_backwards", "register_jump")
METER_CLASSES = (
    "kw_as_kwh",
    "shifted_clock",
    "identical_curves",
    "swapped_ids",
    "swapped_meter",
    "multiplier_change",
    "wrong_multiplier",
    "roll_over",
    "wrong_interval_count",
    "not_installed",
    "theft",
)
DELIVERY_CLASSES = ("duplicated_delivery", "truncated_file")
FAULT_CLASSES = (
    *VALUE_CLASSES,
    *ROW_CLASSES,
    *TIME_CLASSES,
    *REGISTER_CLASSES,
    *METER_CLASSES,
    *DELIVERY_CLASSES,
)
DEFAULT_FAULTS: Mapping[str, float] = MappingProxyType(
    {
        "missing_points": 0.01,
        "spike": 0.001,
        "stuck": 0.0008,
        "zero_run": 0.0008,
        "negative": 0.0003,
        "text_value": 0.0003,
        "above_capacity": 0.0003,
        "sum_gap": 0.0005,
        "stamp_2400": 0.0005,
        "duplicated_row": 0.001,
        "unknown_meter": 0.0002,
        "future_row": 0.0001,
        "conflicting_row": 0.0003,
        "late": 0.02,
        "missing_day": 0.001,
        "correction": 0.005,
        "register_backwards": 0.0002,
        "register_jump": 0.0002,
        "kw_as_kwh": 0.002,
        "shifted_clock": 0.002,
        "identical_curves": 0.0015,
        "swapped_ids": 0.0015,
        "swapped_meter": 0.008,
        "multiplier_change": 0.04,
        "wrong_multiplier": 0.04,
        "roll_over": 0.005,
        "wrong_interval_count": 0.001,
        "not_installed": 0.15,
        "theft": 0.001,
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
