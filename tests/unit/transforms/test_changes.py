"""Which days new deliveries touch; readings and metering points are told as stories in tests/scenarios."""

from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.transforms.area_loads import area_dates
from jobs.transforms.changes import Delivered, Facts, Touched, customer_dates, touched_by, touched_dates
from schemas import Table
from schemas.customers import CUSTOMERS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.reference import CALENDAR, TARIFFS, WEATHER_HOURS
from schemas.validated_days import VALIDATED_DAYS
from schemas.versions import VERSIONS
from tests.frames import frame

DRAWN = {
    METERING_POINTS.name: """
        point_id | installed_from | installed_to | meter_id | customer_key | prefecture | delivery_id     | point_kind
        p1       | 2024-01-01     |              | m1       | c1           | North      | owner corrected | customer
        p2       | 2024-01-01     | 2025-06-04   | m2       | c2           | South      | end known       |
        p3       | 2024-01-01     |              | m3       |              | North      | kind corrected  | district
        """,
    CUSTOMERS.name: """
        customer_key | valid_from | tariff_code | delivery_id       | usage_class
        c1           | 2024-01-01 | T           | old               |
        c1           | 2025-06-02 | U           | tariff changed    |
        c2           | 2024-01-01 | T           | first tariff      |
        c2           | 2025-06-02 | T           | tariff taken back |
        c1           | 2025-06-03 | U           | phone changed     |
        c2           | 2025-06-03 | T           | class changed     | residential
        """,
    VERSIONS[METERING_POINTS.name].name: """
        point_id | installed_from | meter_id | customer_key | prefecture | received_at | replaced_by     | point_kind
        p1       | 2024-01-01     | m1       | c9           | North      | 2025-05-01  | owner corrected | customer
        p2       | 2024-01-01     | m2       | c2           | South      | 2025-05-01  | end known       |
        p3       | 2024-01-01     | m3       | c3           | North      | 2025-05-01  | kind corrected  | customer
        """,
    VERSIONS[CUSTOMERS.name].name: """
        customer_key | valid_from | tariff_code | received_at | delivery_id | replaced_by
        c2           | 2025-06-02 | U           | 2025-06-02  | wrong       | tariff taken back
        """,
    METER_DAYS.name: """
        meter_id | read_date  | delivery_id
        m1       | 2025-06-01 | d1
        m1       | 2025-06-02 | d2
        m1       | 2025-06-03 | d3
        m2       | 2025-06-01 | d1
        m2       | 2025-06-02 | d2
        m2       | 2025-06-03 | d3
        m3       | 2025-06-03 | d3
        """,
    VALIDATED_DAYS.name: """
        meter_id | read_date
        m1       | 2025-06-01
        m1       | 2025-06-02
        m1       | 2025-06-03
        m2       | 2025-06-01
        m2       | 2025-06-02
        m2       | 2025-06-03
        m3       | 2025-06-03
        """,
    WEATHER_HOURS.name: """
        place | hour_at             | delivery_id
        North | 2025-06-01 15:00:00 | old
        North | 2025-06-01 16:00:00 | w
        """,
    CALENDAR.name: """
        calendar_date | delivery_id
        2025-06-03    | k
        2025-12-31    | k
        """,
    TARIFFS.name: """
        tariff_code | valid_from | line_no | delivery_id
        T           | 2024-01-01 | 1       | old
        T           | 2025-06-03 | 1       | prices
        """,
}


@pytest.fixture(scope="module")
def facts(spark: SparkSession) -> Facts:
    def read(table: Table) -> object:
        return frame(spark, table.struct, DRAWN.get(table.name, table.key[0]))

    return Facts.of(read, "Asia/Shanghai")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("feed", "delivery", "expected"),
    [
        ("customers", "tariff changed", {("c1", 2), ("c1", 3)}),
        ("customers", "phone changed", set()),
        ("customers", "class changed", {("c2", 3)}),
        ("tariffs", "prices", {("c1", 3), ("c2", 3)}),
        # the customer from whom a point was taken away is looked at as well
        ("metering_points", "owner corrected", {("c1", 1), ("c1", 2), ("c1", 3), ("c9", 1), ("c9", 2), ("c9", 3)}),
        # what was taken for a customer's and is the meter of a district
        ("metering_points", "kind corrected", {("c3", 3)}),
        # where only the end of an installation is new, the days before it stay
        ("metering_points", "end known", set()),
        # the same tariff as the one before, and another than was said
        ("customers", "tariff taken back", {("c2", 2), ("c2", 3)}),
        # the first tariff of a customer also holds before it
        ("customers", "first tariff", {("c2", 1), ("c2", 2), ("c2", 3)}),
        # 16:00 UTC is the next local date
        ("weather_hours", "w", {("c1", 2)}),
        # a calendar of dates to come touches nothing
        ("calendar", "k", {("c1", 3), ("c2", 3)}),
    ],
)
def test_master_data_touch_the_days_they_change(
    facts: Facts, feed: str, delivery: str, expected: set[tuple[str, int]]
) -> None:
    touched = Touched({feed: Delivered((delivery,))})
    keys = customer_dates(touched, facts, date(2025, 6, 30))
    assert {(row.customer_key, row.usage_date.day) for row in keys.collect()} == expected
    assert {day.day for day in touched_dates(touched, facts, keys)} >= {day for _, day in expected}


def test_a_delivery_of_readings_touches_the_dates_of_its_rows(facts: Facts) -> None:
    touched = Touched({"meter_days": Delivered(("d2",), (date(2025, 6, 2),))})
    assert [row.load_date.day for row in area_dates(touched, facts).collect()] == [2]


def test_changes_are_sorted_by_feed() -> None:
    class Loaded:
        def __init__(self, feed: str, delivery_id: str, *days: int) -> None:
            self.feed, self.delivery_id = feed, delivery_id
            self.touched_dates = [date(2025, 6, day) for day in days]
            self.cancels = ["x"] if delivery_id == "c" else []

    loaded = [Loaded("meter_days", "b", 2, 1), Loaded("bills", "c"), Loaded("meter_days", "a", 2)]
    touched = touched_by(loaded, everything=False)
    assert touched.of("meter_days") == Delivered(("a", "b"), (date(2025, 6, 1), date(2025, 6, 2)))
    assert touched.of("bills") == Delivered(("c",), (), cancelling=("c",))
    assert touched.takes_away
    assert touched.has("bills", "payments")
    assert not touched.has("payments")


def test_facts_of_some_dates_hold_their_weather_in_any_time_zone(facts: Facts) -> None:
    kept = facts.on([date(2025, 6, 2)])
    assert kept.meter_days.select(F.dayofmonth("read_date")).distinct().collect() == [(2,)]
    assert kept.weather.count() == 2
