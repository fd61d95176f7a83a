"""By how much a meter's own level changes from each date on, seen from its daily energy alone.

A level is the mean logarithm of the daily energy, so that a change is a factor whatever the size of the meter. Days
are compared with days of their type: what other days than working days are below or above these is taken off first,
by the median over weeks, which one break does not move. Days follow each other (a warm spell, guests), which leaves
fewer days that say something of their own than there are: 1 in (1 + r) / (1 - r) with a correlation of r from day to
day (Bayley and Hammersley 1946).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# days so far to each side of a break say what the level is
SIDE_DAYS = 28
# measured on London households and the demonstration province: 0.5 to 0.65
_ALIKE = 0.6
_PER_OWN_DAY = (1 + _ALIKE) / (1 - _ALIKE)
# a day further from the meter's usual one than a factor of 8 says no more than one that far
_FURTHEST = np.log(8.0)
_LEAST_SPREAD = 0.03
_WEEK = 7


@dataclass(frozen=True, eq=False)
class OwnLevels:
    """All (meters, dates), of a break which begins on the date; NaN where a side has no day.

    change: mean logarithm since the date less that before it. error: its standard error. days_before, days_since: days
    with energy on each side, of the `SIDE_DAYS` next to it.
    """

    change: Floats
    error: Floats
    days_before: Ints
    days_since: Ints


def own_levels(daily_kwh: Floats, is_working: Bools) -> OwnLevels:
    """daily_kwh: (meters, dates) energy of complete days, NaN where unknown. is_working: (dates,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.log(np.where(daily_kwh > 0, daily_kwh, np.nan))
    level = level - _median(level, 1)[:, None]
    level = np.clip(level, -_FURTHEST, _FURTHEST)
    level = level - np.where(is_working, 0.0, _offset(level, is_working)[:, None])
    known = ~np.isnan(level)
    filled = np.where(known, level, 0.0)
    before, since = _sides(filled), _sides(filled[:, ::-1])[:, ::-1]
    n_before, n_since = _sides(known), _sides(known[:, ::-1])[:, ::-1]
    # since a date includes the date itself, before it does not
    before, n_before = _moved(before), _moved(n_before)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = since / n_since - before / n_before
        squares = _moved(_sides(filled**2)) + _sides(filled[:, ::-1] ** 2)[:, ::-1]
        left = squares - since**2 / n_since - before**2 / n_before
        free = np.maximum(n_before + n_since - 2, 1)
        spread = np.maximum(np.sqrt(np.maximum(left, 0.0) / free), _LEAST_SPREAD)
        error = spread * np.sqrt(_PER_OWN_DAY * (1 / n_before + 1 / n_since))
    there = (n_before > 0) & (n_since > 0)
    return OwnLevels(
        np.where(there, change, np.nan),
        np.where(there, error, np.nan),
        n_before.astype(np.int64),
        n_since.astype(np.int64),
    )


def _offset(level: Floats, is_working: Bools) -> Floats:
    """(meters,) how far other days lie from the working days of their week; 0 where no week has both."""
    meters, dates = level.shape
    weeks = -(-dates // _WEEK)
    padded = np.full((meters, weeks * _WEEK), np.nan)
    padded[:, :dates] = level
    type_of = np.zeros(weeks * _WEEK, np.bool_)
    type_of[:dates] = is_working
    by_week = padded.reshape(meters, weeks, _WEEK)
    working = _mean(np.where(type_of.reshape(weeks, _WEEK), by_week, np.nan))
    other = _mean(np.where(type_of.reshape(weeks, _WEEK), np.nan, by_week))
    return np.nan_to_num(_median(other - working, 1))


def _sides(values: npt.NDArray[np.generic]) -> Floats:
    """(meters, dates) sum over the `SIDE_DAYS` which end with each date."""
    total = np.cumsum(np.asarray(values, dtype=np.float64), axis=1)
    total[:, SIDE_DAYS:] = total[:, SIDE_DAYS:] - total[:, :-SIDE_DAYS].copy()
    return total


def _moved(sums: Floats) -> Floats:
    """The sums up to the date before each."""
    out = np.zeros_like(sums)
    out[:, 1:] = sums[:, :-1]
    return out


def _mean(values: Floats) -> Floats:
    """Over the last axis; NaN where nothing is known."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan)


def _median(values: Floats, axis: int) -> Floats:
    """Over an axis; NaN where nothing is known. Unlike numpy's of NaN it sorts all rows at once."""
    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)
    count = (~np.isnan(ordered)).sum(axis=-1)
    low, high = np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2
    picked = [np.take_along_axis(ordered, place[..., None], axis=-1)[..., 0] for place in (low, high)]
    return np.asarray((picked[0] + picked[1]) / 2)
