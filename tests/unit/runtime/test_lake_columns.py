"""A table made by an earlier release, which does not have a column that is declared now."""

from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.runtime.lake import Lake
from schemas.common import STRING
from schemas.table import Column, Table

BEFORE = Table(
    name="core.things", comment="A thing", key=("id",), columns=(Column("id", STRING, "Its number"),), write="upsert"
)
NOW = replace(BEFORE, columns=(*BEFORE.columns, Column("kind", STRING, "What it is: new, old")))


def test_a_column_declared_since_is_null_when_read_and_there_once_written(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(tmp_path, lambda: spark)
    lake.append_new(spark.createDataFrame([("a",)], "id string"), BEFORE)
    assert lake.read(NOW).collect() == [("a", None)]
    lake.merge(spark.createDataFrame([("b", "new")], "id string, kind string"), NOW)
    assert sorted(tuple(row) for row in lake.read(NOW).collect()) == [("a", None), ("b", "new")]
    described = spark.sql(f"DESCRIBE delta.`{lake.path(NOW)}`").where("col_name = 'kind'")
    assert [row.comment for row in described.collect()] == ["What it is: new, old"]
