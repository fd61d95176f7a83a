"""Days of whole meters out of batches that end anywhere."""

import pyarrow as pa
import pytest

from jobs.kernels.sorted_meters import whole_meters

METERS = "aaabbbbbcddddddde"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 17, 40])
def test_no_meter_is_in_two_tables_and_no_row_is_lost(size: int) -> None:
    rows = pa.table({"meter_id": list(METERS), "n": range(len(METERS))})
    tables = list(whole_meters(iter(rows.to_batches(max_chunksize=size))))
    assert pa.concat_tables(tables).to_pydict() == rows.to_pydict()
    seen = [set(table.column("meter_id").to_pylist()) for table in tables]
    assert sum(len(meters) for meters in seen) == len(set(METERS))


def test_nothing_gives_nothing() -> None:
    empty = pa.table({"meter_id": pa.array([], pa.string())}).to_batches()
    assert list(whole_meters(iter(empty))) == []
