"""A day beside the dates around it. Dial kWh."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels.days_around import days_around, dial_moved

FIRST = date(2025, 6, 1)
SCHEMA = pa.schema(
    [
        ("meter_id", pa.string()),
        ("read_date", pa.date32()),
        ("is_made", pa.bool_()),
        ("kwh", pa.list_(pa.float32())),
        ("total_kwh", pa.float64()),
        ("missing_count", pa.int32()),
        *((f"dial_{code}_kwh", pa.float64()) for code in ("total", "sharp", "peak", "flat", "valley")),
        ("stated_kwh", pa.float64()),
        ("dial_received_at", pa.timestamp("us", "UTC")),
    ]
)


def around(*rows: dict[str, Any], size: int = 100) -> dict[tuple[str, int], dict[str, Any]]:
    """Days by meter and day of the month; they are made unless they say otherwise. Dates beside them are filled in."""
    told = {(row.get("meter_id", "m"), row["day"]): {"is_made": True, **row} for row in rows}
    beside = {(meter, day + n) for (meter, day), row in told.items() if row["is_made"] for n in (-2, -1, 1)}
    made = days_around(iter(_table({**{key: {} for key in beside}, **told}).to_batches(max_chunksize=size)))
    found = [row for batch in made for row in batch.to_pylist()]
    return {(row["meter_id"], row["read_date"].day): row for row in found}


def _table(told: dict[tuple[str, int], dict[str, Any]]) -> pa.Table:
    """In the order of meters and dates."""
    rows = [
        {**row, "meter_id": meter, "read_date": FIRST + timedelta(day - 1)}
        for (meter, day), row in sorted(told.items(), key=lambda one: one[0])
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def test_a_date_torn_from_those_beside_it_is_an_error_and_not_a_day_without_registers() -> None:
    torn = {("m", day): {"is_made": day == 3, "dial_total_kwh": 100.0 + day} for day in (1, 3, 4)}
    with pytest.raises(ValueError, match="in another partition"):
        list(days_around(iter(_table(torn).to_batches())))


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_energy_of_a_date_lies_between_two_readings_of_its_meter(size: int) -> None:
    days = around(
        {"meter_id": "a", "day": 1, "dial_total_kwh": 100.0, "dial_peak_kwh": 50.0},
        {"meter_id": "a", "day": 2, "dial_total_kwh": 124.5, "dial_peak_kwh": 57.0},
        {"meter_id": "a", "day": 4, "dial_total_kwh": 150.0},
        {"meter_id": "b", "day": 2, "dial_total_kwh": 130.0, "stated_kwh": 25.0},
        {"meter_id": "b", "day": 3, "dial_total_kwh": 131.0},
        size=size,
    )
    energies = {key: row["register_kwh"] for key, row in days.items()}
    assert energies == {("a", 1): None, ("a", 2): 24.5, ("a", 4): None, ("b", 2): 25.0, ("b", 3): 1.0}
    assert days["a", 2]["register_peak_kwh"] == 7.0
    assert [days["a", 2][f"dial_{at}_kwh"] for at in ("before_last", "before", "after", "after_next")] == [
        None, 100.0, 124.5, None,
    ]  # fmt: skip
    assert days["a", 4]["dial_before_last_kwh"] == 124.5


def test_only_complete_curves_say_what_a_neighbouring_day_used() -> None:
    days = around(
        {"day": 1, "is_made": None, "kwh": [1.0, 2.0], "total_kwh": 3.0, "missing_count": 0},
        {"day": 2, "kwh": [4.0, None], "total_kwh": 4.0, "missing_count": 1},
        {"day": 3, "kwh": [5.0, 6.0], "total_kwh": 11.0, "missing_count": 0},
        {"day": 4, "kwh": None},
    )
    assert set(days) == {("m", 2), ("m", 3), ("m", 4)}
    assert (days["m", 2]["day_before_kwh"], days["m", 2]["day_after_kwh"]) == (3.0, 11.0)
    assert (days["m", 3]["day_before_kwh"], days["m", 3]["day_after_kwh"]) == (None, None)
    assert (days["m", 2]["edge_before_kwh"], days["m", 2]["edge_after_kwh"]) == (2.0, 5.0)
    # the last interval of the second is not known
    assert (days["m", 3]["edge_before_kwh"], days["m", 3]["edge_after_kwh"]) == (None, None)
    assert days["m", 4]["edge_before_kwh"] == 6.0


def test_a_day_is_known_when_the_later_of_its_readings_is() -> None:
    early, late = datetime(2025, 6, 3, tzinfo=UTC), datetime(2025, 6, 9, tzinfo=UTC)
    days = around(
        {"day": 1, "dial_total_kwh": 1.0, "dial_received_at": late},
        {"day": 2, "dial_total_kwh": 2.0, "dial_received_at": early},
        {"day": 3, "dial_total_kwh": 3.0, "dial_received_at": early},
        {"day": 5},
    )
    assert [row["register_received_at"] for row in days.values()] == [late, late, early, None]


def test_a_dial_rolls_over_from_its_top_into_its_beginning_only() -> None:
    before = np.array([999990.0, 9999.5, 500000.0, 999990.0, 95.0, 10.0, np.nan])
    after = np.array([14.0, 0.5, 14.0, 400000.0, 3.0, 12.0, 5.0])
    moved = dial_moved(before, after)
    np.testing.assert_allclose(moved, [24.0, 1.0, np.nan, np.nan, np.nan, 2.0, np.nan])
    days = around({"day": 1, "dial_total_kwh": 999990.0}, {"day": 2, "dial_total_kwh": 14.0})
    assert [row["is_rolled_over"] for row in days.values()] == [False, True]
