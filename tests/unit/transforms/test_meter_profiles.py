"""Which profiles new deliveries touch, and which temperatures they are made with."""

from datetime import date, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.kernels.past_weeks import past_weeks
from jobs.transforms.changes import Delivered, Facts, Touched
from jobs.transforms.meter_profiles import dates_told, meter_profiles, meters_moved
from jobs.transforms.validated_days import dates_resting_on
from schemas import Table
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.reference import CALENDAR, WEATHER_HOURS
from schemas.versions import VERSIONS
from tests.frames import frame

MONDAY = date(2025, 6, 30)
POINTS = """
    point_id | installed_from | meter_id | prefecture | delivery_id
    p1       | 2024-01-01     | m1       | North      | corrected
    p2       | 2024-01-01     | m2       | South      | swapped
    p2       | 2025-06-01     | m3       | South      | swapped
    p4       | 2024-01-01     | m4       | South      | came back
    p5       | 2024-01-01     | m5       | South      | other
    """
# m6 was taken away, m4 too, and came again
BEFORE = """
    point_id | installed_from | meter_id | prefecture | delivery_id | replaced_by
    p1       | 2024-01-01     | m1       | South      | first       | corrected
    p2       | 2024-01-01     | m2       | South      | first       | swapped
    p4       | 2024-01-01     | m4       | South      | first       | cancelling
    p6       | 2024-01-01     | m6       | North      | first       | cancelling
    """


def facts(spark: SparkSession, **drawn: str) -> Facts:
    def read(table: Table) -> DataFrame:
        return frame(spark, table.struct, drawn.get(table.name, table.key[0]))

    return Facts.of(read, "Asia/Shanghai")


@pytest.mark.parametrize(
    ("delivery", "moved"),
    [("corrected", {"m1"}), ("swapped", set()), ("came back", {"m4"}), ("cancelling", {"m4", "m6"}), ("other", set())],
)
def test_a_meter_has_moved_when_its_prefecture_is_another_or_was_taken_away(
    spark: SparkSession, delivery: str, moved: set[str]
) -> None:
    drawn = {METERING_POINTS.name: POINTS, VERSIONS[METERING_POINTS.name].name: BEFORE}
    touched = Touched({"metering_points": Delivered((delivery,))})
    found = meters_moved(touched, facts(spark, **drawn)).collect()
    assert {row.meter_id for row in found} == moved


def test_dates_of_new_weather_and_of_a_new_calendar_are_told_up_to_the_run(spark: SparkSession) -> None:
    drawn = {
        WEATHER_HOURS.name: """
            place | hour_at             | delivery_id
            North | 2025-06-01 15:00:00 | old
            North | 2025-06-01 16:00:00 | w
            South | 2025-06-02 03:00:00 | w
            """,
        CALENDAR.name: """
            calendar_date | delivery_id
            2025-06-03    | k
            2025-12-31    | k
            """,
    }
    known = facts(spark, **drawn)
    of_weather, of_both = (
        {"weather_hours": Delivered(("w",))},
        {"weather_hours": Delivered(("w",)), "calendar": Delivered(("k",))},
    )
    assert dates_told(Touched(of_weather), known, MONDAY) == [date(2025, 6, 2)]
    assert dates_told(Touched(of_both), known, MONDAY) == [date(2025, 6, 2), date(2025, 6, 3)]
    assert dates_told(Touched({}), known, MONDAY) == []


def test_what_rests_on_a_date_is_itself_and_the_four_weeks_after_its_own() -> None:
    # a Wednesday
    resting = dates_resting_on([date(2025, 6, 4)])
    assert resting == {date(2025, 6, 4), *(date(2025, 6, 9) + timedelta(days=n) for n in range(28))}
    assert dates_resting_on([]) == set()


def test_a_profile_is_made_with_the_temperatures_of_the_prefecture_where_the_meter_was_last(
    spark: SparkSession,
) -> None:
    dates = [MONDAY - timedelta(days=n) for n in range(1, 13)]
    curves = "\n".join(f"{meter} | {day} | 60 | {1 + day.day % 2}*24" for meter in ("m1", "m2") for day in dates)
    # noon of Shanghai; the north is warm on odd days, the south always alike
    hours = "\n".join(
        f"{place} | {day} 04:00:00 | {20 + warmer * (day.day % 2)}"
        for place, warmer in (("North", 10), ("South", 0))
        for day in dates
    )
    drawn = {
        METER_DAYS.name: f"meter_id | read_date | interval_minutes | kwh\n{curves}",
        WEATHER_HOURS.name: f"place | hour_at | temperature_c\n{hours}",
        METERING_POINTS.name: """
            point_id | installed_from | meter_id | prefecture
            p0       | 2023-01-01     | m1       | South
            p1       | 2024-01-01     | m1       | North
            p2       | 2024-01-01     | m2       | South
            """,
    }
    profile = past_weeks([MONDAY], {}, "Asia/Shanghai")
    rows = meter_profiles(facts(spark, **drawn), None, [MONDAY], profile).collect()
    answers = {row.meter_id: (row.temperature_c, row.per_degree) for row in rows}
    assert answers["m1"][0] == 25.0
    assert answers["m1"][1] > 0.02
    assert answers["m2"] == (20.0, 0.0)
