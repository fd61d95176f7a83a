"""What is said against a meter day: intervals beside registers, neighbours and the clock. Energies are dial kWh."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from jobs.kernels.day_checks import REGISTERS, Tolerance, day_evidence
from jobs.kernels.tou_periods import tou_periods

DAY = date(2025, 6, 10)
ZONE = "Asia/Shanghai"
AROUND = (
    "dial_before_last_kwh",
    "dial_before_kwh",
    "dial_after_kwh",
    "dial_after_next_kwh",
    "day_before_kwh",
    "day_after_kwh",
)
# valley at night, peak in the evening, flat between
TARIFF = [
    {"tariff_code": "T", "valid_from": date(2020, 1, 1), "valid_to": None, "months": None, "line_no": n, **line}
    for n, line in enumerate(
        ({"period_code": "valley", "hours": "23:00-07:00"}, {"period_code": "peak", "hours": "17:00-21:00"})
    )
]
Curve = npt.NDArray[np.float64]


def usual(points: int = 96) -> Curve:
    """A day of about 12 kWh which is low at night and high in the evening, in thousandths."""
    hours = np.arange(points) * 24 / points
    shape = 0.05 + 0.05 * (hours > 7) + 0.3 * np.exp(-((hours - 19) ** 2) / 4)
    return np.asarray(np.round(shape * 96 / points, 3))


def by_period(curve: Curve) -> dict[str, float]:
    hours = np.arange(len(curve)) * 24 / len(curve)
    valley, peak = (hours < 7) | (hours >= 23), (hours >= 17) & (hours < 21)
    energy = {"sharp": 0.0, "peak": curve[peak].sum(), "valley": curve[valley].sum()}
    energy["flat"] = curve.sum() - sum(energy.values())
    return {f"register_{period}_kwh": round(float(kwh), 2) for period, kwh in energy.items()}


def look(curve: Curve | list[Any], minutes: int = 15, day: date = DAY, **said: float) -> dict[str, Any]:
    """Evidence of one day with these registers and neighbours."""
    kwh = [None if np.isnan(v) else v for v in np.asarray(curve, dtype=np.float64)]
    row: dict[str, Any] = {"read_date": [day], "interval_minutes": [minutes], "kwh": [kwh]}
    types: dict[str, pa.DataType] = {
        "read_date": pa.date32(), "interval_minutes": pa.int32(), "kwh": pa.list_(pa.float32())
    }  # fmt: skip
    for name in (*REGISTERS, *AROUND):
        row[name], types[name] = [said.get(name)], pa.float64()
    batch = pa.record_batch([pa.array(row[name], kind) for name, kind in types.items()], names=list(types))
    [seen] = day_evidence(tou_periods(TARIFF), "T", ZONE, Tolerance())(iter([batch]))
    found: dict[str, Any] = seen.to_pylist()[0]
    return found


def test_a_curve_agrees_with_a_register_that_rounds_to_hundredths() -> None:
    curve = usual()
    seen = look(curve, register_kwh=round(float(curve.sum()), 2) + 0.01)
    assert seen["sum_verdict"] == 1
    assert seen["known_kwh"] == pytest.approx(curve.sum(), abs=1e-5)


def test_a_tenth_of_a_kwh_too_much_contradicts_the_register() -> None:
    curve = usual()
    assert look(curve, register_kwh=float(curve.sum()) - 0.1)["sum_verdict"] == -1


def test_a_gap_hides_too_little_but_not_too_much() -> None:
    curve = usual()
    total = float(curve.sum())
    curve[10:14] = np.nan
    assert look(curve, register_kwh=total)["sum_verdict"] == 0
    assert look(curve, register_kwh=float(np.nansum(curve)) - 1)["sum_verdict"] == -1


def test_without_a_register_nothing_is_said() -> None:
    seen = look(usual())
    assert (seen["sum_verdict"], seen["periods_verdict"], seen["whole_factor"]) == (0, 0, 0)
    assert seen["sum_gap_kwh"] is None


@pytest.mark.parametrize(("times", "factor"), [(4.0, 4), (0.1, -10), (80.0, 80), (1.7, 0)])
def test_a_whole_factor_between_intervals_and_registers_is_named(times: float, factor: int) -> None:
    curve = usual()
    assert look(curve * times, register_kwh=float(curve.sum()))["whole_factor"] == factor


def test_the_registers_say_what_a_spike_should_have_been() -> None:
    curve = usual()
    total, true = float(curve.sum()), float(curve[40])
    curve[40] = 25.0
    seen = look(curve, register_kwh=total)
    assert (seen["peak_from"], seen["peak_count"], seen["peak_kwh"]) == (40, 1, 25.0)
    assert seen["peak_by_register_kwh"] == pytest.approx(true, abs=1e-5)
    assert seen["second_kwh"] == pytest.approx(max(np.delete(curve, 40)), abs=1e-5)


def test_a_plateau_is_one_peak() -> None:
    curve = usual()
    curve[50:55] = [9.0, 12.0, 11.0, 8.0, 7.0]
    seen = look(curve)
    assert (seen["peak_from"], seen["peak_count"], seen["peak_kwh"]) == (50, 5, 47.0)


def test_the_longest_runs_are_found_with_their_places() -> None:
    curve = usual() + np.arange(96) / 1000
    curve[5:12] = 0.0
    curve[60:80] = 0.123
    seen = look(curve)
    assert (seen["longest_zero_from"], seen["longest_zero_count"]) == (5, 7)
    assert (seen["longest_constant_from"], seen["longest_constant_count"]) == (60, 20)


@pytest.mark.parametrize("hours", [1, -2])
def test_a_wrong_clock_shows_in_the_periods_and_not_in_the_sum(hours: int) -> None:
    curve = usual()
    seen = look(np.roll(curve, 4 * hours), register_kwh=round(float(curve.sum()), 2), **by_period(curve))
    assert (seen["sum_verdict"], seen["periods_verdict"]) == (1, -1)
    assert seen["clock_shift_minutes"] == 60 * hours


def test_periods_that_no_clock_explains_are_only_contradicted() -> None:
    curve = usual()
    registers = by_period(curve)
    registers["register_valley_kwh"] += 1.5
    registers["register_flat_kwh"] -= 1.5
    # a curve that is the same at any time cannot be moved into place
    seen = look(np.full(96, curve.sum() / 96), register_kwh=float(curve.sum()), **registers)
    assert (seen["periods_verdict"], seen["clock_shift_minutes"]) == (-1, 0)


DIALS = {
    "dial_before_last_kwh": 1000.0,
    "dial_before_kwh": 1010.0,
    "dial_after_kwh": 1020.0,
    "dial_after_next_kwh": 1030.0,
    "day_before_kwh": 10.0,
    "day_after_kwh": 10.0,
}


@pytest.mark.parametrize(
    ("dials", "place"),
    [
        ({}, 0),
        ({"dial_after_kwh": 1920.0}, 1),
        ({"dial_before_kwh": 1910.0}, -1),
        ({"dial_after_kwh": 1002.0}, 1),
        # two neighbours which both contradict are not made to agree by leaving one reading out
        ({"dial_after_kwh": 1120.0, "dial_after_next_kwh": 1130.0}, 0),
    ],
)
def test_a_misread_dial_is_told_from_a_wrong_curve(dials: dict[str, float], place: int) -> None:
    said = {**DIALS, **dials}
    moved = said["dial_after_kwh"] - said["dial_before_kwh"]
    curve = np.full(96, 10 / 96)
    seen = look(curve, register_kwh=moved if moved >= 0 else np.nan, **said)
    assert seen["dial_out_of_line"] == place
    if place:
        assert seen["sum_verdict"] == 0


def test_a_dial_that_fell_is_out_of_line_even_before_the_next_one_is_read() -> None:
    seen = look(np.full(96, 0.1), dial_before_kwh=1010.0, dial_after_kwh=1009.0)
    assert seen["dial_out_of_line"] == 1


def test_days_of_other_lengths_are_looked_at_together() -> None:
    spring = date(2025, 3, 30)
    kwh = pa.array([[0.1] * 96, [0.1] * 92, None, [0.2] * 24], pa.list_(pa.float32()))
    columns = {
        "read_date": pa.array([spring - timedelta(days=1), spring, spring, spring], pa.date32()),
        "interval_minutes": pa.array([15, 15, None, 60], pa.int32()),
        "kwh": kwh,
        **{name: pa.array([None] * 4, pa.float64()) for name in (*REGISTERS, *AROUND)},
    }
    batch = pa.record_batch(list(columns.values()), names=list(columns))
    [seen] = day_evidence(tou_periods([]), None, "Europe/London", Tolerance())(iter([batch]))
    assert seen.column("known_count").to_pylist() == [96, 92, 0, 24]
    # 24 hours sent for a date of 23 hold an hour which there is not
    assert seen.column("expected_count").to_pylist() == [96, 92, 0, 23]
    assert seen.column("curve_hash")[0] != seen.column("curve_hash")[1]


def test_fewer_values_are_longer_intervals_where_their_places_or_the_registers_say_so() -> None:
    hours = usual().reshape(24, 4).sum(axis=1)
    total = float(hours.sum())
    every, first = np.full(96, np.nan), np.full(96, np.nan)
    every[3::4], first[:24] = hours, hours
    assert look(every)["longer_intervals"] == 24
    assert look(first, register_kwh=total)["longer_intervals"] == 24
    # an outage from six o'clock on leaves the same places
    assert look(first)["longer_intervals"] == 0
    assert look(first, register_kwh=total + 4)["longer_intervals"] == 0
