"""A number for what a curve says, computed for a block of curves at once.

Blocks are (points, rows): a step over the points then works on whole rows of values which lie side by side.
"""

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Kwh = npt.NDArray[np.float64]

# for each point an odd number without a pattern (multiples of the golden ratio in 64 bits)
_GOLDEN = 0x9E3779B97F4A7C15


def curve_hashes(kwh: Kwh, missing: Bools) -> npt.NDArray[np.int64]:
    """Equal for equal curves. kwh (points, rows) is read where not `missing`."""
    hashed = np.zeros(kwh.shape[1], np.uint64)
    for n in range(kwh.shape[0]):
        hashed += _hash(kwh[n], missing[n], n)
    return np.asarray(_mixed(hashed).view(np.int64))


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
