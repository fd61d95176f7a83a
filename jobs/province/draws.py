"""Randomness by address: what is drawn depends on what it is for, and on nothing drawn before.

A day written alone must be the same day as in a whole year, and customer 7 the same customer among 10 or a million.
So no stream is ever continued: each draw names its purpose, chunk and date, and starts a generator of its own.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# interval values: 1e-4 kWh as int32, which sums and repeats exactly where floats would not
Dials = npt.NDArray[np.int32]
Objects = npt.NDArray[Any]


def draw(seed: int, purpose: str, *address: int) -> np.random.Generator:
    """A generator of its own for one purpose at one address (chunk, date, …)."""
    text = "|".join((str(seed), purpose, *map(str, address)))
    key = int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))
