"""Losses on numbers one can check by hand."""

import numpy as np
import pytest

from jobs.models.losses import pinball, score


def test_pinball_charges_a_low_quantile_more_for_being_too_high():
    assert pinball(np.array([10.0]), np.array([12.0]), 0.1) == pytest.approx([1.8])
    assert pinball(np.array([10.0]), np.array([8.0]), 0.1) == pytest.approx([0.2])


def test_a_perfect_forecast_loses_nothing_and_holds_everything():
    truth = np.array([[1.0, 2.0]])
    s = score(truth, np.repeat(truth[..., None], 3, axis=-1))
    assert (s.wql, s.wape, s.cover, s.points) == (0.0, 0.0, 1.0, 2)


def test_the_score_is_weighted_by_energy_and_averaged_over_quantiles():
    truth = np.array([10.0, 30.0])
    forecasts = np.array([[8.0, 12.0, 14.0], [20.0, 30.0, 35.0]])
    # P10: .1*2 + .1*10 = 1.2; P50: 1 + 0 = 1; P90: .1*4 + .1*5 = .9 -> twice their mean over 40 kWh
    s = score(truth, forecasts)
    assert s.wql == pytest.approx(2 * (1.2 + 1.0 + 0.9) / 3 / 40)
    assert s.wape == pytest.approx(2 / 40)
    assert s.cover == 1.0


def test_unknown_days_are_neither_an_error_nor_a_success():
    truth = np.array([10.0, np.nan, 5.0])
    forecasts = np.array([[9.0, 10.0, 11.0], [0.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    s = score(truth, forecasts)
    assert (s.wape, s.cover, s.points) == (0.0, 1.0, 1)


def test_no_known_day_gives_no_score():
    s = score(np.array([np.nan]), np.array([[1.0, 2.0, 3.0]]))
    assert np.isnan(s.wql)
    assert s.points == 0
