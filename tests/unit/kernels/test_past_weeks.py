"""Profiles of weeks out of meter days. Energies are dial kWh."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from jobs.kernels.past_weeks import is_working, past_weeks

MONDAY = date(2025, 6, 30)


def day(meter: str, ago: int, kwh: float, minutes: int = 60) -> dict[str, Any]:
    """The day so many days before the Monday, every interval the same."""
    return {
        "meter_id": meter,
        "read_date": MONDAY - timedelta(days=ago),
        "interval_minutes": minutes,
        "kwh": [kwh] * (1440 // minutes),
    }


def profiles(days: list[dict[str, Any]], *weeks: date, zone: str = "Asia/Shanghai") -> list[dict[str, Any]]:
    schema = pa.schema(
        [
            ("meter_id", pa.string()),
            ("read_date", pa.date32()),
            ("interval_minutes", pa.int32()),
            ("kwh", pa.list_(pa.float32())),
            ("temperature_c", pa.float64()),
        ]
    )
    ordered = sorted(days, key=lambda row: (row["meter_id"], row["read_date"]))
    batches = pa.Table.from_pylist(ordered, schema=schema).to_batches(max_chunksize=7)
    made = past_weeks(weeks or (MONDAY,), {}, zone)(iter(batches))
    rows = [row for batch in made for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: (row["meter_id"], row["week_start"]))


def test_a_profile_is_of_the_28_days_before_its_week() -> None:
    inside = [day("m", ago, 1.0) for ago in range(1, 29)]
    (row,) = profiles([*inside, day("m", 29, 9.0), day("m", 0, 9.0)])
    assert (row["week_start"], row["days"], row["highest_kwh"]) == (MONDAY, 28, 1.0)
    assert row["working_kwh"] == row["other_kwh"] == [1.0] * 24
    assert row["daily_kwh"] == 24.0


def test_each_meter_and_week_has_its_own() -> None:
    days = [day(meter, ago, kwh) for meter, kwh in (("a", 1.0), ("b", 2.0)) for ago in range(1, 20)]
    rows = profiles(days, MONDAY - timedelta(days=7), MONDAY)
    assert [(row["meter_id"], row["week_start"].day, row["days"]) for row in rows] == [
        ("a", 23, 12),
        ("a", 30, 19),
        ("b", 23, 12),
        ("b", 30, 19),
    ]
    assert [row["highest_kwh"] for row in rows] == [1.0, 1.0, 2.0, 2.0]


def test_a_meter_has_the_profile_of_the_intervals_it_had_last() -> None:
    days = [day("m", ago, 1.0) for ago in range(11, 29)] + [day("m", ago, 0.25, 15) for ago in range(1, 11)]
    (row,) = profiles(days)
    assert (row["interval_minutes"], row["days"], len(row["working_kwh"])) == (15, 10, 96)


def test_the_date_on_which_the_clock_goes_forward_counts_by_the_clock() -> None:
    spring = date(2025, 3, 30)
    monday = date(2025, 3, 31)
    short = {"meter_id": "m", "read_date": spring, "interval_minutes": 60, "kwh": [1.0] * 23}
    others = [
        {"meter_id": "m", "read_date": spring - timedelta(days=n), "interval_minutes": 60, "kwh": [1.0] * 24}
        for n in range(1, 8)
    ]
    (row,) = profiles([short, *others], monday, zone="Europe/London")
    assert (row["days"], row["other_kwh"]) == (8, [1.0] * 24)


def test_the_calendar_goes_before_the_weekday() -> None:
    holiday = date(2025, 10, 1).toordinal()
    assert is_working(holiday, {})
    assert not is_working(holiday, {holiday: False})
    assert not is_working(date(2025, 6, 29).toordinal(), {})


def test_a_profile_knows_how_warm_its_days_were() -> None:
    rows = [day("a", n, 1.0 if n % 2 else 2.0) | {"temperature_c": 20.0 if n % 2 else 30.0} for n in range(1, 21)]
    warm, other = profiles([*rows, *(day("b", n, 1.0) for n in range(1, 21))])
    assert warm["temperature_c"] == 25.0
    # twice as much at 30 °C as at 20 °C: two thirds of the mean more for ten degrees, drawn towards nothing
    assert 0.04 < warm["per_degree"] < 2 / 30
    assert (other["temperature_c"], other["per_degree"]) == (None, None)
