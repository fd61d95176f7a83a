"""What becomes of a flagged meter day: what is taken out, what is estimated, and that it says so. Dial kWh."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from jobs.kernels.validated_curves import FINISHED, finished_days
from schemas.quality_codes import LINEAR_SCALED, MEASURED, MENDED, MISSING, OWN_PROFILE, OWN_PROFILE_SCALED, SPREAD

DAY = date(2025, 6, 10)
PROFILE = [0.1] * 6 + [0.2] * 12 + [0.6] * 6
PLACES = (
    "longest_constant_from",
    "longest_constant_count",
    "longest_zero_from",
    "longest_zero_count",
    "peak_from",
    "peak_count",
    "dial_out_of_line",
    "longer_intervals",
    "sum_verdict",
)
SCHEMA = pa.schema(
    [
        ("read_date", pa.date32()),
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.int8())),
        ("flags", pa.list_(pa.string())),
        ("register_kwh", pa.float64()),
        *((name, pa.int32()) for name in PLACES),
        ("profile_minutes", pa.int32()),
        ("profile_days", pa.int32()),
        *((name, pa.list_(pa.float32())) for name in ("working_kwh", "other_kwh", "spread_kwh")),
        *((name, pa.float64()) for name in ("usual_daily_kwh", "usual_daily_spread_kwh", "usual_max_kwh")),
        *((name, pa.float64()) for name in ("per_degree", "usual_temperature_c", "temperature_c")),
        *((name, pa.float64()) for name in ("edge_before_kwh", "edge_after_kwh")),
    ]
)
KNOWN = {
    "profile_minutes": 60,
    "profile_days": 28,
    "working_kwh": PROFILE,
    "other_kwh": PROFILE,
    "spread_kwh": [0.05] * 24,
    "usual_daily_kwh": sum(PROFILE),
    "usual_daily_spread_kwh": 0.5,
    "usual_max_kwh": 1.0,
}


def finish(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The days after validation; hours, measured, without flags unless said otherwise."""
    drawn = []
    for row in rows:
        curve = row.get("kwh")
        quality = None if curve is None else [MISSING if v is None else MEASURED for v in curve]
        given = {"read_date": DAY, "interval_minutes": 60 if curve else None, "quality": quality, "flags": []}
        drawn.append({**dict.fromkeys(PLACES, 0), **given, **row})
    batch = pa.Table.from_pylist(drawn, schema=SCHEMA).combine_chunks().to_batches()[0]
    [made] = finished_days({}, "Asia/Shanghai")(iter([batch]))
    assert set(FINISHED.names) <= set(made.schema.names)
    found: list[dict[str, Any]] = made.to_pylist()
    return found


def test_a_day_without_gaps_stays_as_it_is() -> None:
    (row,) = finish({"kwh": PROFILE, **KNOWN})
    assert row["quality"] == [MEASURED] * 24
    assert row["kwh"] == pytest.approx(PROFILE)
    assert (row["measured_count"], row["estimated_count"], row["missing_count"]) == (24, 0, 0)
    assert row["estimate_sd_kwh"] == 0


def test_a_gap_is_filled_so_that_the_day_adds_up_to_the_register() -> None:
    curve: list[float | None] = [*PROFILE]
    curve[8:16] = [None] * 8
    (row,) = finish({"kwh": curve, "register_kwh": 7.0, **KNOWN})
    assert row["total_kwh"] == pytest.approx(7.0, abs=1e-3)
    assert set(row["quality"][8:16]) == {OWN_PROFILE_SCALED}
    assert row["quality"][:8] == [MEASURED] * 8
    assert (row["measured_count"], row["estimated_count"]) == (16, 8)


def test_a_day_of_which_nothing_came_is_estimated_from_the_past_with_its_uncertainty() -> None:
    (row,) = finish({"kwh": None, **KNOWN})
    assert (row["interval_minutes"], set(row["quality"])) == (60, {OWN_PROFILE})
    assert row["total_kwh"] == pytest.approx(sum(PROFILE), rel=0.01)
    assert row["estimate_sd_kwh"] > 0


def test_a_day_of_which_nothing_is_known_has_nothing() -> None:
    unknown = {"profile_minutes": None, "profile_days": None}
    (row,) = finish({"kwh": None, **unknown})
    assert (row["kwh"], row["quality"], row["interval_minutes"], row["total_kwh"]) == (None, None, None, None)
    assert (row["measured_count"], row["estimated_count"], row["missing_count"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("flag", "places"),
    [
        ("MD-10", {"longest_constant_from": 5, "longest_constant_count": 8}),
        ("MD-11", {"longest_zero_from": 5, "longest_zero_count": 8}),
        ("MD-12", {"peak_from": 5, "peak_count": 8}),
    ],
)
def test_a_flag_condemns_the_intervals_which_its_evidence_names(flag: str, places: dict[str, int]) -> None:
    curve = [*PROFILE]
    curve[5:13] = [9.0] * 8
    flagged, other = finish(
        {"kwh": curve, "flags": [flag], "register_kwh": sum(PROFILE), **places, **KNOWN},
        {"kwh": curve, "register_kwh": sum(PROFILE), **places, **KNOWN},
    )
    assert MEASURED not in flagged["quality"][5:13]
    assert flagged["quality"][:5] + flagged["quality"][13:] == [MEASURED] * 16
    assert flagged["total_kwh"] == pytest.approx(sum(PROFILE), abs=1e-3)
    assert other["kwh"] == pytest.approx(curve)


def test_power_becomes_energy_and_says_that_it_was_mended() -> None:
    row = {"kwh": [0.4] * 96, "interval_minutes": 15, "flags": ["MD-18"], "register_kwh": 9.6, **KNOWN}
    (made,) = finish({**row, "profile_minutes": 15})
    assert made["kwh"] == pytest.approx([0.1] * 96)
    assert (set(made["quality"]), made["measured_count"]) == ({MENDED}, 96)


def test_another_meters_curve_is_no_measurement_of_this_one() -> None:
    (row,) = finish({"kwh": [5.0] * 24, "flags": ["MD-21"], "register_kwh": 6.0, **KNOWN})
    assert set(row["quality"]) == {OWN_PROFILE_SCALED}
    assert row["total_kwh"] == pytest.approx(6.0, abs=1e-3)


def test_a_misread_dial_scales_nothing() -> None:
    curve: list[float | None] = [*PROFILE]
    curve[8:16] = [None] * 8
    (row,) = finish({"kwh": curve, "register_kwh": 700.0, "dial_out_of_line": 1, **KNOWN})
    assert row["total_kwh"] == pytest.approx(sum(PROFILE), rel=0.05)


def test_without_a_past_a_short_gap_is_bridged_and_a_long_one_left_open() -> None:
    unknown = {"profile_minutes": None, "profile_days": None}
    short: list[float | None] = [1.0] * 24
    short[10] = None
    long: list[float | None] = [1.0] * 24
    long[4:20] = [None] * 16
    bridged, opened = finish({"kwh": short, "register_kwh": 24.5, **unknown}, {"kwh": long, **unknown})
    assert (bridged["quality"][10], bridged["kwh"][10]) == (LINEAR_SCALED, pytest.approx(1.5))
    assert opened["quality"][4:20] == [MISSING] * 16
    assert (opened["missing_count"], opened["kwh"][4:20]) == (16, [None] * 16)


@pytest.mark.parametrize("places", ["first", "last of each"])
def test_longer_intervals_are_spread_over_these_like_the_profile_and_count_as_estimated(places: str) -> None:
    curve: list[float | None] = [None] * 24
    sums = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    for number, energy in enumerate(sums):
        curve[number if places == "first" else 4 * number + 3] = energy
    flagged = {"kwh": curve, "flags": ["MD-23"], "longer_intervals": 6}
    known, unknown, wrong = finish(
        {**flagged, **KNOWN},
        {**flagged, "profile_minutes": None, "profile_days": None},
        {**flagged, "sum_verdict": -1, "register_kwh": 7.0, **KNOWN},
    )
    assert known["quality"] == unknown["quality"] == [SPREAD] * 24
    assert (known["measured_count"], known["estimated_count"]) == (0, 24)
    assert [sum(known["kwh"][n : n + 4]) for n in range(0, 24, 4)] == pytest.approx(sums)
    # the second of them is half a night and half a day: .1 .1 .2 .2
    assert known["kwh"][4:8] == pytest.approx([2 / 6, 2 / 6, 4 / 6, 4 / 6])
    assert unknown["kwh"] == pytest.approx([energy / 4 for energy in sums for _ in range(4)])
    assert wrong["total_kwh"] == pytest.approx(7.0, abs=1e-3)
    assert set(wrong["quality"]) == {OWN_PROFILE_SCALED}


def test_an_estimate_without_registers_answers_to_the_temperature_of_the_date() -> None:
    answer = {**KNOWN, "per_degree": 0.05, "usual_temperature_c": 25.0}
    usual, warm, unknown = finish(
        {"kwh": None, **answer, "temperature_c": 25.0},
        {"kwh": None, **answer, "temperature_c": 29.0},
        {"kwh": None, **answer},
    )
    assert usual["total_kwh"] == pytest.approx(sum(PROFILE), abs=0.01)
    assert warm["total_kwh"] == pytest.approx(1.2 * sum(PROFILE), abs=0.01)
    assert unknown["total_kwh"] == usual["total_kwh"]
    # registers say it better
    [read] = finish({"kwh": None, **answer, "temperature_c": 29.0, "register_kwh": 9.0})
    assert read["total_kwh"] == pytest.approx(9.0)
