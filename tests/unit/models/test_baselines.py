"""Naive forecasts on numbers one can check by hand."""

import numpy as np
import pytest

from jobs.models.baselines import (
    BASELINES,
    quantiles_of_known,
    recent_quantiles,
    same_weekdays,
    seasonal_naive,
    weekday_median,
)

QUANTILES = (0.1, 0.5, 0.9)


def test_quantiles_leave_out_what_is_unknown():
    values = np.array([[3.0, np.nan, 1.0, 2.0], [np.nan, np.nan, np.nan, np.nan], [np.nan, 5.0, np.nan, np.nan]])
    got = quantiles_of_known(values, (0.0, 0.5, 1.0))
    assert got[0].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(got[1]).all()
    assert got[2].tolist() == [5.0, 5.0, 5.0]


def test_quantiles_are_those_of_numpy():
    values = np.random.default_rng(1).normal(size=(5, 29))
    assert quantiles_of_known(values, QUANTILES) == pytest.approx(np.quantile(values, QUANTILES, axis=1).T)


def test_same_weekdays_are_whole_weeks_before_the_target_and_never_after_the_origin():
    window = np.arange(84.0)[None, :]  # the origin is day 83
    got = same_weekdays(window, 14, 4)[0]
    targets = 83 + np.arange(1, 15)
    assert ((targets[:, None] - got) % 7 == 0).all()
    assert got.max() <= 83
    assert got[0].tolist() == [77, 70, 63, 56]  # tomorrow: a week before it, and so on
    assert got[13].tolist() == [83, 76, 69, 62]  # in two weeks: the origin itself


def test_a_window_which_is_too_short_is_refused():
    with pytest.raises(ValueError, match="too short"):
        same_weekdays(np.ones((1, 20)), 14, 4)


def test_a_weekly_rhythm_is_repeated_by_the_seasonal_naive_without_any_spread():
    week = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    window = np.tile(week, 12)[None, :]
    got = seasonal_naive(window, 14, QUANTILES)[0]
    assert got[:, 1].tolist() == [*week, *week]
    assert (got[:, 0] == got[:, 1]).all()
    assert (got[:, 2] == got[:, 1]).all()


def test_seasonal_naive_spreads_by_the_customers_own_weekly_differences():
    window = np.repeat(np.arange(12.0), 7)[None, :] * 10.0  # 10 kWh more each week: every difference is 10
    got = seasonal_naive(window, 1, QUANTILES)[0, 0]
    assert got.tolist() == [120.0, 110.0, 120.0]


def test_seasonal_naive_takes_an_earlier_week_where_the_last_is_unknown():
    window = np.tile(np.arange(7.0), 12)[None, :]
    window[0, -7] = np.nan
    assert seasonal_naive(window, 1, QUANTILES)[0, 0, 1] == 0.0
    window[0, -8] = np.nan  # another weekday: changes nothing
    assert seasonal_naive(window, 1, QUANTILES)[0, 0, 1] == 0.0


def test_weekday_median_ignores_one_odd_week():
    window = np.full((1, 84), 5.0)
    window[0, -7] = 500.0
    assert weekday_median(window, 7, QUANTILES)[0, 0, 1] == 5.0


def test_recent_quantiles_are_flat_and_see_28_days_only():
    window = np.concatenate([np.full(56, 1000.0), np.arange(28.0)])[None, :]
    got = recent_quantiles(window, 3, QUANTILES)[0]
    assert got[0] == pytest.approx([2.7, 13.5, 24.3])
    assert (got == got[0]).all()


@pytest.mark.parametrize("name", list(BASELINES))
def test_an_unknown_customer_has_no_baseline_and_nobody_goes_below_zero(name):
    window = np.vstack([np.full(84, np.nan), np.random.default_rng(2).exponential(1.0, 84)])
    got = BASELINES[name](window, 14, QUANTILES)
    assert got.shape == (2, 14, 3)
    assert np.isnan(got[0]).all()
    assert got[1].min() >= 0.0
