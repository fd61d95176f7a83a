import numpy as np

from jobs.kernels.loss_steps import DistrictHours, LossStep, loss_steps
from jobs.kernels.own_levels import OwnLevels, own_levels

METERS, DATES, HOURS = 40, 56, 6


def district(metered: dict[int, tuple[int, float]], *, roof: float = 0.0, seed: int = 1) -> DistrictHours:
    """A district of homes; `metered` says of a meter from which date on it shows which share of its energy."""
    rng = np.random.default_rng(seed)
    drawn = 0.3 * np.exp(0.4 * rng.standard_normal((METERS, 1, 1)) + 0.3 * rng.standard_normal((METERS, DATES, HOURS)))
    counted = drawn.copy()
    for meter, (since, share) in metered.items():
        counted[meter, since:] *= share
    counted = np.round(counted, 3)
    flow = drawn.sum(axis=0)
    supplied = flow + 0.1 + 0.002 * flow**2 - roof * rng.random((DATES, HOURS))
    return DistrictHours(supplied, supplied - counted.sum(axis=0), np.zeros((DATES, HOURS)), counted)


def found(
    hours: DistrictHours, lowest: float = 0.2, highest: float = 4.0, own: OwnLevels | None = None
) -> list[LossStep]:
    shape = hours.counted_kwh.shape[:2]
    return loss_steps(hours, own or silent(shape), (np.full(shape, lowest), np.full(shape, highest)))


def silent(shape: tuple[int, ...]) -> OwnLevels:
    """Days of meters which say nothing."""
    return OwnLevels(*(np.full(shape, np.nan) for _ in range(2)), *(np.zeros(shape, np.int64) for _ in range(2)))


def test_a_meter_which_shows_two_fifths_from_a_date_on_is_found_with_date_and_share() -> None:
    [step] = found(district({7: (40, 0.4)}))
    assert (step.meter, step.since) == (7, 40)
    assert abs(step.level - 0.4) < 0.01
    assert abs(step.share - 1.5) < 4 * step.error
    assert step.likelihood > 0.99


def test_two_meters_of_a_district_are_told_apart() -> None:
    steps = found(district({7: (40, 0.4), 23: (20, 0.65)}))
    assert {(step.meter, step.since) for step in steps} == {(7, 40), (23, 20)}


def test_a_meter_that_counts_three_times_too_much_takes_from_the_loss() -> None:
    hours = district({5: (30, 3.0)})
    [step] = found(hours, lowest=-0.9)
    assert (step.meter, step.since) == (5, 30)
    assert abs(step.level - 3.0) < 0.05
    assert found(hours) == [], "and of a meter without transformers nobody says so"


def test_large_ones_which_hide_each_other_are_found_by_their_own_days() -> None:
    wrong = {5: (0, 90.0), 11: (31, 30.0), 30: (32, 20.0), 7: (33, 0.3)}
    hours = district(wrong)
    own = own_levels(hours.counted_kwh.sum(axis=2), np.ones(DATES, np.bool_))
    told = {(step.meter, step.since) for step in found(hours, lowest=-0.99, own=own)}
    assert told == {(11, 31), (30, 32), (7, 33)}


def test_of_two_meters_alike_the_one_whose_own_days_agree_is_likelier() -> None:
    hours = district({7: (50, 0.7)})
    # another home with the very same curve, but for its own days
    hours.counted_kwh[8] = hours.counted_kwh[7]
    assert all(step.likelihood < 0.6 for step in found(hours))
    shape = hours.counted_kwh.shape[:2]
    own = silent(shape)
    own.change[[7, 8], 50], own.error[[7, 8], 50] = np.log([0.7, 1.0]), 0.1
    [step] = found(hours, own=own)
    assert (step.meter, step.since) == (7, 50)
    assert step.likelihood > 0.9


def test_what_was_wrong_before_the_window_is_no_break_in_it() -> None:
    assert found(district({7: (0, 0.4)})) == []
    [step] = found(district({7: (0, 0.4), 23: (35, 0.5)}))
    assert (step.meter, step.since) == (23, 35)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert [found(district({}, seed=seed)) for seed in range(5)] == [[]] * 5


def test_a_loss_which_is_out_of_line_for_a_day_is_nobodys_break() -> None:
    hours = district({})
    hours.loss_kwh[44] += 5.0
    assert found(hours) == []


def test_noise_of_roofs_hides_what_is_small_and_names_nobody_else() -> None:
    assert {step.meter for step in found(district({7: (40, 0.4)}, roof=8.0))} <= {7}


def test_a_district_of_which_nothing_is_known_tells_nothing() -> None:
    nothing = np.full((DATES, HOURS), np.nan)
    assert found(DistrictHours(nothing, nothing, nothing, np.zeros((3, DATES, HOURS)))) == []
    assert found(DistrictHours(nothing, nothing, nothing, np.zeros((0, DATES, HOURS)))) == []
