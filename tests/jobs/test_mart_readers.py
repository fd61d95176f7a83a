"""BI tools read the mart: DuckDB, pandas and Spark see the same rows, and no table asks for a newer reader."""

import duckdb
import pytest
from deltalake import DeltaTable

from schemas import TABLES
from tests.province import SECOND_DAY, Site

MART = [table for table in TABLES.values() if table.layer == "mart"]


@pytest.mark.parametrize("table", MART, ids=lambda table: table.name)
def test_duckdb_pandas_and_spark_read_the_same(province: Site, table) -> None:
    lake = province.context("look", SECOND_DAY).lake
    held = DeltaTable(str(lake.path(table)))
    by_spark = lake.read(table).count()
    assert len(held.to_pandas()) == by_spark
    dataset = held.to_pyarrow_dataset()
    connection = duckdb.connect()
    connection.register("mart_table", dataset)
    assert connection.execute("SELECT count(*) FROM mart_table").fetchone() == (by_spark,)
    assert by_spark > 0


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
