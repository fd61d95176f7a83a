"""Days are drawn as half-hours, or as four intervals of six hours where the times do not matter."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jobs.kernels.clock import day_clock
from jobs.kernels.energy_ranges import covariances, far_alike, quantiles, together
from jobs.kernels.estimation import (
    BELOW_KNOWN,
    DECIMALS,
    IMPLAUSIBLE,
    NOT_FILLED,
    SCALED_TO,
    UNKNOWN,
    ZERO_LEFT,
    Estimates,
    MeterDays,
    days_with_gaps,
    estimated,
)
from jobs.kernels.meter_profiles import at_clock
from schemas.quality_codes import (
    CLASS_PROFILE,
    CLASS_PROFILE_SCALED,
    LINEAR,
    LINEAR_SCALED,
    MISSING,
    OWN_PROFILE,
    OWN_PROFILE_SCALED,
)

NAN = float("nan")
HALF_HOURS = 48


def day(
    kwh: list[float], *, own: list[float] | float = NAN, shape: list[float] | float = NAN, **known: float
) -> MeterDays:
    """One meter day. own, shape: a curve, or one value for all intervals. known: any of the numbers of a day."""
    points = len(kwh)

    def column(curve: list[float] | float) -> np.ndarray:
        return np.broadcast_to(np.asarray(curve, float), points).reshape(points, 1).copy()

    numbers = {name: np.array([known.get(name, NAN)]) for name in
               ("register_kwh", "daily_kwh", "daily_spread_kwh", "highest_kwh", "before", "after")}  # fmt: skip
    return MeterDays(
        kwh=column(kwh),
        interval_minutes=1440 // points,
        expected=np.ones(points, dtype=np.bool_),
        own=column(own),
        spread=column(own) / 2,
        class_shape=column(shape),
        **numbers,
    )


def filled(days: MeterDays) -> tuple[list[float], list[int], int]:
    """Values, codes and verdict of the only day."""
    made = estimated(days)
    return made.kwh[:, 0].tolist(), made.code[:, 0].tolist(), int(made.verdict[0])


def half_hours(gap: slice, level: float = 1.0) -> list[float]:
    kwh = np.full(HALF_HOURS, level)
    kwh[gap] = NAN
    return kwh.tolist()


# -- straight lines ---------------------------------------------------------------------------------------------------


def test_one_half_hour_lies_on_the_line_between_its_neighbours_even_where_there_is_a_profile() -> None:
    kwh = half_hours(slice(10, 11))
    kwh[9], kwh[11] = 2.0, 3.0
    values, codes, verdict = filled(day(kwh, own=9.0))
    assert (values[10], codes[10], verdict) == (2.5, LINEAR, UNKNOWN)
    assert codes.count(MISSING) == HALF_HOURS - 1


def test_without_a_profile_two_hours_are_bridged_and_no_more() -> None:
    kwh = half_hours(slice(10, 14))
    kwh[14] = 2.0
    values, codes, _ = filled(day(kwh))
    assert values[10:14] == pytest.approx([1.2, 1.4, 1.6, 1.8])
    assert codes[10:14] == [LINEAR] * 4
    values, codes, _ = filled(day(half_hours(slice(10, 15))))
    assert np.isnan(values[10:15]).all()
    assert codes[10:15] == [MISSING] * 5


def test_a_gap_at_the_start_of_a_day_begins_at_the_last_value_of_the_day_before() -> None:
    kwh = half_hours(slice(0, 1))
    assert filled(day(kwh, before=2.0))[0][0] == 1.5
    # without one it is a gap with one end, which counts twice: level for an hour, and nothing beyond
    assert filled(day(half_hours(slice(0, 2))))[0][:2] == [1.0, 1.0]
    assert filled(day(half_hours(slice(0, 3))))[1][:3] == [MISSING] * 3


def test_a_gap_at_the_end_of_a_day_ends_at_the_first_value_of_the_day_after() -> None:
    assert filled(day(half_hours(slice(47, 48)), after=2.0))[0][47] == 1.5
    assert filled(day(half_hours(slice(46, 48))))[0][46:] == [1.0, 1.0]


def test_two_gaps_of_a_day_know_nothing_of_each_other() -> None:
    kwh = half_hours(slice(10, 11))
    kwh[30], kwh[31], kwh[32] = 3.0, NAN, 5.0
    values, _, _ = filled(day(kwh))
    assert (values[10], values[31]) == (1.0, 4.0)


def test_a_value_below_zero_draws_no_estimate_below_zero() -> None:
    kwh = half_hours(slice(10, 11))
    kwh[9], kwh[11] = -4.0, 1.0
    assert filled(day(kwh))[0][10] == 0.5
    assert filled(day(half_hours(slice(0, 1), level=0.0), before=-3.0))[0][0] == 0.0


# -- profiles ---------------------------------------------------------------------------------------------------------


def test_a_day_without_any_value_is_the_meters_own_profile() -> None:
    profile = [1.0, 2.0, 3.0, 4.0]
    assert filled(day([NAN] * 4, own=profile)) == (profile, [OWN_PROFILE] * 4, UNKNOWN)


def test_the_middle_of_a_long_gap_follows_the_profile_and_its_ends_the_values_beside_it() -> None:
    profile = np.where(np.arange(HALF_HOURS) == 24, 3.0, 1.0)
    kwh = np.full(HALF_HOURS, 1.0)
    kwh[12:36] = NAN
    kwh[11] = kwh[36] = 2.0
    values, codes, _ = filled(day(kwh.tolist(), own=profile.tolist()))
    assert values[24] > 2.5
    assert values[12] > values[14] > values[18]
    assert values[20] == pytest.approx(1.0, abs=0.1)
    assert set(codes[12:36]) == {OWN_PROFILE}


def test_the_line_across_a_long_gap_does_not_run_above_the_low_hours_in_it() -> None:
    profile = np.where((np.arange(HALF_HOURS) >= 12) & (np.arange(HALF_HOURS) < 24), 0.2, 2.0)
    kwh = profile.copy()
    kwh[12:24] = NAN
    values, _, _ = filled(day(kwh.tolist(), own=profile.tolist()))
    # straight across it would begin near 1.4
    assert 0.2 < values[12] < 0.6
    assert values[18] == pytest.approx(0.2, abs=0.02)


def test_a_day_that_is_high_beside_its_profile_is_high_in_the_gap() -> None:
    gap = slice(20, 30)
    low, usual, high = (filled(day(half_hours(gap, level), own=1.0))[0][25] for level in (0.5, 1.0, 2.0))
    assert usual == pytest.approx(1.0)
    assert low < usual < high
    assert 1.3 < high < 2.0


def test_the_class_profile_stands_in_at_the_level_of_the_meters_mean_day() -> None:
    values, codes, _ = filled(day([NAN] * 4, shape=[1.0, 1.0, 2.0, 4.0], daily_kwh=16.0))
    assert (values, codes) == ([2.0, 2.0, 4.0, 8.0], [CLASS_PROFILE] * 4)


def test_the_class_profile_takes_its_level_from_the_day_itself_when_nothing_else_is_known() -> None:
    kwh = [2.0] * 12 + [NAN] * 12
    values, codes, _ = filled(day(kwh, shape=[1.0] * 12 + [3.0] * 12))
    assert codes[12:] == [CLASS_PROFILE] * 12
    assert values[20] == pytest.approx(6.0, rel=0.02)
    assert filled(day([NAN] * 24, shape=1.0))[1] == [MISSING] * 24


def test_one_slot_without_history_is_taken_from_the_class() -> None:
    own = [1.0, 1.0, NAN, 1.0]
    _, codes, _ = filled(day([NAN] * 4, own=own, shape=1.0, daily_kwh=4.0))
    assert codes == [OWN_PROFILE, OWN_PROFILE, CLASS_PROFILE, OWN_PROFILE]


# -- registers --------------------------------------------------------------------------------------------------------


def test_a_missing_day_is_its_profile_scaled_to_the_registers() -> None:
    expected = ([2.0, 4.0, 6.0, 8.0], [OWN_PROFILE_SCALED] * 4, SCALED_TO)
    assert filled(day([NAN] * 4, own=[1.0, 2.0, 3.0, 4.0], register_kwh=20.0)) == expected


def test_a_missing_day_of_a_meter_without_history_is_its_class_scaled_to_the_registers() -> None:
    expected = ([2.0, 4.0, 6.0, 8.0], [CLASS_PROFILE_SCALED] * 4, SCALED_TO)
    assert filled(day([NAN] * 4, shape=[5.0, 10.0, 15.0, 20.0], register_kwh=20.0)) == expected


def test_one_missing_interval_is_what_the_registers_leave() -> None:
    kwh = half_hours(slice(10, 11))
    values, codes, _ = filled(day(kwh, register_kwh=47.25))
    assert (values[10], codes[10]) == (0.25, LINEAR_SCALED)


def test_the_registers_reach_further_than_the_line_alone() -> None:
    kwh = half_hours(slice(10, 22))
    values, codes, verdict = filled(day(kwh, register_kwh=42.0))
    assert (values[10:22], codes[10], verdict) == ([0.5] * 12, LINEAR_SCALED, SCALED_TO)
    values, codes, verdict = filled(day(half_hours(slice(10, 23)), register_kwh=42.0))
    assert (codes[10], verdict) == (MISSING, NOT_FILLED)


def test_a_part_that_cannot_be_estimated_leaves_the_rest_unscaled_and_no_longer_line() -> None:
    # three hours are bridged with a total only; eight hours not even then
    kwh = np.array(half_hours(slice(2, 8)))
    kwh[20:36] = NAN
    kwh[40] = NAN
    values, codes, verdict = filled(day(kwh.tolist(), register_kwh=40.0))
    assert verdict == NOT_FILLED
    assert (codes[2], codes[20], codes[40], values[40]) == (MISSING, MISSING, LINEAR, 1.0)


@pytest.mark.parametrize("total", [47.0, 46.9, 46.77])
def test_a_known_part_that_is_the_total_leaves_zeros(total: float) -> None:
    values, codes, verdict = filled(day(half_hours(slice(10, 11)), own=1.0, register_kwh=total))
    assert (values[10], codes[10], verdict) == (0.0, LINEAR_SCALED, ZERO_LEFT)


def test_a_known_part_far_above_the_total_is_said_and_the_estimate_is_not_scaled() -> None:
    values, codes, verdict = filled(day(half_hours(slice(10, 11)), own=1.0, register_kwh=40.0))
    assert (values[10], codes[10], verdict) == (1.0, LINEAR, BELOW_KNOWN)


def test_a_total_of_zero_fills_a_missing_day_with_zeros_whatever_is_known() -> None:
    assert filled(day([NAN] * 4, register_kwh=0.0)) == ([0.0] * 4, [LINEAR_SCALED] * 4, ZERO_LEFT)
    assert filled(day([NAN] * 4, own=1.0, register_kwh=0.0)) == ([0.0] * 4, [OWN_PROFILE_SCALED] * 4, ZERO_LEFT)


def test_a_total_which_the_meter_could_not_have_counted_is_said_and_not_used() -> None:
    days = day([NAN] * 4, own=1.0, shape=1.0, register_kwh=400.0, highest_kwh=2.0)
    assert filled(days) == ([1.0] * 4, [OWN_PROFILE] * 4, IMPLAUSIBLE)
    # nor does it raise a class profile
    without = replace(days, own=np.full((4, 1), NAN), daily_kwh=np.array([8.0]))
    assert filled(without) == ([2.0] * 4, [CLASS_PROFILE] * 4, IMPLAUSIBLE)


def test_a_total_is_spread_evenly_where_the_profile_is_zero() -> None:
    assert filled(day([NAN] * 4, own=0.0, register_kwh=2.0, highest_kwh=1.0))[0] == [0.5] * 4


def test_seven_missing_days_add_up_to_the_registers_of_each() -> None:
    rng = np.random.default_rng(1)
    own, totals = rng.gamma(1.0, 0.3, (HALF_HOURS, 7)), rng.uniform(1.0, 30.0, 7).round(2)
    nothing, unknown = np.full((HALF_HOURS, 7), NAN), np.full(7, NAN)
    made = estimated(
        MeterDays(
            nothing,
            30,
            np.ones(HALF_HOURS, bool),
            totals,
            own,
            own,
            unknown,
            unknown,
            unknown,
            nothing,
            unknown,
            unknown,
        )
    )
    assert made.kwh.sum(axis=0) == pytest.approx(totals, abs=1e-9)
    assert made.kwh / made.kwh.sum(axis=0) == pytest.approx(own / own.sum(axis=0), abs=1e-4)


# -- dates of 23 and 25 hours -----------------------------------------------------------------------------------------

SPRING, AUTUMN = date(2025, 3, 30).toordinal(), date(2025, 10, 26).toordinal()


@pytest.mark.parametrize(("ordinal", "points"), [(SPRING, 46), (AUTUMN, 50), (SPRING, 48)])
def test_a_profile_by_the_clock_fills_dates_of_other_lengths_by_the_clock(ordinal: int, points: int) -> None:
    clock = day_clock(ordinal, points, 30, "Europe/London")
    profile = np.arange(HALF_HOURS, dtype=float)[:, None] + 1
    blank, unknown = np.full((points, 1), NAN), np.array([NAN])
    own = at_clock(profile, clock)
    made = estimated(
        MeterDays(blank, 30, clock.expected, unknown, own, own, unknown, unknown, unknown, blank, unknown, unknown)
    )
    expected = np.where(clock.expected, clock.starts / 30 + 1, NAN)
    np.testing.assert_array_equal(made.kwh[:, 0], expected)
    assert (made.code[:, 0] == np.where(clock.expected, OWN_PROFILE, MISSING)).all()


def test_an_interval_which_the_date_does_not_have_is_no_gap() -> None:
    clock = day_clock(SPRING, 48, 30, "Europe/London")
    kwh = np.ones((HALF_HOURS, 3))
    kwh[2:4, 0] = kwh[10, 1] = NAN
    assert days_with_gaps(kwh, clock.expected).tolist() == [1]
    assert days_with_gaps(kwh, np.ones(HALF_HOURS, bool)).tolist() == [0, 1]


# -- ranges -----------------------------------------------------------------------------------------------------------


def test_p10_and_p90_hold_the_estimate_between_them_and_widen_away_from_values() -> None:
    made = estimated(day(half_hours(slice(12, 36)), own=1.0))
    low, high = made.p10_kwh[12:36, 0], made.p90_kwh[12:36, 0]
    assert (low < made.kwh[12:36, 0]).all()
    assert (made.kwh[12:36, 0] < high).all()
    assert (high - low)[0] < (high - low)[12]
    assert np.isnan(made.p10_kwh[:12]).all()


def test_a_total_narrows_the_ranges_and_fixes_the_energy() -> None:
    kwh = half_hours(slice(10, 14))
    free, fixed = estimated(day(kwh, own=1.0)), estimated(day(kwh, own=1.0, register_kwh=48.0))
    widths = [(made.p90_kwh - made.p10_kwh)[10:14, 0] for made in (free, fixed)]
    assert (widths[1] < widths[0]).all()
    assert free.energy_kwh[0] == fixed.energy_kwh[0] == 4.0
    assert fixed.energy_spread_kwh[0] < 0.02 < free.energy_spread_kwh[0]
    one = estimated(day(half_hours(slice(10, 11)), own=1.0, register_kwh=48.0))
    assert one.p10_kwh[10, 0] == one.p90_kwh[10, 0] == 1.0


def test_the_energy_of_errors_that_go_together_is_less_sure_than_of_independent_ones() -> None:
    spread = np.ones((4, 1))
    variance = covariances(spread, np.zeros(1), 30).sum()
    assert 4 < variance < covariances(spread, np.full(1, 0.5), 30).sum() < 16
    assert covariances(spread[:1], np.zeros(1), 30).sum() == 1
    energy, of_run = together(np.array([1.0, 2.0, 5.0]), np.array([3.0, 4.0, 1.0]), np.array([0, 0, 1]), 2)
    assert energy.tolist() == [3.0, 5.0]
    assert 5 < of_run[0] < 7
    assert of_run[1] == 1


def test_intervals_go_together_as_far_as_the_spread_of_whole_days_says() -> None:
    spread = np.ones((HALF_HOURS, 4))
    far = far_alike(spread, np.array([NAN, 1.0, 12.0, 48.0]), 30)
    usual = 0.06
    assert far[0] == usual
    assert far[1] == 0.0 < far[2] < far[3] <= 0.9
    assert far_alike(np.full((HALF_HOURS, 1), NAN), np.array([3.0]), 30) == [usual]


def test_quantiles_are_those_of_a_log_normal_and_of_nothing_when_nothing_is_used() -> None:
    low, high = quantiles(np.array([1.0, 0.0, 2.0]), np.array([0.1, 1.0, 0.0]))
    assert low.tolist() == pytest.approx([0.8756, 0.0, 2.0], abs=1e-3)
    assert high.tolist() == pytest.approx([1.1308, 0.0, 2.0], abs=1e-3)


# -- whatever comes ---------------------------------------------------------------------------------------------------

kwh_values = st.one_of(st.just(NAN), st.floats(0, 50, width=32))
curves = hnp.arrays(np.float64, (24, 3), elements=kwh_values)
numbers = hnp.arrays(np.float64, 3, elements=st.one_of(st.just(NAN), st.floats(0, 500, width=32)))


@st.composite
def blocks(draw: st.DrawFn) -> MeterDays:
    return MeterDays(
        kwh=draw(curves),
        interval_minutes=60,
        expected=draw(hnp.arrays(np.bool_, 24, elements=st.sampled_from([True, True, True, False]))),
        register_kwh=draw(numbers),
        own=draw(curves),
        spread=draw(curves),
        daily_kwh=draw(numbers),
        daily_spread_kwh=draw(numbers),
        highest_kwh=draw(numbers),
        class_shape=draw(curves),
        before=draw(numbers),
        after=draw(numbers),
    )


@settings(max_examples=300, deadline=None)
@given(blocks())
def test_whatever_is_known_estimates_keep_what_was_measured_and_add_up(days: MeterDays) -> None:
    made = estimated(days)
    known, is_filled = ~np.isnan(days.kwh), made.code != MISSING
    np.testing.assert_array_equal(made.kwh[known], days.kwh[known])
    assert not (is_filled & (known | ~days.expected[:, None])).any()
    assert (np.isnan(made.kwh) == ~(known | is_filled)).all()
    assert (made.kwh[is_filled] >= 0).all()
    assert (made.p10_kwh[is_filled] <= made.p90_kwh[is_filled]).all()
    assert (made.p10_kwh[is_filled] >= 0).all()
    for row in np.flatnonzero(is_filled.any(axis=0)):
        total, verdict = days.register_kwh[row], made.verdict[row]
        given_sum = days.kwh[known[:, row], row].sum()
        if verdict == SCALED_TO:
            assert given_sum + made.energy_kwh[row] == pytest.approx(total, abs=10.0**-DECIMALS)
        if verdict == ZERO_LEFT:
            assert made.energy_kwh[row] == 0
        assert np.nansum(made.kwh[is_filled[:, row], row]) == pytest.approx(made.energy_kwh[row], abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(blocks())
def test_a_day_is_estimated_to_the_same_bits_alone_and_among_others(days: MeterDays) -> None:
    together_made = estimated(days)
    for row in range(3):
        one = {name: value[..., row : row + 1] for name, value in vars(days).items() if np.shape(value)[-1:] == (3,)}
        assert_same(estimated(replace(days, **one)), together_made, row)


def assert_same(alone: Estimates, among: Estimates, row: int) -> None:
    for name, value in vars(alone).items():
        np.testing.assert_array_equal(value[..., 0], getattr(among, name)[..., row], err_msg=name)
