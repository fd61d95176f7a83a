"""The batch kernel by itself; whole stories are in tests/scenarios."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels.customer_curves import day_measures
from jobs.kernels.tou_periods import tou_periods

CURVE = pa.struct(
    [
        ("point_id", pa.string()),
        ("starts_on", pa.date32()),
        ("meter_id", pa.string()),
        ("multiplier", pa.float64()),
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.int8())),
        ("register_dial_kwh", pa.float64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("customer_key", pa.string()),
        ("usage_date", pa.date32()),
        ("tariff_code", pa.string()),
        ("meters", pa.list_(CURVE)),
    ]
)
DAY = date(2025, 6, 1)
Value = float | None


def meter(point: str, kwh: list[Value] | None, multiplier: float = 1.0, register: Value = None) -> dict[str, object]:
    minutes = 24 * 60 // len(kwh) if kwh else None
    quality = [0 if value is None else 1 for value in kwh] if kwh else None
    return {
        "point_id": point, "meter_id": f"m-{point}", "multiplier": multiplier, "interval_minutes": minutes,
        "kwh": kwh, "quality": quality, "register_dial_kwh": register,
    }  # fmt: skip


def measured(*customers: list[dict[str, object]]) -> list[dict[str, object]]:
    rows = [
        {"customer_key": f"c{i}", "usage_date": DAY, "tariff_code": None, "meters": meters}
        for i, meters in enumerate(customers)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    (out,) = day_measures(tou_periods([]), "Asia/Shanghai")(iter([batch]))
    assert out.column("customer_key").to_pylist() == [row["customer_key"] for row in rows]
    return out.to_pylist()


def test_curves_of_all_interval_lengths_of_one_batch_are_kept_apart() -> None:
    quarter, half, hour = measured([meter("p", [0.25] * 96)], [meter("p", [0.5] * 48)], [meter("p", [1.0] * 24)])
    assert [row["kwh"] for row in (quarter, half, hour)] == [24.0, 24.0, 24.0]
    assert [row["hourly_kwh"] for row in (quarter, half, hour)] == [[1.0] * 24] * 3


def test_the_peak_is_power_and_not_energy() -> None:
    (row,) = measured([meter("p", [0.25] * 70 + [2.0] + [0.25] * 25)])
    assert (row["peak_kw"], row["peak_time"]) == (8.0, "17:30")


def test_a_customer_of_finer_and_coarser_meters_has_the_coarser_grid() -> None:
    (row,) = measured([meter("a", [0.25] * 96), meter("b", [None] * 4 + [1.0] * 20)])
    assert row["kwh"] == pytest.approx(20 * 2.0)
    assert row["completeness"] == pytest.approx(20 / 24, abs=1e-6)


def test_an_interval_which_one_of_two_points_does_not_know_is_not_known() -> None:
    (row,) = measured([meter("a", [0.25] * 96), meter("b", [0.25] * 48 + [None] * 48)])
    assert (row["kwh"], row["completeness"]) == (24.0, 0.5)


def test_meters_at_one_point_complete_each_other() -> None:
    (row,) = measured([meter("a", [0.25] * 48 + [None] * 48), meter("a", [None] * 48 + [0.5] * 48)])
    assert (row["kwh"], row["completeness"]) == (36.0, 1.0)


def test_a_silent_point_leaves_the_day_unknown() -> None:
    (row,) = measured([meter("a", [0.25] * 96), meter("b", None)])
    assert (row["kwh"], row["kwh_flat"], row["completeness"], row["hourly_kwh"]) == (None, None, 0.0, None)


def test_a_meter_that_contradicts_its_register_fails_even_where_another_makes_up_for_it() -> None:
    day: list[Value] = [0.25] * 96
    (row,) = measured([meter("a", day, register=34.0), meter("b", day, register=14.0)])
    assert (row["sum_gap_pct"], row["sum_check"]) == (0.0, "failed")


@pytest.mark.parametrize(("register", "outcome"), [(24.2, "ok"), (24.21, "failed"), (None, "not_checked")])
def test_rounding_of_the_dial_is_no_contradiction(register: Value, outcome: str) -> None:
    (row,) = measured([meter("a", [0.25] * 96, multiplier=3000.0, register=register)])
    assert row["sum_check"] == outcome


def test_a_day_without_use_has_no_load_factor() -> None:
    (row,) = measured([meter("a", [0.0] * 96)])
    assert (row["kwh"], row["peak_kw"], row["load_factor"], row["volatility"]) == (0.0, 0.0, None, None)


def test_the_same_customer_gets_the_same_bits_in_any_batch() -> None:
    draws = np.random.default_rng(7)
    others = [[meter("p", draws.random(96).round(3).tolist(), 40.0)] for _ in range(50)]
    two = [meter("a", draws.random(96).round(3).tolist(), 300.0), meter("b", draws.random(48).round(3).tolist(), 7.0)]
    assert measured(two)[0] == {**measured(*others, two)[-1], "customer_key": "c0"}
