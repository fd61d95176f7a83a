"""Whether the days of a meter came to lie at other hours of the clock than in its own past: a moved clock, or habits.

The shape of each day is compared with the mean shape of the meter's earlier days, as it stands and moved by whole
hours. A single day of a home resembles its past too little to tell an hour's shift from another day; a week of days
that fit better when moved, and do so by far more than the days before them did, tells it. Sums run over hours and days
in their order, so a meter has the same bits whatever batch it comes in. The constants were measured on half-hours of
London households (`python -m jobs.kernels.clock_trial`) and on the generated province.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.kernels.energy_ranges import added

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int32]

_HOURS, _MINUTES = 24, 60
# clocks are looked for that are wrong by up to so many hours, as by registers (jobs/kernels/day_checks.py)
_MOST_HOURS_SHIFTED = 6
# with fewer complete days on either side it is not known how much one day differs from another
FEWEST_RECENT, FEWEST_EARLIER = 5, 10
# a day of the other type (working or not) says a quarter of what one of the same type says of the hours of a day
_OTHER_TYPE = 0.25
# a mean shape which differs less than that from an even one has no hours to be known by; and days are never taken to
# be more alike than that: what is nearly the same every day goes with the sun, by clear standard errors
_FLAT, _LEAST_SPREAD = 1e-6, 0.01
# standard errors by which the moved clock must fit better than the clock as it is
_FITS_BETTER = 3.0
# and by which it must do so more than on the days before; by how many last days of the window are held against those
# before them. A wrong clock of one week is clearest against three right ones, in its second week only two are right.
# So many because the best of twelve lags counts and because weeks differ by more than their days do, two weeks more
# often than one: each is passed by 1 of 2,000 meter weeks of homes whose clock is right
_LEFT_ITS_PAST = {7: 5.5, 14: 7.0}
RECENT_DAYS = tuple(_LEFT_ITS_PAST)


@dataclass(frozen=True, eq=False)
class ClockShifts:
    """What the days say of a meter's clock, (meters,) each.

    minutes: by how much the last days come late (+) or early (-), 0 where nothing is seen. days: how many dates at the
    end of the window do so, 0 where nothing is seen. errors: standard errors by which the last days left their past;
    NaN where too few days are complete to tell, or the intervals are longer than an hour.
    """

    minutes: Counts
    days: Counts
    errors: Singles


def clock_shifts(kwh: Floats, is_working: Bools) -> ClockShifts:
    """From curves (days, slots, meters) by time of the clock, NaN where nothing is known, oldest day first.

    Of the hours of a complete day the fourth roots are taken, so that one oven does not make the day, and brought to
    length 1: y(h). Its reference r(h) is the mean of the earlier days but itself, less its own mean over the hours,
    brought to length 1. A day says of a lag l: s = sum over h of y(h) (r(h - l) - r(h)), above 0 where a clock which is
    l hours late fits it better. The lag with the highest mean of s over the last days counts.
    """
    days, slots, meters = kwh.shape
    nothing = np.zeros(meters, dtype=np.int32)
    found = ClockShifts(nothing, nothing, np.full(meters, np.nan, dtype=np.float32))
    if slots % _HOURS:
        return found
    shape, told = _shapes(kwh)
    for recent, least in _LEFT_ITS_PAST.items():
        is_early = np.arange(days) < days - recent
        lag, fits, left = _best_lag(shape, _references(shape, told, is_early, is_working), told, is_early)
        early, late = told[is_early].sum(axis=0), told[~is_early].sum(axis=0)
        is_moved = (fits > _FITS_BETTER) & (left > least)
        # what is seen goes before what is not, then the clearer of the two
        is_clearer = np.where(is_moved == (found.days > 0), ~(left <= found.errors), is_moved)
        taken = is_clearer & (early >= FEWEST_EARLIER) & (late >= FEWEST_RECENT)
        found = ClockShifts(
            np.where(taken, np.where(is_moved, lag * _MINUTES, 0), found.minutes).astype(np.int32),
            np.where(taken, np.where(is_moved, recent, 0), found.days).astype(np.int32),
            np.where(taken, left, found.errors).astype(np.float32),
        )
    return found


def _shapes(kwh: Floats) -> tuple[Floats, Bools]:
    """(24, days, meters) the shape of each day, zeros where it is not told; (days, meters) whether it is.

    A day that is not known in full, or without any energy, has none.
    """
    days, slots, meters = kwh.shape
    hours = added(kwh.reshape(days, _HOURS, slots // _HOURS, meters).transpose(2, 1, 0, 3))
    roots = np.sqrt(np.sqrt(hours))
    length = np.sqrt(added(roots**2))
    told = length > 0
    return np.where(told, roots / np.where(told, length, 1.0), 0.0), told


def _references(shape: Floats, told: Bools, is_early: Bools, is_working: Bools) -> Floats:
    """(24, days, meters) what each day is compared with; zeros where nothing is, or what is has no hours."""
    out = np.zeros(shape.shape)
    of_type = {kind: is_early & (is_working == kind) for kind in (True, False)}
    totals = {kind: added(shape[:, days].swapaxes(0, 1)) for kind, days in of_type.items()}
    counts = {kind: told[days].sum(axis=0) for kind, days in of_type.items()}
    for day, kind in enumerate(is_working.tolist()):
        total = totals[kind] + _OTHER_TYPE * totals[not kind]
        behind = counts[kind] + _OTHER_TYPE * counts[not kind]
        if is_early[day]:
            total, behind = total - shape[:, day], behind - told[day]
        mean = np.where(behind > 0, total / np.where(behind > 0, behind, 1.0), 0.0)
        off = mean - added(mean) / _HOURS
        length = np.sqrt(added(off**2))
        out[:, day] = np.where(length > _FLAT, off / np.where(length > _FLAT, length, 1.0), 0.0)
    return out


def _best_lag(shape: Floats, reference: Floats, told: Bools, is_early: Bools) -> tuple[Counts, Floats, Floats]:
    """(meters,) the lag, hours, which fits the last days best; by how many standard errors; and by how many more."""
    as_it_is = _alike(shape, reference, 0)
    meters = shape.shape[2]
    lag, best = np.zeros(meters, dtype=np.int32), np.full(meters, -np.inf)
    fits, left = np.zeros(meters), np.zeros(meters)
    for hours in range(-_MOST_HOURS_SHIFTED, _MOST_HOURS_SHIFTED + 1):
        if hours:
            gain = _alike(shape, reference, hours) - as_it_is
            now, now_variance, now_count = _moments(gain[~is_early], told[~is_early])
            before, before_variance, before_count = _moments(gain[is_early], told[is_early])
            spread = np.maximum(np.sqrt(np.maximum(now_variance, before_variance)), _LEAST_SPREAD)
            better = now > best
            lag[better], best[better] = hours, now[better]
            fits = np.where(better, now / (spread * np.sqrt(1 / now_count)), fits)
            left = np.where(better, (now - before) / (spread * np.sqrt(1 / now_count + 1 / before_count)), left)
    return lag, fits, left


def _alike(shape: Floats, reference: Floats, lag: int) -> Floats:
    """(days, meters) sum over the hours of the shape times the reference moved later by the lag."""
    total = np.zeros(shape.shape[1:])
    for hour in range(_HOURS):
        total += shape[hour] * reference[(hour - lag) % _HOURS]
    return total


def _moments(gain: Floats, told: Bools) -> tuple[Floats, Floats, Floats]:
    """(meters,) mean and variance over the days which are told, and their number, at least 1."""
    count = np.maximum(told.sum(axis=0), 1).astype(np.float64)
    mean = added(np.where(told, gain, 0.0)) / count
    squares = added(np.where(told, (gain - mean) ** 2, 0.0))
    return mean, squares / np.maximum(count - 1, 1), count
