"""What becomes of a flagged meter day: what is taken out, what is estimated, and that it says so. Dial kWh."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from jobs.kernels.class_profiles import class_profiles
from jobs.kernels.validated_curves import FINISHED, finished_days
from schemas.quality_codes import (
    CLASS_PROFILE,
    CLASS_PROFILE_SCALED,
    LINEAR_SCALED,
    MEASURED,
    MENDED,
    MISSING,
    OWN_PROFILE,
    OWN_PROFILE_SCALED,
    SPREAD,
)

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
        ("usage_class", pa.string()),
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


# quarter hours of a day which takes half of its energy from 18:00 to 24:00
EVENING = [1.0] * 72 + [3.0] * 24
NEW = {"usage_class": "residential", "profile_minutes": None, "profile_days": None}


def version(
    shares: list[float], valid_from: date = date(2025, 1, 1), day_type: str = "working"
) -> list[dict[str, Any]]:
    """Rows of core.class_profiles."""
    minutes = 1440 // len(shares)
    same = {"usage_class": "residential", "valid_from": valid_from, "day_type": day_type, "interval_minutes": minutes}
    known = {"delivery_id": "d", "received_us": 1_700_000_000_000_000}
    return [{**same, **known, "start_minute": minutes * n, "share": share} for n, share in enumerate(shares)]


def finish(
    *rows: dict[str, Any], profiles: list[dict[str, Any]] | None = None, time_zone: str = "Asia/Shanghai"
) -> list[dict[str, Any]]:
    """The days after validation; hours, measured, without flags unless said otherwise."""
    drawn = []
    for row in rows:
        curve = row.get("kwh")
        quality = None if curve is None else [MISSING if v is None else MEASURED for v in curve]
        given = {"read_date": DAY, "interval_minutes": 60 if curve else None, "quality": quality, "flags": []}
        drawn.append({**dict.fromkeys(PLACES, 0), **given, **row})
    batch = pa.Table.from_pylist(drawn, schema=SCHEMA).combine_chunks().to_batches()[0]
    classes, unused = class_profiles(profiles or [], {})
    assert not unused
    [made] = finished_days({}, classes, time_zone)(iter([batch]))
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


def test_a_meter_without_a_past_gets_the_shape_of_its_class_at_its_register_total() -> None:
    gapped: list[float | None] = [0.1] * 12 + [None] * 6 + [0.3] * 6
    past, new, other = finish(
        {"kwh": gapped, "register_kwh": 3.8, "usage_class": "residential", **KNOWN},
        {"kwh": gapped, "register_kwh": 3.8, **NEW},
        {"kwh": gapped, "register_kwh": 3.8, **NEW, "usage_class": "agricultural"},
        profiles=version(EVENING),
    )
    assert set(past["quality"][12:18]) == {OWN_PROFILE_SCALED}
    assert past["class_received_at"] is None
    assert new["quality"] == [MEASURED] * 12 + [CLASS_PROFILE_SCALED] * 6 + [MEASURED] * 6
    assert new["total_kwh"] == pytest.approx(3.8, abs=1e-3)
    assert new["estimate_sd_kwh"] > 0
    assert new["class_received_at"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    # of its class nobody knows anything: with a total a line reaches six hours
    assert set(other["quality"][12:18]) == {LINEAR_SCALED}
    assert other["class_received_at"] is None


def test_a_few_days_of_past_give_the_level_and_the_class_gives_the_shape() -> None:
    few = {**KNOWN, "profile_days": 4, "usage_class": "residential"}
    (row,) = finish({"kwh": None, **few}, profiles=version(EVENING))
    assert (row["interval_minutes"], set(row["quality"])) == (60, {CLASS_PROFILE})
    assert row["total_kwh"] == pytest.approx(sum(PROFILE), abs=1e-3)
    assert row["kwh"][23] == pytest.approx(3 * row["kwh"][0], rel=1e-3)


def test_a_day_of_which_only_the_registers_came_is_spread_like_the_class() -> None:
    silent = {"kwh": None, **NEW}
    told, misread, untold, nothing_used = finish(
        {**silent, "register_kwh": 14.4},
        {**silent, "register_kwh": 14.4, "dial_out_of_line": 1},
        silent,
        {**silent, "register_kwh": 0.0},
        profiles=version(EVENING),
    )
    assert (told["interval_minutes"], set(told["quality"])) == (15, {CLASS_PROFILE_SCALED})
    assert told["kwh"] == pytest.approx([0.1] * 72 + [0.3] * 24, abs=1e-3)
    for unknown in (misread, untold):
        assert (unknown["interval_minutes"], unknown["kwh"], unknown["missing_count"]) == (None, None, 0)
    assert (set(nothing_used["quality"]), nothing_used["total_kwh"]) == ({CLASS_PROFILE_SCALED}, 0)


def test_where_no_level_is_known_the_class_says_nothing() -> None:
    gapped: list[float | None] = [1.0] * 5 + [None] * 19
    quarter: list[float | None] = [1.0] * 6 + [None] * 18
    less, enough = finish({"kwh": gapped, **NEW}, {"kwh": quarter, **NEW}, profiles=version(EVENING))
    assert less["quality"][5:] == [MISSING] * 19
    assert set(enough["quality"][6:]) == {CLASS_PROFILE}


def test_the_profile_of_the_type_of_day_and_of_the_latest_version_holds() -> None:
    silent = {"kwh": None, "register_kwh": 24.0, **NEW}
    profiles = [
        *version([1.0] * 24),
        *version([1.0] * 12 + [3.0] * 12, day_type="other"),
        *version([3.0] * 12 + [1.0] * 12, valid_from=date(2025, 6, 10)),
    ]
    monday, tuesday, sunday, before = finish(
        *({**silent, "read_date": date(2025, 6, day)} for day in (9, 10, 15)),
        {**silent, "read_date": date(2024, 12, 31)},
        profiles=profiles,
    )
    assert (monday["kwh"][0], monday["kwh"][23]) == (pytest.approx(1), pytest.approx(1))
    assert (tuesday["kwh"][0], tuesday["kwh"][23]) == (pytest.approx(1.5), pytest.approx(0.5))
    assert (sunday["kwh"][0], sunday["kwh"][23]) == (pytest.approx(0.5), pytest.approx(1.5))
    assert before["kwh"] is None


@pytest.mark.parametrize(("day", "hours"), [(date(2025, 10, 26), 25), (date(2025, 3, 30), 23)])
def test_the_class_profile_follows_the_clock_of_a_date_on_which_it_changes(day: date, hours: int) -> None:
    shares = [1.0, 1.0, 5.0, *[1.0] * 21]
    given = {"read_date": day, **NEW}
    (silent, gapped) = finish(
        {"kwh": None, "register_kwh": 57.0, **given},
        {"kwh": [1.0] * (hours - 1) + [None], "register_kwh": 57.0, **given},
        profiles=version(shares, day_type="other"),
        time_zone="Europe/Berlin",
    )
    # the hour from two to three comes twice, or not at all
    twos = {25: [2, 3], 23: []}[hours]
    units = 5 * len(twos) + hours - len(twos)
    expected = [57 / units * (5 if hour in twos else 1) for hour in range(hours)]
    assert silent["kwh"] == pytest.approx(expected, abs=1e-3)
    assert len(gapped["kwh"]) == hours
    assert gapped["total_kwh"] == pytest.approx(57.0, abs=1e-3)


@pytest.mark.parametrize("minutes", [5, 15, 30, 60])
def test_a_class_profile_is_moved_to_the_length_of_the_meters_intervals(minutes: int) -> None:
    points, hour = 1440 // minutes, 60 // minutes
    curve: list[float | None] = [0.1 / hour] * points
    curve[12 * hour :] = [None] * (12 * hour)
    row = {"kwh": curve, "interval_minutes": minutes, "register_kwh": 1.2 + 12.0, **NEW}
    (made,) = finish(row, profiles=version(EVENING))
    assert set(made["quality"][12 * hour :]) == {CLASS_PROFILE_SCALED}
    assert made["total_kwh"] == pytest.approx(13.2, abs=1e-2)
    # far from the values it is three times as high after 18:00 as before
    before, after = sum(made["kwh"][15 * hour : 16 * hour]), sum(made["kwh"][20 * hour : 21 * hour])
    assert after / before == pytest.approx(3.0, rel=0.15)
