from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels.level_days import DARK_HOURS, LEVEL_DAYS
from jobs.kernels.meter_levels import meter_levels

FIRST, DATES = date(2025, 5, 1), 56
BALANCES = pa.schema(
    [
        ("balance_date", pa.date32()),
        *((f"hourly_{name}_kwh", pa.list_(pa.float64())) for name in ("supplied", "counted", "doubtful")),
    ]
)
NONE = BALANCES.empty_table()
Energy = np.ndarray


def energy(meters: int, spread: float = 0.15) -> Energy:
    """(meters, dates, 24) dial kWh that flow."""
    rng = np.random.default_rng(3)
    day = np.exp(spread * rng.standard_normal((meters, DATES, 1)))
    return 0.4 * day * np.exp(0.2 * rng.standard_normal((meters, DATES, 24)))


def days(dial: Energy, multiplier: Energy, names: list[str]) -> pa.Table:
    rows = []
    for meter, name in enumerate(names):
        for day in range(DATES):
            kwh = dial[meter, day]
            if not np.isnan(kwh).any():
                rows.append(
                    {
                        "district_id": "D", "meter_id": name, "read_date": FIRST + timedelta(days=day),
                        "multiplier": multiplier[meter, day], "daily_kwh": kwh.sum(),
                        "dark_kwh": kwh[list(DARK_HOURS)].tolist(),
                        "available_at": datetime(2025, 6, 30, tzinfo=UTC),
                    }
                )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=LEVEL_DAYS)


def balances(flow: Energy, counted: Energy) -> pa.Table:
    total, sums = flow.sum(axis=0), counted.sum(axis=0)
    supplied = total + 0.1 + 0.001 * total**2
    return pa.Table.from_pylist(
        [
            {
                "balance_date": FIRST + timedelta(days=day), "hourly_supplied_kwh": supplied[day].tolist(),
                "hourly_counted_kwh": sums[day].tolist(), "hourly_doubtful_kwh": [0.0] * 24,
            }
            for day in range(DATES)
        ],
        schema=BALANCES,
    )  # fmt: skip


FIND = meter_levels(FIRST, DATES, {})
NAMES = [f"m{n:02d}" for n in range(20)]


def test_a_meter_that_shows_a_part_is_confirmed_by_its_district() -> None:
    flow, dial, one = energy(20), energy(20), np.ones((20, DATES))
    dial[4, 30:] *= 0.45
    [row] = FIND(days(dial, one, NAMES), balances(flow, dial)).to_pylist()
    assert (row["meter_id"], row["since"], row["whole_factor"]) == ("m04", date(2025, 5, 31), 0)
    assert row["ratio"] == pytest.approx(0.45, abs=0.01)
    assert row["own_ratio"] == pytest.approx(0.45, rel=0.2)
    assert row["missing_kwh"] == pytest.approx(flow[4, 30:].sum(axis=1).mean() * 0.55, rel=0.02)
    assert (row["is_confirmed"], row["is_explained"]) == (True, False)
    assert row["confidence"] > 0.9


def test_a_whole_factor_is_told_of_a_meter_behind_transformers_alone() -> None:
    flow, multiplier = energy(20), np.ones((20, DATES))
    multiplier[4] = 20.0
    flow[4] /= 20.0
    dial = flow.copy()
    dial[4, 30:] /= 3
    primary = multiplier[:, :, None]
    [row] = FIND(days(dial, multiplier, NAMES), balances(flow * primary, dial * primary)).to_pylist()
    assert (row["meter_id"], row["whole_factor"], row["multiplier"]) == ("m04", -3, 20.0)
    in_line = energy(20)
    in_line[4, 30:] /= 3
    [row] = FIND(days(in_line, np.ones((20, DATES)), NAMES), balances(energy(20), in_line)).to_pylist()
    assert (row["meter_id"], row["whole_factor"]) == ("m04", 0)


def test_transformers_exchanged_with_the_master_data_are_explained() -> None:
    dial, multiplier = energy(1, 0.05), np.full((1, DATES), 100.0)
    dial[0, 30:] /= 2
    multiplier[0, 30:] = 200.0
    [row] = FIND(days(dial, multiplier, ["m"]), NONE).to_pylist()
    assert (row["is_explained"], row["whole_factor"]) == (True, -2)
    assert row["ratio"] == pytest.approx(1.0, abs=0.1)
    assert row["dial_ratio"] == pytest.approx(0.5, abs=0.05)
    assert (row["multiplier_before"], row["multiplier"]) == (100.0, 200.0)


def test_transformers_exchanged_without_the_master_data_are_found_by_the_meters_own_days() -> None:
    dial = energy(1, 0.05)
    dial[0, 30:] *= 4
    [row] = FIND(days(dial, np.full((1, DATES), 100.0), ["m"]), NONE).to_pylist()
    assert (row["since"], row["whole_factor"], row["is_explained"]) == (date(2025, 5, 31), 4, False)
    assert row["is_confirmed"] is None


def test_master_data_which_change_without_the_transformers_are_a_break() -> None:
    multiplier = np.full((1, DATES), 100.0)
    multiplier[0, 30:] = 300.0
    [row] = FIND(days(energy(1, 0.05), multiplier, ["m"]), NONE).to_pylist()
    assert (row["since"], row["whole_factor"], row["is_explained"]) == (date(2025, 5, 31), 3, False)


def test_a_home_that_stands_empty_is_no_break() -> None:
    dial = energy(20)
    dial[4, 30:44] *= 0.12
    assert FIND(days(dial, np.ones((20, DATES)), NAMES), balances(dial, dial)).to_pylist() == []


def test_days_of_a_new_meter_are_too_few() -> None:
    dial = energy(1, 0.05)
    dial[0, :50] = np.nan
    assert FIND(days(dial, np.full((1, DATES), 100.0), ["m"]), NONE).to_pylist() == []
    assert FIND(LEVEL_DAYS.empty_table(), NONE).num_rows == 0
