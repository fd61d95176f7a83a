"""BI tools read the mart: DuckDB, pandas and Spark see the same rows, and no table asks for a newer reader."""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from schemas import TABLES
from tests.province import FIRST_DAY, SECOND_DAY, Site

REPO = Path(__file__).parents[2]
MART = [table for table in TABLES.values() if table.layer == "mart"]


def plain(value: Any) -> Any:
    """A value as Python has it, whichever reader brought it."""
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, list | tuple | np.ndarray):
        held = [plain(one) for one in value]
        # pandas has a map as a list of pairs
        return sorted(map(tuple, held)) if held and isinstance(held[0], list) else held
    if isinstance(value, np.generic):
        value = value.item()
    # pandas has no null in a column of numbers or of instants
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        value = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return value


def ordered(rows: Iterable[Sequence[Any]], key: Sequence[int]) -> list[tuple[Any, ...]]:
    """Rows of plain values in the order of the table's key, which is unique."""
    found = [tuple(plain(value) for value in row) for row in rows]
    places = {tuple(row[n] for n in key) for row in found}
    assert len(places) == len(found)
    return sorted(found, key=lambda row: str([row[n] for n in key]))


@pytest.mark.parametrize("table", MART, ids=lambda table: table.name)
def test_duckdb_pandas_and_spark_read_the_same_rows(province: Site, table) -> None:
    lake = province.context("look", SECOND_DAY).lake
    held = DeltaTable(str(lake.path(table)))
    names = table.column_names
    key = [names.index(name) for name in table.key]

    by_spark = ordered(lake.read(table).select(*names).collect(), key)
    by_pandas = ordered(held.to_pandas()[names].astype(object).itertuples(index=False, name=None), key)
    with duckdb.connect() as connection:
        connection.register("mart_table", held.to_pyarrow_dataset())
        found = connection.execute(f"SELECT {', '.join(names)} FROM mart_table").fetchall()
    by_duckdb = ordered(found, key)

    assert by_spark
    assert by_pandas == by_spark
    assert by_duckdb == by_spark


def test_the_readme_reads_the_current_publication(
    province: Site, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (REPO / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    here = province.copy(tmp_path)
    lake = here.context("look", SECOND_DAY).lake
    scores, publications = TABLES["mart.customer_scores"], TABLES["mart.publications"]
    # the second day's slices are there, and not announced
    lake.delete(publications, f"as_of_date = DATE'{SECOND_DAY}'")
    assert lake.read(scores).where(f"as_of_date = DATE'{SECOND_DAY}'").count() > 0
    example, places = re.subn(r'"\.wattlake/demo/lake/mart"', repr(str(lake.root / "mart")), example)
    example, sessions = re.subn(r"session\.open_session\([^\n]*analyst\"\)", "given", example)
    assert (places, sessions) == (1, 1)

    known: dict[str, Any] = {"given": here.spark}
    exec(compile(example, "README.md", "exec"), known)

    assert known["latest"] == FIRST_DAY
    shown = capsys.readouterr().out
    announced = lake.read(scores).where(f"as_of_date = DATE'{FIRST_DAY}'")
    segments = {row.segment_name: row["count"] for row in announced.groupBy("segment_name").count().collect()}
    for name, count in segments.items():
        assert re.search(rf"{re.escape(name or 'NULL')}\s*│\s*{count}\b", shown), (name, shown)
    assert str(FIRST_DAY) in shown
    assert str(SECOND_DAY) not in shown


@pytest.mark.parametrize("table", MART, ids=lambda table: table.name)
def test_any_delta_reader_can_read_the_mart(province: Site, table) -> None:
    lake = province.context("look", SECOND_DAY).lake
    protocol = DeltaTable(str(lake.path(table))).protocol()
    assert protocol.min_reader_version == 1
    assert not protocol.reader_features


@pytest.mark.parametrize("table", MART, ids=lambda table: table.name)
def test_every_column_of_the_mart_carries_its_meaning(province: Site, table) -> None:
    lake = province.context("look", SECOND_DAY).lake
    fields = {field.name: field for field in DeltaTable(str(lake.path(table))).schema().fields}
    assert list(fields) == table.column_names
    for column in table.columns:
        assert fields[column.name].metadata.get("comment") == column.comment
