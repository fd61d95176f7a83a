"""Which districts are looked at for breaks of level, and which rows may go when a break is not found again."""

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kernels.level_days import LEVEL_DAYS
from jobs.kernels.level_days import level_days as day_of_level
from jobs.transforms.changes import Delivered, Facts, Touched
from jobs.transforms.meter_levels import WINDOW_DAYS, level_days, levels_in_sight, touched_districts, window_dates
from schemas import Table
from schemas.meter_days import METER_DAYS
from schemas.meter_levels import METER_LEVELS
from schemas.metering_points import METERING_POINTS
from schemas.validated_days import VALIDATED_DAYS
from schemas.versions import VERSIONS
from tests.frames import frame, rows_of

DAY = date(2025, 6, 10)
DRAWN = {
    METERING_POINTS.name: """
        point_id | installed_from | installed_to | meter_id | multiplier | point_kind | district_id | customer_key
        own      | 2025-01-01     |              | supply   | 100        | district   | D           |
        home     | 2025-01-01     |              | home     | 1          | customer   | D           | c1
        shop     | 2025-01-01     | 2025-06-11   | shop     | 20         | customer   | D           | c2
        shop     | 2025-06-11     |              | shop     | 40         | customer   | D           | c2
        plant    | 2025-01-01     |              | plant    | 100        | customer   | Z           | c3
        lonely   | 2025-01-01     |              | lonely   | 1          | customer   | N           | c4
        """,
    METER_DAYS.name: """
        meter_id | read_date  | delivery_id
        home     | 2025-06-10 | new
        plant    | 2025-06-10 | old
        """,
    VALIDATED_DAYS.name: """
        meter_id | read_date  | interval_minutes | kwh    | quality | total_kwh | missing_count | estimate_sd_kwh
        home     | 2025-06-10 | 15               | 0.1*96 | 1*96    | 9.6       | 0             | 0
        shop     | 2025-06-10 | 15               | 0.2*96 | 1*96    | 19.2      | 0             | 9
        shop     | 2025-06-11 | 15               | 0.2*96 | 1*96    | 19.2      | 0             | 0
        plant    | 2025-06-10 | 15               | 0.1*96 | 1*96    | 9.6       | 0             | 0
        lonely   | 2025-06-10 | 15               | 0.1*96 | 1*96    | 9.6       | 0             | 0
        supply   | 2025-06-10 | 15               | 0.1*96 | 1*96    | 9.6       | 0             | 0
        """,
}


def facts_of(spark: SparkSession, others: Mapping[str, str] = MappingProxyType({})) -> Facts:
    def read(table: Table) -> DataFrame:
        text = {**DRAWN, **others}.get(table.name)
        return frame(spark, table.struct, text) if text else spark.createDataFrame([], table.struct)

    facts = Facts.of(read, "Asia/Shanghai")
    return Facts(**{**vars(facts), "validated": facts.validated.withColumn("flags", F.array().cast("array<string>"))})


def test_a_district_is_looked_at_when_a_day_of_one_of_its_meters_changed(spark: SparkSession) -> None:
    touched = Touched({"meter_days": Delivered(("new",), (DAY,))})
    assert rows_of(touched_districts(touched, facts_of(spark)), "district_id") == [("D",)]
    every = touched_districts(Touched(everything=True), facts_of(spark))
    assert rows_of(every, "district_id") == [("D",), ("N",), ("Z",)]


def test_both_districts_of_a_meter_that_was_corrected_to_another_one_are_looked_at(spark: SparkSession) -> None:
    moved = Touched({"metering_points": Delivered(("moved",))})
    before = """
        point_id | installed_from | meter_id | district_id | replaced_by
        home     | 2025-01-01     | home     | N           | moved
        """
    held = """
        point_id | installed_from | meter_id | multiplier | point_kind | district_id | customer_key | delivery_id
        home     | 2025-01-01     | home     | 1          | customer   | D           | c1           | moved
        plant    | 2025-01-01     | plant    | 100        | customer   | Z           | c3           | old
        """
    facts = facts_of(spark, {METERING_POINTS.name: held, VERSIONS[METERING_POINTS.name].name: before})
    assert rows_of(touched_districts(moved, facts), "district_id") == [("D",), ("N",)]


def test_days_come_with_the_multiplier_of_their_date_and_unsure_energy_is_unknown(spark: SparkSession) -> None:
    facts = facts_of(spark)
    days = level_days(
        facts, touched_districts(Touched(everything=True), facts), day_of_level(facts.time_zone), LEVEL_DAYS
    )
    told = days.withColumn("day", F.dayofmonth("read_date")).withColumn("hours", F.size("dark_kwh"))
    assert rows_of(told, "meter_id", "day", "multiplier", "daily_kwh", "hours") == [
        ("home", 10, 1.0, 9.6, 6),
        ("plant", 10, 100.0, 9.6, 6),
        ("shop", 10, 20.0, None, 6),
        ("shop", 11, 40.0, 19.2, 6),
    ]


def test_the_window_ends_with_the_last_date_held() -> None:
    dates = window_dates([DAY - timedelta(days=3), DAY])
    assert (len(dates), dates[-1], dates[0]) == (WINDOW_DAYS, DAY, DAY - timedelta(days=WINDOW_DAYS - 1))
    assert window_dates([]) == []


def test_a_break_which_cannot_be_seen_any_more_stays(spark: SparkSession) -> None:
    held = frame(
        spark,
        METER_LEVELS.struct,
        """
        meter_id | since      | district_id
        early    | 2025-04-22 | D
        seen     | 2025-04-23 | D
        other    | 2025-06-01 | Z
        """,
    )
    districts = spark.createDataFrame([("D",)], "district_id string")
    dates = window_dates([DAY])
    assert rows_of(levels_in_sight(held, districts, dates), "meter_id") == [("seen",)]
