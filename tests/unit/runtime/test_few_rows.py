"""Jobs on few rows keep them together; large tables are shared out whatever the job expects."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.context import Context
from jobs.runtime.lake import Lake
from schemas.common import STRING
from schemas.table import Column, Table
from tests.province import FIRST_DAY, settings_at

THINGS = Table(
    name="core.things", comment="A thing", key=("id",), columns=(Column("id", STRING, "Its number"),), write="upsert"
)


def test_small_tables_alone_are_read_as_one_partition(spark: SparkSession, tmp_path: Path) -> None:
    few = 3
    lake = Lake(tmp_path, lambda: spark, lambda: few)
    for number in "abc":
        lake.append_new(spark.createDataFrame([(number,)], "id string"), THINGS)
    assert lake.read(THINGS).rdd.getNumPartitions() == 1
    assert sorted(row.id for row in lake.read(THINGS).collect()) == ["a", "b", "c"]
    few = 2
    assert lake.read(THINGS).rdd.getNumPartitions() > 1
    few = 0
    assert lake.read(THINGS).rdd.getNumPartitions() > 1


@pytest.mark.parametrize("usual", ["true", "false"])
def test_few_rows_are_planned_once_and_others_as_the_settings_say(
    spark: SparkSession, tmp_path: Path, usual: str
) -> None:
    settings = settings_at(tmp_path)
    conf = {**settings.spark.conf, "spark.sql.adaptive.enabled": usual}
    settings = settings.model_copy(update={"spark": settings.spark.model_copy(update={"conf": conf})})
    ctx = Context(job="look", date=FIRST_DAY, settings=settings)
    ctx.__dict__["spark"] = spark
    told = ("spark.sql.adaptive.enabled", "spark.sql.codegen.factoryMode")
    before = {name: spark.conf.get(name) for name in told}
    try:
        ctx.expect_rows(10)
        assert [spark.conf.get(name) for name in told] == ["false", "NO_CODEGEN"]
        ctx.expect_rows(None)
        assert [spark.conf.get(name) for name in told] == [usual, "FALLBACK"]
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)
