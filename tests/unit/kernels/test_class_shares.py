"""The shape of a class from its meters: each counts the same, and no order of them matters."""

from typing import Any

import pyarrow as pa
import pytest

from jobs.kernels.class_shares import FEWEST_METERS, SUMS, class_shares, class_sums

SCHEMA = pa.schema(
    [
        ("usage_class", pa.string()),
        ("interval_minutes", pa.int32()),
        ("daily_kwh", pa.float64()),
        *((name, pa.list_(pa.float32())) for name in ("working_kwh", "other_kwh")),
    ]
)
NIGHT, DAY = [2.0] * 8 + [0.5] * 16, [0.25] * 8 + [1.375] * 16


def meter(
    curve: list[float], level: float = 1.0, minutes: int = 60, usage_class: str = "residential"
) -> dict[str, Any]:
    """With its curve on working days, and an even one on the others."""
    parts = 60 // minutes
    working = [level * value / parts for value in curve for _ in range(parts)]
    daily = sum(working)
    return {
        "usage_class": usage_class,
        "interval_minutes": minutes,
        "daily_kwh": daily,
        "working_kwh": working,
        "other_kwh": [daily / len(working)] * len(working),
    }


def summed(*batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    drawn = (pa.Table.from_pylist(rows, schema=SCHEMA).combine_chunks().to_batches()[0] for rows in batches)
    totals: dict[tuple[str, str, int], dict[str, Any]] = {}
    for batch in class_sums(drawn):
        assert batch.schema == SUMS
        for row in batch.to_pylist():
            held = totals.setdefault((row["usage_class"], row["day_type"], row["start_minute"]), {**row, **NOTHING})
            held["meters"] += row["meters"]
            held["units"] += row["units"]
    return list(totals.values())


NOTHING = {"meters": 0, "units": 0}


def hours(rows: list[dict[str, Any]], day_type: str) -> list[float]:
    shares = [row["share"] for row in rows if row["day_type"] == day_type]
    assert len(shares) == 96
    return [sum(shares[n : n + 4]) for n in range(0, 96, 4)]


def test_a_large_meter_counts_as_much_as_a_small_one_whatever_the_length_of_its_intervals() -> None:
    rows, too_few = class_shares(
        summed([*[meter(NIGHT, minutes=30)] * 10, *[meter(DAY, level=1000.0)] * 10, *[meter(DAY, minutes=15)] * 10])
    )
    assert too_few == {}
    assert hours(rows, "working") == pytest.approx(
        [(night + 2 * day) / 3 / 24 for night, day in zip(NIGHT, DAY, strict=True)], abs=1e-6
    )
    assert hours(rows, "other") == pytest.approx([1 / 24] * 24, abs=1e-6)
    assert {(row["usage_class"], row["interval_minutes"]) for row in rows} == {("residential", 15)}


def test_no_order_and_no_batches_of_meters_change_a_bit() -> None:
    meters = [meter(NIGHT if n % 3 else DAY, level=0.37 * n + 0.1, minutes=(15, 30, 60)[n % 3]) for n in range(40)]
    expected = class_shares(summed(meters))
    assert class_shares(summed(meters[::-1])) == expected
    assert class_shares(summed(*([one] for one in meters[7:]), meters[:7])) == expected


def test_a_class_of_few_meters_is_left_out_and_a_meter_with_an_unknown_interval_does_not_count() -> None:
    gapped = meter(NIGHT)
    gapped["other_kwh"][3] = None
    shops = [meter(DAY, usage_class="general_commercial")] * FEWEST_METERS
    rows, too_few = class_shares(summed([*[meter(NIGHT)] * (FEWEST_METERS - 1), gapped, *shops]))
    assert too_few == {"residential": FEWEST_METERS - 1}
    assert {row["usage_class"] for row in rows} == {"general_commercial"}
    assert class_shares(summed([gapped])) == ([], {})
