"""Single rows of a table are found in its files as the table reads them, whatever else the files hold."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime import held_rows
from jobs.runtime.lake import Lake
from schemas.meter_days import METER_DAYS
from schemas.table import Table

# as the table was before it had this column
EARLIER = replace(METER_DAYS, columns=tuple(c for c in METER_DAYS.columns if c.name != "flags"))
DAYS = ("2025-06-26", "2025-06-27")


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """Rows of two dates, in files of two releases; one row was deleted and one replaced."""
    held = Lake(tmp_path / "a lake, with signs", lambda: spark)
    held.append_new(_rows(spark, range(40), "d1", 0.5), EARLIER)
    held.create(METER_DAYS)
    held.append_new(_rows(spark, range(40, 60), "d1", 0.5), METER_DAYS)
    # two files of a date with one key: it lives in the second
    held.update(_rows(spark, [7, 41], "d2", 0.75), METER_DAYS)
    held.delete(METER_DAYS, "meter_id = 'M8'")
    return held


def _rows(spark: SparkSession, meters: list[int] | range, delivery: str, kwh: float) -> DataFrame:
    rows = [(f"M{n}", date.fromisoformat(day), [kwh, None, float(n)], delivery) for n in meters for day in DAYS]
    shaped = spark.createDataFrame(rows, "meter_id string, read_date date, kwh array<float>, delivery_id string")
    return shaped.withColumn("received_at", F.expr("timestamp'2025-06-28 01:02:03.123456'")).coalesce(1)


def _found(lake: Lake, table: Table, meters: list[str], day: str) -> list[str]:
    is_sought = F.col("meter_id").isin(meters) & (F.col("read_date") == F.lit(day).cast("date"))
    keys = held_rows.with_file(lake.read(table).where(is_sought)).select(*table.key, held_rows.HELD_FILE)
    rows = held_rows.rows_in_files(keys, table)
    assert rows.columns == list(table.column_names)
    assert rows.schema == table.struct
    found = sorted(map(str, rows.collect()))
    assert found == sorted(map(str, lake.read(table).where(is_sought).collect()))
    return found


def test_rows_are_found_where_they_live_and_deleted_ones_are_not(lake: Lake) -> None:
    assert len(_found(lake, METER_DAYS, ["M7"], DAYS[0])) == 1
    assert "delivery_id='d2'" in _found(lake, METER_DAYS, ["M7"], DAYS[0])[0]
    assert len(_found(lake, METER_DAYS, ["M3", "M7", "M8", "M41", "M55", "M99"], DAYS[1])) == 4
    assert _found(lake, METER_DAYS, ["M8"], DAYS[0]) == []


def test_a_file_of_which_much_is_asked_for_is_read_whole_and_gives_the_same(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    meters = [f"M{n}" for n in range(0, 60, 2)]
    few = _found(lake, METER_DAYS, meters, DAYS[0])
    monkeypatch.setattr(held_rows, "_FEW", 3)
    assert _found(lake, METER_DAYS, meters, DAYS[0]) == few
    assert len(few) == 29


def test_a_key_of_several_columns_is_looked_for_by_all_of_them(spark: SparkSession, tmp_path: Path) -> None:
    table = replace(METER_DAYS, name="core.parts", key=("read_date", "meter_id", "delivery_id"))
    lake = Lake(tmp_path, lambda: spark)
    lake.append_new(
        _rows(spark, range(3), "d1", 0.5).unionByName(_rows(spark, range(3), "d2", 0.75)).coalesce(1), table
    )
    lake.delete(table, "meter_id = 'M1' AND delivery_id = 'd1'")
    keys = held_rows.with_file(lake.read(table).where("meter_id = 'M1'")).select(*table.key, held_rows.HELD_FILE)
    assert {row.delivery_id for row in held_rows.rows_in_files(keys, table).collect()} == {"d2"}
