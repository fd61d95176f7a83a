"""Any order, repetition and grouping of readings, corrections and cancellations ends in the same core and features.

The features are made after some of the deliveries and at the end. One of the corrections changes the past from which
a gap of another date is estimated, the registers decide to what its estimate adds up, a date of which nothing was sent
is estimated by its weather, which is corrected as well, and master data is corrected backwards. An order takes minutes:
they are tried where `ORDERS_TRIED` says how many.
"""

import os
import shutil
from collections.abc import Sequence

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from schemas.features import CUSTOMER_DAYS
from schemas.meter_days import METER_DAYS
from schemas.validated_days import VALIDATED_DAYS
from tests.jobs.deliveries import CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.jobs.orders import assert_all_rows_accounted_for, orders_tried
from tests.province import FIRST_DAY, VALIDATE, Site

EXAMPLES = int(os.environ.get("ORDERS_TRIED", "0"))

DAY = "2025-06-24"
GAPPED = {f"p{hour:02d}{minute:02d}": "" for hour in (9, 10, 11) for minute in (0, 15, 30, 45)}
WARM_DAY = "2025-06-25"
REGISTER_HEADER = "电表编号,数据日期,总示值,尖示值,峰示值,平示值,谷示值"
WEATHER_HEADER = "地市,时间,气温(℃),湿度(%),降水(mm),风速(m/s)"


def _weather(celsius: dict[int, int]) -> tuple[str, ...]:
    """Rows of two hours of each of these days of June."""
    return tuple(f"市一,2025-06-{day} {hour}:00:00,{value},,," for day, value in celsius.items() for hour in (10, 14))


# feed, hour received, cancelled deliveries, rows
STEPS: dict[str, tuple[str, int, tuple[str, ...], tuple[str, ...]]] = {
    "past": ("meter_days", 1, (), tuple(curve(day=f"2025-06-{n}") for n in range(10, 21))),
    "gapped": (
        "meter_days",
        2,
        (),
        (curve(day=DAY, **GAPPED), curve(day=DAY, meter="M2", value="0.5"), curve(day=WARM_DAY, meter="M2")),
    ),
    "wrong": ("meter_days", 3, (), (curve(day=DAY, value="0.75"), curve(day=DAY, meter="M2", p0015="x"))),
    "past corrected": ("meter_days", 4, (), (curve(day="2025-06-18", value="0.5"), curve(day="2025-06-19", p1000="2"))),
    "cancelled": ("meter_days", 5, ("wrong",), ()),
    "registers": (
        "register_readings",
        6,
        (),
        ("M1,2025-06-23,1000,,,,", "M1,2025-06-24,1026.5,,,,", "M2,2025-06-23,500,,,,"),
    ),
    "weather": ("weather_hours", 2, (), _weather({**dict.fromkeys(range(10, 26), 20), 18: 25, 19: 24, 25: 26})),
    "weather corrected": ("weather_hours", 4, (), _weather({25: 28})),
    "multiplier": ("metering_points", 7, (), (POINT.replace(",M1,1,", ",M1,10,"),)),
}
FIRST = {
    "points": ("metering_points", 0, (), (POINT, POINT.replace("P1", "P2").replace("0001,M1", "0002,M2"))),
}
HEADERS = {
    "meter_days": CURVE_HEADER,
    "register_readings": REGISTER_HEADER,
    "metering_points": POINT_HEADER,
    "weather_hours": WEATHER_HEADER,
}


class _Story:
    def __init__(self, site: Site) -> None:
        self.site = site

    def land(self, name: str) -> str:
        feed, hour, cancels, rows = (FIRST | STEPS)[name]
        deliver(
            self.site.home / "landing",
            feed,
            {"f.csv": text(HEADERS[feed], *rows)} if rows else {},
            delivery_id=name.replace(" ", "-"),
            received_at=f"2025-06-28T{hour:02d}:00:00+08:00",
            cancels=cancels,
        )
        return feed

    def build(self) -> None:
        for job in (*VALIDATE, "build_customer_days"):
            self.site.run(job)

    def tell(self, steps: Sequence[str], builds_after: Sequence[bool]) -> None:
        """Take the steps; what is landed is ingested where features are made after it, and at the end."""
        landed = {self.land("points")}
        self.site.run("ingest_metering_points")
        for step, is_build in zip(steps, builds_after, strict=True):
            landed.add(self.land(step))
            if is_build:
                self._ingest(landed)
                self.build()
                landed = set()
        self._ingest(landed)
        self.build()

    def _ingest(self, feeds: set[str]) -> None:
        for feed in sorted(feeds):
            self.site.run(f"ingest_{feed}")

    def tables(self) -> dict[str, tuple[int, int]]:
        return self.site.fingerprints("core", "quarantine", "features")

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        lake = self.site.context("look", FIRST_DAY).lake
        looked_at = {
            METER_DAYS: ("meter_id", "delivery_id", "total_kwh"),
            VALIDATED_DAYS: ("meter_id", "total_kwh", "measured_count", "estimated_count", "flags"),
            CUSTOMER_DAYS: ("kwh", "register_kwh", "sum_check"),
        }
        found = {}
        for table, names in looked_at.items():
            date = "usage_date" if table is CUSTOMER_DAYS else "read_date"
            rows = lake.read(table).where(f"{date} = DATE'{DAY}'").select(*names).collect()
            found[table.name] = sorted((tuple(row) for row in rows), key=str)
        return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> _Story:
    """In the order in which things were received, with features made twice."""
    story = _Story(Site(tmp_path_factory.mktemp("expected"), spark))
    story.tell(list(STEPS), [name == "wrong" for name in STEPS])
    return story


def test_the_expected_tables_are_those_a_person_would_work_out(expected: _Story) -> None:
    found = expected.rows()
    assert found["core.meter_days"] == [("M1", "gapped", pytest.approx(21.0)), ("M2", "gapped", pytest.approx(48.0))]
    # the registers moved by 26.5 kWh, and the multiplier is 10
    assert found["features.validated_days"] == [
        ("M1", pytest.approx(26.5, abs=0.001), 84, 12, ["MD-08"]),
        ("M2", pytest.approx(48.0), 96, 0, []),
    ]
    lake = expected.site.context("look", FIRST_DAY).lake
    silent = lake.read(VALIDATED_DAYS).where(f"read_date = DATE'{WARM_DAY}' AND meter_id = 'M1'").collect()
    # of the past the warmest days were the highest, and this one was warmer still: more than its mean of 26.3 kWh
    assert [row.estimated_count for row in silent] == [96]
    assert 27 < silent[0].total_kwh < 40
    by_energy = sorted((row[0], row[2]) for row in found["features.customer_days"])
    assert by_energy == [(pytest.approx(48.0), "not_checked"), (pytest.approx(265.0, abs=0.01), "ok")]


@pytest.mark.skipif(not EXAMPLES, reason="an order takes minutes: set ORDERS_TRIED")
@orders_tried(max(1, EXAMPLES))
@given(data=st.data())
def test_any_order_ends_in_the_same_core_and_features(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, expected: _Story
) -> None:
    again = data.draw(st.lists(st.sampled_from(tuple(STEPS)), max_size=2))
    every = [*STEPS, *again]
    # the simplest permutation is the order in which they were received, so the simplest is not taken
    steps = data.draw(st.permutations(every).filter(lambda order: order != every))
    last_build = data.draw(st.integers(1, len(steps) - 1))
    note(f"{steps}, features made after {steps[last_build - 1]}")
    home = tmp_path_factory.mktemp("story")
    # of another key customers have other pseudonyms
    shutil.copytree(expected.site.home / "secrets", home / "secrets")
    story = _Story(Site(home, spark))
    story.tell(steps, [n == last_build for n in range(1, len(steps) + 1)])
    assert story.tables() == expected.tables()
    assert_all_rows_accounted_for(story.site)
    shutil.rmtree(home)
