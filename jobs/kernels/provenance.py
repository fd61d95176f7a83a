"""What every row read from a file carries: where it stood, and what of it could not be read."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

UNREADABLE = pa.list_(pa.string())
RAW_VALUES = pa.map_(pa.string(), pa.string())


def provenance(
    name: str, numbers: Ints, unreadable: Mapping[str, Bools], raw: Callable[[Ints], pa.Table]
) -> dict[str, pa.Array]:
    """Columns unreadable, raw_values, source_file, source_row of rows with these numbers in their file.

    `unreadable` tells by source column which rows could not be read in it. `raw` gives the texts as written, in columns
    which are not personal, of the rows at these places: asked for rows with something unreadable only.
    """
    names = [column for column, bad in unreadable.items() if bad.any()]
    flags = np.zeros((len(numbers), len(names)), np.bool_)
    for place, column in enumerate(names):
        flags[:, place] = unreadable[column]
    return {
        "unreadable": _named(names, flags),
        "raw_values": _raw_values(raw, np.asarray(flags.any(axis=1))),
        "source_file": pa.array([name]).take(pa.array(np.zeros(len(numbers), np.int32))),
        "source_row": pa.array(numbers, pa.int64()),
    }


def _named(names: list[str], flags: Bools) -> pa.Array:
    """For each row the names of its flagged columns; an empty list where there is none."""
    _, columns = np.nonzero(flags)
    values = pa.array(names, pa.string()).take(pa.array(columns, pa.int64()))
    return pa.ListArray.from_arrays(_offsets(flags.sum(axis=1)), values)


def _raw_values(raw: Callable[[Ints], pa.Table], wanted: Bools) -> pa.Array:
    rows = np.flatnonzero(wanted)
    if not rows.size:
        return pa.nulls(len(wanted), RAW_VALUES)
    kept = raw(rows)
    width = kept.num_columns
    by_column = pa.concat_arrays([column.combine_chunks() for column in kept.columns])
    by_row = np.arange(width * len(rows)).reshape(width, len(rows)).T.ravel()
    keys = pa.array(kept.column_names).take(pa.array(np.tile(np.arange(width), len(rows))))
    offsets = _offsets(np.where(wanted, width, 0))
    maps = pa.MapArray.from_arrays(offsets, keys, by_column.take(pa.array(by_row)))
    return pa.Array.from_buffers(
        RAW_VALUES, len(wanted), [_bitmap(wanted), maps.buffers()[1]], children=[_entries(maps)]
    )


def _entries(maps: pa.MapArray) -> pa.StructArray:
    fields = [RAW_VALUES.key_field, RAW_VALUES.item_field]
    return pa.StructArray.from_arrays([maps.keys, maps.items], fields=fields)


def _offsets(counts: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), pa.int32())


def _bitmap(flags: Bools) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little").tobytes())
