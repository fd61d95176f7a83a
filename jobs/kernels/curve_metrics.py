"""What the rules judge a curve by, computed for a block of curves at once.

Blocks are (points, rows): a step over the points then works on whole rows of values which lie side by side.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools = npt.NDArray[np.bool_]
Kwh = npt.NDArray[np.float64]

# name, "int" or "float"
COLUMNS = (
    ("negative_count", "int"),
    ("max_kwh", "float"),
    ("min_kwh", "float"),
    ("longest_missing_run", "int"),
    ("longest_zero_run", "int"),
    ("longest_constant_run", "int"),
    ("spike_ratio", "float"),
    ("curve_hash", "int"),
)

# for each point an odd number without a pattern (multiples of the golden ratio in 64 bits)
_GOLDEN = 0x9E3779B97F4A7C15


def metrics(kwh: Kwh, missing: Bools, missing_count: npt.NDArray[np.int32]) -> dict[str, pa.Array]:
    """`COLUMNS` of the curves `kwh` (points, rows), 0.0 where `missing`; null where a day has nothing to say.

    Runs are counted in intervals. longest_constant_run is of equal values other than zero. spike_ratio is the largest
    value over the second largest, null without a second one above zero: 1 on a day with a plateau, large only where a
    single interval stands alone. curve_hash is equal for equal curves.
    """
    points, rows = kwh.shape
    nothing = missing_count == points
    top, second, low = np.full(rows, -np.inf), np.full(rows, -np.inf), np.full(rows, np.inf)
    negative = np.zeros(rows, np.int32)
    runs = {name: _Run(rows) for name in ("missing", "zero", "constant")}
    hashed = np.zeros(rows, np.uint64)
    before = np.zeros(rows)
    for n in range(points):
        value, gap = kwh[n], missing[n]
        known = ~gap
        shown = np.where(gap, -np.inf, value)
        np.maximum(second, np.minimum(top, shown), out=second)
        np.maximum(top, shown, out=top)
        np.minimum(low, np.where(gap, np.inf, value), out=low)
        is_zero = known & (value == 0)
        negative += value < 0
        runs["missing"].add(gap)
        runs["zero"].add(is_zero)
        # a gap is written as zero and so equals no value other than zero
        runs["constant"].add(known & ~is_zero & (value == before))
        hashed += _hash(value, gap, n)
        before = value
    has_value = ~nothing
    longest_constant = runs["constant"].longest
    longest_constant = np.where((longest_constant > 0) | ((top > 0) | (low < 0)) & has_value, longest_constant + 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = top / second
    return {
        "negative_count": pa.array(negative),
        "max_kwh": pa.array(top, mask=nothing),
        "min_kwh": pa.array(low, mask=nothing),
        "longest_missing_run": pa.array(runs["missing"].longest.astype(np.int32)),
        "longest_zero_run": pa.array(runs["zero"].longest.astype(np.int32)),
        "longest_constant_run": pa.array(longest_constant.astype(np.int32)),
        "spike_ratio": pa.array(ratio, mask=~(second > 0)),
        "curve_hash": pa.array(_mixed(hashed).view(np.int64)),
    }


def curve_hashes(kwh: Kwh, missing: Bools) -> npt.NDArray[np.int64]:
    """curve_hash alone, of curves (points, rows)."""
    hashed = np.zeros(kwh.shape[1], np.uint64)
    for n in range(kwh.shape[0]):
        hashed += _hash(kwh[n], missing[n], n)
    return np.asarray(_mixed(hashed).view(np.int64))


class _Run:
    """The longest run of rows of flags which come one after another."""

    def __init__(self, rows: int) -> None:
        self._now, self.longest = np.zeros(rows, np.int16), np.zeros(rows, np.int16)

    def add(self, flags: Bools) -> None:
        self._now += 1
        self._now *= flags
        np.maximum(self.longest, self._now, out=self.longest)


def _hash(value: Kwh, gap: Bools, place: int) -> npt.NDArray[np.uint64]:
    """A number for the value at its place: those of a curve are added up."""
    # as stored, with one zero and one gap
    bits = (value.astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64)
    bits[gap] = 0xFFFFFFFF
    return _mixed(bits + np.uint64(_GOLDEN * (place + 1) % 2**64))


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """All bits depend on all bits (the finaliser of MurmurHash3)."""
    mixed = bits ^ (bits >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed
