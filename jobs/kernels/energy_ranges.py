"""Ranges of estimated energies, of an interval, of a day and of several days, from the spread of single intervals.

Sums run over the points in their order, so that they have the same bits in a block of any size. The constants were
measured on half-hours of London households by `python -m jobs.kernels.protocol_f`.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# errors of two intervals of a day: correlated by 0.6 exp(-minutes/60) and a part that does not fade, which is a meter's
# own to seven tenths and 0.06 otherwise; those of two days by 0.25
_ALIKE_NEAR, _ALIKE_MINUTES, _ALIKE_FAR = 0.6, 60.0, 0.06
_OWN_SHARE, _MOST_ALIKE = 0.7, 0.9
_DAYS_ALIKE = 0.25
# P90 of the normal distribution
_Z90 = 1.2816


def quantiles(mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """P10 and P90 of an energy with that mean and standard deviation: never below zero, and with a long upper side.

    Log-normal, as half-hours of households nearly are.
    """
    width = np.sqrt(np.log1p((spread / np.where(mean > 0, mean, 1.0)) ** 2))
    # a wider log-normal has its P90 further down again, at a mean that is made by a few high values
    upper = np.minimum(width, _Z90)
    low = np.asarray(mean * np.exp(-(width**2) / 2 - _Z90 * width))
    return low, np.asarray(mean * np.exp(-(upper**2) / 2 + _Z90 * upper))


def together(energy: Floats, spread: Floats, run: Ints, runs: int) -> tuple[Floats, Floats]:
    """Energy and standard deviation of runs of days of one meter, from those of its days.

    run: (days,) to which run a day belongs. Days of a customer err in the same direction to some degree.
    """
    apart, alike = np.bincount(run, spread**2, runs), np.bincount(run, spread, runs) ** 2
    total = np.bincount(run, energy, runs).astype(np.float64)
    return total, np.asarray(np.sqrt((1 - _DAYS_ALIKE) * apart + _DAYS_ALIKE * alike))


def far_alike(spread: Floats, day_spread: Floats, interval_minutes: int) -> Floats:
    """(rows,) how far the errors of a day's distant intervals go together: what the spread of whole days leaves to it.

    spread: (points, rows) of the intervals of a whole day; day_spread: (rows,) of its energy, NaN where not known.
    """
    spread = np.nan_to_num(spread)
    pairs = added(spread) ** 2 - added(spread**2)
    left = day_spread**2 - added(spread * _with_near(spread, interval_minutes))
    own = np.where(pairs > 0, left / np.where(pairs > 0, pairs, 1.0), np.nan)
    shared = _OWN_SHARE * own + (1 - _OWN_SHARE) * _ALIKE_FAR
    return np.where(np.isnan(shared), _ALIKE_FAR, np.clip(shared, 0.0, _MOST_ALIKE))


def covariances(spread: Floats, far: Floats, interval_minutes: int) -> Floats:
    """(points, rows) covariance of an interval's error with the sum of all errors of the day."""
    others = added(spread) - spread
    return np.asarray(spread * (_with_near(spread, interval_minutes) + far * others))


def _with_near(spread: Floats, interval_minutes: int) -> Floats:
    kept, nothing = np.exp(-interval_minutes / _ALIKE_MINUTES), np.zeros(spread.shape[1])
    near = faded(spread, nothing, kept) + faded(spread[::-1], nothing, kept)[::-1]
    return np.asarray(spread + _ALIKE_NEAR * near)


def faded(parts: Floats, first: Floats, kept: float) -> Floats:
    """(points, rows) sum of the values before each point, each fading with every interval."""
    out, held = np.empty(parts.shape), first.copy()
    for point, part in enumerate(parts):
        held = held * kept
        out[point] = held
        held = held + part
    return out


def added(parts: Floats) -> Floats:
    """Sum over the first axis, one after another: a library's sum may take another order in a smaller block."""
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total += part
    return total
