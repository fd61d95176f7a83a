"""Numbers of an Arrow column as an array of numpy."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def floats(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Null is NaN."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def ints(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Null is 0."""
    return np.asarray(pc.fill_null(column, 0).to_numpy(zero_copy_only=False), dtype=np.int64)
