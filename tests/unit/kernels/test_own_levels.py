import numpy as np
import pytest

from jobs.kernels.own_levels import own_levels

DATES = 56
WORKING = np.array([day % 7 < 5 for day in range(DATES)])


def test_a_level_which_falls_to_a_half_is_told_at_its_date_whatever_the_weekends() -> None:
    kwh = np.where(WORKING, 10.0, 4.0) * np.where(np.arange(DATES) < 30, 1.0, 0.5)
    own = own_levels(kwh[None, :], WORKING)
    assert own.change[0, 30] == pytest.approx(np.log(0.5), abs=0.02)
    assert (own.days_before[0, 30], own.days_since[0, 30]) == (28, 26)
    # half of the level before has gone over by then
    assert abs(own.change[0, 44]) < 0.6 * abs(own.change[0, 30])


def test_days_without_energy_or_unknown_say_nothing() -> None:
    kwh = np.full((1, DATES), 10.0)
    kwh[0, 10:20], kwh[0, 20:25] = np.nan, 0.0
    own = own_levels(kwh, WORKING)
    assert own.change[0, 30] == pytest.approx(0.0)
    assert own.days_before[0, 30] == 28 - 15 + 0
    assert np.isnan(own.change[0, 0])


def test_a_varied_meter_is_less_sure_than_a_steady_one() -> None:
    varied = np.exp(0.3 * np.random.default_rng(1).standard_normal((200, DATES)))
    own = own_levels(np.concatenate([varied, 1 + 0.01 * varied]), WORKING)
    z = own.change[:200, 28] / own.error[:200, 28]
    # days here do not follow each other, so that the error told is twice what it is
    assert 0.35 < z.std() < 0.65
    assert own.error[200:, 28].max() < own.error[:200, 28].min()
