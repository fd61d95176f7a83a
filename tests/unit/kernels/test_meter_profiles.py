from dataclasses import fields
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jobs.kernels.clock import day_clock
from jobs.kernels.meter_profiles import (
    FEWEST_DAYS,
    HOURS,
    WINDOW_DAYS,
    MeterProfiles,
    at_clock,
    at_temperature,
    laid_out,
    meter_profiles,
    on_clock,
)

NAN = float("nan")
# four weeks from a Monday on
IS_WORKING = np.arange(WINDOW_DAYS) % 7 < 5
SPRING, AUTUMN = date(2025, 3, 30).toordinal(), date(2025, 10, 26).toordinal()


def profile(*days: list[float], before: list[float] | None = None) -> MeterProfiles:
    """The profile of one meter whose last days these are; the days before them are `before`, or not known."""
    slots = len(days[0])
    older = [before or [NAN] * slots] * (WINDOW_DAYS - len(days))
    return meter_profiles(np.array([*older, *days])[:, :, None], IS_WORKING)


def test_equal_days_are_their_profile() -> None:
    made = profile(*[[1.0] * 24] * WINDOW_DAYS)
    assert made.working_kwh[:, 0].tolist() == pytest.approx([1.0] * 24)
    assert made.other_kwh[:, 0].tolist() == pytest.approx([1.0] * 24)
    assert made.spread_kwh[:, 0].tolist() == pytest.approx([0.0] * HOURS, abs=1e-6)
    assert (made.days[0], made.dropped_days[0], made.daily_kwh[0]) == (28, 0, 24.0)
    assert made.daily_spread_kwh[0] == pytest.approx(0.0, abs=1e-6)


def test_a_type_of_day_leans_to_its_own_days_and_to_the_recent_ones() -> None:
    days = np.where(IS_WORKING, 1.0, 2.0)
    made = meter_profiles(np.broadcast_to(days[:, None, None], (WINDOW_DAYS, 4, 1)), IS_WORKING)
    assert 1.0 < made.working_kwh[0, 0] < 1.2
    assert 1.5 < made.other_kwh[0, 0] < 2.0
    rising = meter_profiles(np.arange(1.0, 29.0)[:, None, None] * np.ones((1, 4, 1)), IS_WORKING)
    assert rising.working_kwh[0, 0] > 16.0


def test_a_slot_takes_a_little_from_its_neighbours_around_the_clock_and_no_energy_is_lost() -> None:
    made = profile(*[[4.0, 0.0, 0.0, 0.0, 0.0, 0.0]] * WINDOW_DAYS)
    curve = made.working_kwh[:, 0]
    assert curve.sum() == pytest.approx(4.0)
    assert curve[1] == curve[5] > 0 == curve[2]
    assert curve[0] > 2.0


def test_the_spread_is_that_of_a_day_which_is_not_in_the_mean() -> None:
    rng = np.random.default_rng(3)
    kwh = rng.normal(10.0, 1.0, (WINDOW_DAYS, 24, 400))
    full = meter_profiles(kwh, IS_WORKING).spread_kwh
    few = meter_profiles(np.where(np.arange(WINDOW_DAYS)[:, None, None] >= 22, kwh, NAN), IS_WORKING).spread_kwh
    assert full.mean() == pytest.approx(1.05, abs=0.04)
    daily = meter_profiles(kwh, IS_WORKING).daily_spread_kwh
    assert daily.mean() == pytest.approx(1.05 * np.sqrt(24), rel=0.05)
    # few days know their mean less well, so a new one lies further from it
    assert few.mean() > full.mean()


def test_fewer_days_than_needed_are_no_curve_to_estimate_with_but_say_how_much_the_meter_uses() -> None:
    made = profile(*[[1.0, 2.0, 3.0, 4.0]] * (FEWEST_DAYS - 1))
    assert np.isnan(made.of_type(True)).all()
    assert made.daily_kwh[0] == 10.0
    assert not np.isnan(profile(*[[1.0, 2.0, 3.0, 4.0]] * FEWEST_DAYS).of_type(False)).any()


def test_a_meter_without_any_day_has_nothing() -> None:
    made = profile([NAN] * 4)
    assert made.days[0] == made.longest_zero_run[0] == 0
    for name in ("working_kwh", "other_kwh", "spread_kwh", "daily_kwh", "highest_kwh", "zero_share", "night_min_kwh"):
        assert np.isnan(getattr(made, name)).all(), name


def test_a_day_of_another_unit_and_a_spike_are_left_out_and_counted() -> None:
    usual = [1.0] * 24
    clean = profile(*[usual] * 10, before=usual)
    with_faults = profile([60.0] * 24, usual, [1.0] * 23 + [900.0], *[usual] * 7, before=usual)
    assert with_faults.dropped_days[0] == 2
    assert with_faults.highest_kwh[0] == 1.0
    np.testing.assert_allclose(with_faults.working_kwh, clean.working_kwh)


def test_a_customer_who_comes_home_is_no_fault() -> None:
    made = profile(*[[8.0] * 24] * 4, before=[0.5] * 24)
    assert (made.dropped_days[0], made.highest_kwh[0]) == (0, 8.0)


def test_negative_values_count_as_not_measured() -> None:
    made = profile(*[[1.0, -5.0, 1.0, 1.0]] * WINDOW_DAYS)
    assert np.isnan(made.daily_kwh[0])
    assert made.working_kwh[0, 0] == 1.0


def test_figures_of_the_window_are_those_which_a_day_is_judged_by() -> None:
    first = [0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0, 1.0]
    second = [0.0, 0.5, NAN, 0.0, 0.0, 1.0, 5.0, 3.0]
    made = profile(first, second)
    assert (made.longest_zero_run[0], made.longest_constant_run[0]) == (3, 4)
    assert made.highest_kwh[0] == 5.0
    assert made.zero_share[0] == pytest.approx(6 / 15)
    # only the first day is complete; the night is the first quarter of the day
    assert (made.daily_kwh[0], made.night_min_kwh[0]) == (9.0, 0.0)
    assert np.isnan(made.daily_spread_kwh[0])


def test_runs_end_with_the_day_and_at_a_gap() -> None:
    made = profile([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, NAN, 0.0])
    assert made.longest_zero_run[0] == 3
    made = profile([3.0, 3.0, NAN, 3.0], [3.0, 1.0, 1.0, 2.0])
    assert made.longest_constant_run[0] == 2


def test_meter_days_in_any_order_are_laid_out_by_day_and_those_outside_the_window_left_out() -> None:
    kwh = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    cube = laid_out(kwh, np.array([1, 0, 0]), np.array([27, 0, 28]), 2)
    assert cube.shape == (WINDOW_DAYS, 2, 2)
    assert cube[27, :, 1].tolist() == [1.0, 4.0]
    assert cube[0, :, 0].tolist() == [2.0, 5.0]
    assert (~np.isnan(cube)).sum() == 4


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="28 days, not from 3"):
        meter_profiles(np.ones((3, 4, 1)), np.ones(3, bool))


# -- the clock --------------------------------------------------------------------------------------------------------


def test_a_date_of_23_hours_says_nothing_of_the_hour_it_skips() -> None:
    clock = day_clock(SPRING, 46, 30, "Europe/London")
    slots = on_clock(np.arange(46.0)[:, None], clock)
    assert slots.shape == (48, 1)
    assert slots[:5, 0].tolist() == pytest.approx([0.0, 1.0, NAN, NAN, 2.0], nan_ok=True)
    np.testing.assert_array_equal(at_clock(slots, clock)[:, 0], np.arange(46.0))


def test_a_date_of_25_hours_says_the_mean_of_the_hour_it_repeats() -> None:
    clock = day_clock(AUTUMN, 50, 30, "Europe/London")
    kwh = np.ones((50, 1))
    kwh[4:6] = 3.0
    slots = on_clock(kwh, clock)
    assert slots[:5, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 1.0]
    kwh[2:4] = NAN
    assert on_clock(kwh, clock)[2, 0] == 3.0


def test_a_value_at_an_hour_which_the_date_does_not_have_is_not_used() -> None:
    clock = day_clock(SPRING, 48, 30, "Europe/London")
    assert np.isnan(on_clock(np.ones((48, 1)), clock)[2:4]).all()


def test_hours_are_laid_over_the_intervals_within_them() -> None:
    clock = day_clock(SPRING, 46, 30, "Europe/London")
    hours = np.arange(24.0)[:, None]
    assert at_clock(hours, clock)[:6, 0].tolist() == [0.0, 0.0, 2.0, 2.0, 3.0, 3.0]


# -- whatever comes ---------------------------------------------------------------------------------------------------

cubes = hnp.arrays(
    np.float64, (WINDOW_DAYS, 6, 3), elements=st.one_of(st.just(NAN), st.just(0.0), st.floats(-1, 50, width=32))
)


@settings(max_examples=60, deadline=None)
@given(cubes)
def test_a_meter_has_the_same_bits_alone_and_among_others_and_no_curve_below_zero(cube: np.ndarray) -> None:
    among = meter_profiles(cube, IS_WORKING)
    for meter in range(3):
        alone = meter_profiles(cube[:, :, meter : meter + 1], IS_WORKING)
        picked = among.take(np.array([meter]))
        for field in fields(MeterProfiles):
            np.testing.assert_array_equal(getattr(alone, field.name), getattr(picked, field.name), err_msg=field.name)
    assert not (among.working_kwh < 0).any()
    assert (among.days + among.dropped_days <= WINDOW_DAYS).all()


def warmth(*days: float, before: float = NAN) -> np.ndarray:
    return np.array([*[before] * (WINDOW_DAYS - len(days)), *days])[:, None]


def test_a_meter_that_uses_more_on_warm_days_answers_to_temperature() -> None:
    celsius = np.linspace(20.0, 30.0, WINDOW_DAYS)
    # a tenth more than its 24 kWh for each degree above 25
    hourly = 1.0 + 0.1 * (celsius - 25.0)
    kwh = np.repeat(hourly[:, None, None], 24, axis=1)
    made = meter_profiles(kwh, IS_WORKING, celsius[:, None])
    assert made.temperature_c[0] == 25.0
    # drawn a little towards no answer
    assert 0.04 < made.per_degree[0] < 0.1
    none = meter_profiles(np.ones((WINDOW_DAYS, 24, 1)), IS_WORKING, celsius[:, None])
    assert none.per_degree[0] == 0.0


def test_of_few_days_with_a_temperature_no_answer_is_known() -> None:
    kwh = np.ones((WINDOW_DAYS, 4, 1))
    for few in (warmth(*[20.0] * 9), warmth(*[NAN] * 5)):
        made = meter_profiles(kwh, IS_WORKING, few)
        assert np.isnan(made.per_degree[0])
        assert np.isnan(made.temperature_c[0])
    assert meter_profiles(kwh, IS_WORKING, warmth(*[20.0] * 10)).temperature_c[0] == 20.0
    assert np.isnan(meter_profiles(kwh, IS_WORKING).per_degree[0])
    # a day that is not complete says nothing of the energy of days
    gapped = kwh.copy()
    gapped[-3:, 0] = NAN
    assert np.isnan(meter_profiles(gapped, IS_WORKING, warmth(*[20.0] * 12)).per_degree[0])


def test_a_day_is_brought_to_its_temperature_within_bounds() -> None:
    share = at_temperature(np.array([0.05, 0.05, 0.05, NAN, 0.05]), np.full(5, 20.0), np.array([22, 60, -40, 30, NAN]))
    assert share.tolist() == [1.1, 2.0, 0.5, 1.0, 1.0]
