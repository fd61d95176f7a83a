"""Interval widths after scaling."""

import numpy as np
import pytest

from jobs.models.conformal import IntervalScale, blend, interval_scale, no_scale


def test_intervals_which_were_too_narrow_are_stretched_until_they_hold_what_they_promise():
    random = np.random.default_rng(3)
    truth = random.normal(100.0, 10.0, (500, 4))
    forecasts = np.broadcast_to(np.array([93.0, 100.0, 107.0]), (500, 4, 3))
    scale = interval_scale(truth, forecasts, (1,), (0.1, 0.5, 0.9))
    fresh = random.normal(100.0, 10.0, (500, 4))
    wider = scale.apply(forecasts)
    assert (wider[..., 1] == 100.0).all()
    inside = ((fresh >= wider[..., 0]) & (fresh <= wider[..., 2])).mean()
    assert inside == pytest.approx(0.8, abs=0.03)


def test_each_side_and_each_group_of_days_has_its_own_factor():
    scale = IntervalScale((1, 3), (1.0, 2.0), (1.0, 0.5))
    forecasts = np.broadcast_to(np.array([8.0, 10.0, 12.0]), (1, 4, 3))
    got = scale.apply(forecasts)[0]
    assert got[1].tolist() == [8.0, 10.0, 12.0]
    assert got[2].tolist() == [6.0, 10.0, 11.0]


def test_too_few_known_days_change_nothing():
    truth = np.full((10, 4), np.nan)
    forecasts = np.broadcast_to(np.array([8.0, 10.0, 12.0]), (10, 4, 3))
    assert interval_scale(truth, forecasts, (1, 3), (0.1, 0.5, 0.9)) == no_scale((1, 3))


def test_a_blend_lies_between_the_old_scale_and_the_new():
    old, new = IntervalScale((1,), (1.0,), (1.0,)), IntervalScale((1,), (1.21,), (0.5,))
    half = blend(old, new, 0.5)
    assert half.lower == pytest.approx((1.1,))
    assert half.upper == pytest.approx((0.5**0.5,))
    assert blend(old, new, 1.0) == new
    assert blend(IntervalScale((1, 3), (1.0, 1.0), (1.0, 1.0)), new, 0.5) == new
