"""Meter days that come sorted by meter, batch after batch -> the days of whole meters, many meters at a time."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def whole_meters(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows (with meter_id, sorted by it) again, cut so that no meter is in two tables."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        meters = batch.column("meter_id")
        last = meters[batch.num_rows - 1]
        first_of_last = pc.index(meters, last).as_py()
        if first_of_last == 0 and (not held or held[-1].column("meter_id")[-1] == last):
            # all of it belongs to a meter of which more may come
            held.append(batch)
            continue
        held.append(batch.slice(0, first_of_last))
        yield pa.Table.from_batches([part for part in held if part.num_rows])
        held = [batch.slice(first_of_last)]
    if held:
        yield pa.Table.from_batches(held)


def starts_of_meters(table: pa.Table) -> np.ndarray:
    """(meters + 1,) where the rows of each meter begin, and the number of rows."""
    meters = table.column("meter_id").combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    changes = np.flatnonzero(np.diff(meters)) + 1
    return np.concatenate([[0], changes, [table.num_rows]])
