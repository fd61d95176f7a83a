"""A clock which moved is told by the meter's own days: which way, by how much, and where nothing can be said."""

from dataclasses import fields
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jobs.kernels.clock import day_clock
from jobs.kernels.clock_history import FEWEST_EARLIER, FEWEST_RECENT, ClockShifts, clock_shifts
from jobs.kernels.meter_profiles import WINDOW_DAYS, meter_profiles, on_clock

NAN = float("nan")
# four weeks from a Monday on
IS_WORKING = np.arange(WINDOW_DAYS) % 7 < 5
# kWh of each hour: a home with a morning and an evening, at home at noon on weekends
USUAL = np.array(
    [.2, .2, .2, .2, .2, .3, .8, 1.2, .7, .4, .3, .3, .4, .4, .3, .3, .5, 1., 1.8, 2., 1.6, 1.2, .7, .3]
)  # fmt: skip


def homes(count: int = 40, noise: float = 0.5, slots: int = 24, seed: int = 5) -> np.ndarray:
    """(days, slots, homes) four weeks of homes which go by their habits, each hour up or down by chance."""
    rng = np.random.default_rng(seed)
    days = np.where(IS_WORKING[:, None], USUAL, USUAL + 0.3 * np.isin(np.arange(24), range(10, 16)))
    kwh = days[:, :, None] * np.exp(noise * rng.standard_normal((WINDOW_DAYS, 24, count)))
    parts = slots // 24
    return np.ascontiguousarray(np.repeat(kwh, parts, axis=1) / parts)


def moved(kwh: np.ndarray, hours: int, days: int) -> np.ndarray:
    """The last days come later by so many hours."""
    out = kwh.copy()
    out[-days:] = np.roll(out[-days:], hours * kwh.shape[1] // 24, axis=1)
    return out


def seen(kwh: np.ndarray) -> ClockShifts:
    return clock_shifts(kwh, IS_WORKING)


@pytest.mark.parametrize("slots", [24, 48, 96])
@pytest.mark.parametrize("days", [7, 14])
@pytest.mark.parametrize("hours", [1, 3, -2, -6])
def test_a_moved_clock_is_found_with_its_hours_and_days_late_above_zero(hours: int, days: int, slots: int) -> None:
    made = seen(moved(homes(noise=0.3, slots=slots), hours, days))
    assert made.minutes.tolist() == [60 * hours] * 40
    assert made.days.tolist() == [days] * 40
    assert (made.errors > 5.5).all()


def test_where_nothing_moved_nothing_is_seen_and_that_is_told() -> None:
    made = seen(homes(400))
    assert not made.minutes.any()
    assert not made.days.any()
    assert (made.errors < 5.5).all()


def test_more_noise_is_less_sure() -> None:
    shares = [(seen(moved(homes(100, noise), 1, 7)).minutes == 60).mean() for noise in (0.3, 0.7, 1.2)]
    assert shares[0] == 1.0
    assert shares[0] > shares[1] > shares[2]


def test_a_customer_who_uses_more_or_less_at_the_same_hours_is_not_flagged() -> None:
    kwh = homes(100)
    kwh[-7:] *= 5.0
    assert not seen(kwh).minutes.any()
    # a heating that runs day and night
    kwh[-14:] += 1.0
    assert not seen(kwh).minutes.any()


def test_what_lay_at_these_hours_before_is_no_moved_clock() -> None:
    # a customer in shifts: every other week comes later by four hours
    kwh = homes(100)
    for week in (1, 3):
        days = slice(7 * week, 7 * week + 7)
        kwh[days] = np.roll(kwh[days], 4, axis=1)
    assert (seen(kwh).minutes != 0).mean() <= 0.01


def test_a_longer_weekend_is_held_against_weekends() -> None:
    worked = IS_WORKING.copy()
    worked[-7:] = False
    kwh = homes(100)
    kwh[-7:] = kwh[[5, 6, 12, 13, 19, 20, 5]]
    assert not clock_shifts(kwh, worked).minutes.any()


def test_a_clock_that_is_put_right_is_told_as_moved_back() -> None:
    kwh = moved(moved(homes(noise=0.3), 2, WINDOW_DAYS), -2, 7)
    made = seen(kwh)
    assert made.minutes.tolist() == [-120] * 40


def test_days_of_23_and_25_hours_do_no_harm() -> None:
    usual = np.repeat(homes(60, noise=0.3), 2, axis=1) / 2
    for day, points in ((date(2025, 3, 30), 46), (date(2025, 10, 26), 50)):
        clock = day_clock(day.toordinal(), points, 30, "Europe/London")
        # the customer goes by the clock of the date, which the Sunday of the last week has changed
        kwh = usual.copy()
        kwh[-1] = on_clock(usual[-1][clock.starts // 30], clock)
        assert np.isnan(kwh[-1]).any() == (points == 46)
        assert not seen(kwh).minutes.any()
        assert (seen(moved(kwh, 2, 7)).minutes == 120).all()


def test_with_too_few_complete_days_on_either_side_nothing_is_told() -> None:
    kwh = moved(homes(4, noise=0.2), 3, 7)
    # a day which lacks an hour is not complete
    few = kwh.copy()
    few[-7 : -(FEWEST_RECENT - 1), 5, 0] = NAN
    few[: 21 - (FEWEST_EARLIER - 1), 5, 1] = NAN
    few[-7:-FEWEST_RECENT, 5, 2] = NAN
    few[: 21 - FEWEST_EARLIER, 5, 3] = NAN
    made = seen(few)
    assert made.minutes[2:].tolist() == [180, 180]
    # the first still has fourteen days, the last seven of which say little; the second has nothing to be held against
    assert np.isnan(made.errors).tolist() == [False, True, False, False]
    assert (made.minutes[0], made.minutes[1], made.days[1]) == (0, 0, 0)


def test_intervals_longer_than_an_hour_days_without_energy_and_even_ones_have_no_hours() -> None:
    assert np.isnan(clock_shifts(np.ones((WINDOW_DAYS, 12, 3)), IS_WORKING).errors).all()
    assert np.isnan(seen(np.zeros((WINDOW_DAYS, 24, 3))).errors).all()
    even = seen(np.full((WINDOW_DAYS, 24, 3), 0.7))
    assert (even.minutes.tolist(), even.errors.tolist()) == ([0, 0, 0], [0.0, 0.0, 0.0])


def test_a_steady_meter_whose_small_peak_goes_with_the_sun_has_not_moved() -> None:
    # three minutes a day; it varies by nothing else
    off = np.arange(24) - 19.0 + 0.05 * np.arange(WINDOW_DAYS)[:, None]
    kwh = 1.0 + 0.15 * np.exp(-(off**2) / 8)
    assert seen(kwh[:, :, None]).minutes[0] == 0


def test_days_which_fit_less_well_but_no_better_when_moved_are_no_moved_clock() -> None:
    # in the last week three tenths of what a home uses come three hours later
    kwh = homes(noise=0.3)
    kwh[-7:] = 0.7 * kwh[-7:] + 0.3 * np.roll(kwh[-7:], 3, axis=1)
    made = seen(kwh)
    assert (made.errors > 5.5).mean() > 0.3
    assert not made.minutes.any()


def test_a_day_is_not_held_against_itself() -> None:
    # of days without any habit the earlier ones are no more alike than the last ones
    rng = np.random.default_rng(7)
    made = seen(rng.exponential(1.0, (WINDOW_DAYS, 24, 300)))
    assert made.errors.mean() < 2.3


def test_a_profile_carries_it_and_leaves_out_days_which_are_faulty() -> None:
    kwh = moved(homes(20, noise=0.3), 2, 7)
    # a day of another unit in the wrong place, and a value below zero
    kwh[3] *= 60.0
    kwh[4, 0] = -1.0
    made = meter_profiles(kwh, IS_WORKING)
    assert made.clock_shift_minutes.tolist() == [120] * 20
    assert made.clock_shift_days.tolist() == [7] * 20
    assert made.clock_shift_errors.dtype == np.float32


cubes = hnp.arrays(
    np.float64, (WINDOW_DAYS, 24, 3), elements=st.one_of(st.just(NAN), st.just(0.0), st.floats(0, 50, width=32)),
    fill=st.floats(0, 3, width=32),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(cubes, st.integers(-6, 6))
def test_a_meter_has_the_same_bits_alone_and_among_others(cube: np.ndarray, hours: int) -> None:
    together = np.concatenate([cube, moved(homes(6, 0.4), hours, 7), moved(homes(60), hours, 14)], axis=2)
    among = seen(together)
    for meter in (0, 1, 2, 3, 8, 68):
        alone = seen(np.ascontiguousarray(together[:, :, meter : meter + 1]))
        # the same values in another order of memory
        strided = seen(np.asfortranarray(together[:, :, [meter, 0]]))
        for field in fields(ClockShifts):
            one = getattr(among, field.name)[meter]
            np.testing.assert_array_equal(getattr(alone, field.name)[0], one, err_msg=field.name)
            np.testing.assert_array_equal(getattr(strided, field.name)[0], one, err_msg=field.name)
