"""The columns of meter days which every reader of curves gives: the arrays, their counts, what the rules judge by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.quality_codes import MEASURED, MISSING, NAMES

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]
Kwh = npt.NDArray[np.float64]

# columns added for the rules: name, "int" or "float"
METRIC_COLUMNS = (
    ("negative_count", "int"),
    ("conflict_count", "int"),
    ("surplus_count", "int"),
    ("source_rows", "int"),
)

# far below what a dial shows: without the noise of adding binary fractions
_TOTAL_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Counts:
    """What a reader counted in each row (rows,): `METRIC_COLUMNS` that cannot be seen in the curve."""

    # intervals for which the file holds two values which differ
    conflict_count: Ints
    # values for intervals which the date does not have
    surplus_count: Ints
    # data rows of the file which the row was made from: over a file they add up to its rows
    source_rows: Ints

    @classmethod
    def one_row_each(cls, rows: int) -> "Counts":
        """Of a file with one row a meter day."""
        none = np.zeros(rows, np.int64)
        return cls(none, none, np.ones(rows, np.int64))


def curve_columns(kwh: Kwh, interval_minutes: int, counts: Counts, quality: Codes | None = None) -> dict[str, pa.Array]:
    """interval_minutes, kwh, quality, total_kwh, the three counts and `METRIC_COLUMNS` of meter days of one length.

    kwh: (points, rows), NaN where there is no value; it is changed in place. quality: the same shape, what the source
    says of each value; every value is measured without it. Where there is no value the quality is missing.
    """
    points, rows = kwh.shape
    missing = np.isnan(kwh)
    missing_count = missing.sum(axis=0, dtype=np.int32)
    kwh[missing] = 0.0
    known = np.ascontiguousarray(~missing.T)
    if quality is None:
        estimated_count = np.zeros(rows, np.int32)
        codes = np.where(known, np.int8(MEASURED), np.int8(MISSING))
    else:
        # a value of which the source says that there is none is one all the same
        said = np.where(quality == MISSING, np.int8(MEASURED), quality)
        estimated_count = ((said != MEASURED) & ~missing).sum(axis=0, dtype=np.int32)
        codes = np.where(known, said.T, np.int8(MISSING))
    offsets = pa.array(np.arange(0, points * rows + 1, points, dtype=np.int32))
    values = np.ascontiguousarray(kwh.T, dtype=np.float32)
    return {
        "interval_minutes": pa.array(np.full(rows, interval_minutes, np.int32)),
        "kwh": pa.ListArray.from_arrays(offsets, _array(values, known)),
        "quality": pa.ListArray.from_arrays(offsets, pa.array(codes.ravel())),
        "total_kwh": pa.array(np.round(kwh.sum(axis=0), _TOTAL_DECIMALS), mask=missing_count == points),
        "measured_count": pa.array(points - missing_count - estimated_count),
        "estimated_count": pa.array(estimated_count),
        "missing_count": pa.array(missing_count),
        "negative_count": pa.array((kwh < 0).sum(axis=0, dtype=np.int32)),
        "conflict_count": pa.array(counts.conflict_count),
        "surplus_count": pa.array(counts.surplus_count),
        "source_rows": pa.array(counts.source_rows),
    }


def quality_codes(names: pa.Array) -> Codes:
    """Codes of `NAMES`; what the source says nothing of is measured."""
    distinct = names if isinstance(names, pa.DictionaryArray) else names.dictionary_encode()
    known = np.array([*(NAMES[name] for name in distinct.dictionary.to_pylist()), MEASURED], np.int8)
    return known[distinct.indices.fill_null(len(known) - 1).to_numpy()]


def _array(values: npt.NDArray[np.float32], known: Bools) -> pa.Array:
    """All values one after another, null where not known, without a copy."""
    bits = None if known.all() else pa.py_buffer(np.packbits(known.ravel(), bitorder="little"))
    return pa.Array.from_buffers(pa.float32(), values.size, [bits, pa.py_buffer(values)])
