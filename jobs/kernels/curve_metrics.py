"""Numbers about a block of curves on which declared rules work: numpy over n days x p intervals, no loop over rows."""

import numpy as np
import numpy.typing as npt

Curves = npt.NDArray[np.float32]

# name, kind: what `curve_metrics` gives, in this order
METRIC_COLUMNS: tuple[tuple[str, str], ...] = (
    ("negative_count", "int"),
    ("max_kwh", "float"),
    ("longest_missing_run", "int"),
    ("longest_zero_run", "int"),
    ("longest_constant_run", "int"),
    ("spike_ratio", "float"),
    ("curve_hash", "int"),
)

# rows handled at once: a block of 96 points stays in a core's cache
BLOCK_ROWS = 8192
# a value is compared with the day's high level, not its highest, and not with less than this (kWh): a small load that
# is switched on once is no spike
_SPIKE_FLOOR_KWH = 0.25


def curve_metrics(kwh: Curves) -> dict[str, npt.NDArray[np.generic]]:
    """Metrics of each row of an n x p matrix of kWh, NaN = missing.

    negative_count: values below zero. max_kwh: highest value (NaN without any). longest_*_run: longest run of missing,
    zero, equal non-zero values. spike_ratio: highest value against the 90 % quantile of the known values, at least
    0.25 kWh (0 without any). curve_hash: equal for equal curves.
    """
    parts = [_block(kwh[start : start + BLOCK_ROWS]) for start in range(0, max(len(kwh), 1), BLOCK_ROWS)]
    return {name: np.concatenate([part[name] for part in parts]) for name, _ in METRIC_COLUMNS}


def _block(kwh: Curves) -> dict[str, npt.NDArray[np.generic]]:
    rows, points = kwh.shape
    missing = np.isnan(kwh)
    known = points - missing.sum(axis=1)
    # sorting puts NaN last: order statistics of the known values by index
    ordered = np.sort(kwh, axis=1)
    row = np.arange(rows)
    highest = ordered[row, np.maximum(known - 1, 0)].astype(np.float64)
    high_level = ordered[row, np.maximum((0.9 * (known - 1)).astype(np.int64), 0)].astype(np.float64)
    ratio = np.where(known > 0, highest / np.maximum(high_level, _SPIKE_FLOOR_KWH), 0.0)
    same = np.zeros(kwh.shape, dtype=bool)
    same[:, 1:] = (kwh[:, 1:] == kwh[:, :-1]) & (kwh[:, 1:] != 0)
    constant = longest_run(same)
    return {
        "negative_count": (kwh < 0).sum(axis=1).astype(np.int64),
        "max_kwh": np.where(known > 0, highest, np.nan),
        "longest_missing_run": longest_run(missing),
        "longest_zero_run": longest_run(kwh == 0),
        "longest_constant_run": np.where(constant > 0, constant + 1, 0),
        "spike_ratio": ratio,
        "curve_hash": _hash(kwh),
    }


def longest_run(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Length of the longest run of True in each row."""
    rows, points = mask.shape
    if not mask.any():
        return np.zeros(rows, dtype=np.int64)
    position = np.arange(1, points + 1, dtype=np.int16)
    last_false = np.maximum.accumulate(np.where(mask, np.int16(0), position), axis=1)
    return (position - last_false).max(axis=1, initial=0).astype(np.int64)


def _hash(kwh: Curves) -> npt.NDArray[np.int64]:
    """FNV-like hash over the bits of the values, NaN all alike, in 64 bits."""
    bits = np.ascontiguousarray(np.where(np.isnan(kwh), np.float32(-1), kwh + np.float32(0))).view(np.uint32)
    weights = np.random.Generator(np.random.Philox(96)).integers(1, 2**63, kwh.shape[1], dtype=np.uint64) | np.uint64(1)
    mixed = (bits.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    return (mixed ^ (mixed >> np.uint64(29))).view(np.int64)
