"""Interval widths which keep their promise: split conformal scaling per group of days ahead.

Quantiles learned on the training window are too narrow on days nobody has seen. Forecasts which were made earlier, and
whose days are known by now, tell by how much: each side of the interval is stretched (or shrunk) by the factor which
would have given it the promised share of misses (Vovk et al. 2005; the asymmetric, scaled form of Romano et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_POINTS = 200
FACTOR_LIMITS = (0.5, 2.0)  # outside it the calibration days were not like any others: better no surprise


@dataclass(frozen=True)
class IntervalScale:
    """Factors for the lower and the upper half of the interval.

    first_days: the first day ahead of each group, ascending from 1. lower and upper: a factor for each group.
    """

    first_days: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def apply(self, forecasts: Floats) -> Floats:
        """Scaled copies of forecasts (customers, horizon, quantile) with sorted quantiles; the median stays."""
        group = np.searchsorted(np.asarray(self.first_days), np.arange(1, forecasts.shape[1] + 1), side="right") - 1
        middle = forecasts.shape[2] // 2
        centre = forecasts[:, :, middle : middle + 1]
        low, high = np.asarray(self.lower)[group], np.asarray(self.upper)[group]
        factor = np.where(np.arange(forecasts.shape[2])[None, :] < middle, low[:, None], high[:, None])
        return np.asarray(centre + (forecasts - centre) * factor[None, :, :])


def blend(old: IntervalScale, new: IntervalScale, weight: float) -> IntervalScale:
    """Geometric mean of two scales, `weight` on the new one.

    Days which follow each other share their weather: a few weeks alone give a factor that swings with it.
    """
    if old.first_days != new.first_days:
        return new

    def mixed(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(float(x ** (1 - weight) * y**weight) for x, y in zip(a, b, strict=True))

    return IntervalScale(new.first_days, mixed(old.lower, new.lower), mixed(old.upper, new.upper))


def no_scale(first_days: tuple[int, ...]) -> IntervalScale:
    """Scale which changes nothing."""
    ones = (1.0,) * len(first_days)
    return IntervalScale(first_days, ones, ones)


def interval_scale(
    truth: Floats, forecasts: Floats, first_days: tuple[int, ...], quantiles: tuple[float, ...]
) -> IntervalScale:
    """Scale under which earlier forecasts would have missed as often on each side as they promised.

    truth: (rows, horizon), NaN where unknown. forecasts: (rows, horizon, quantile). A group with fewer than
    LEAST_POINTS known points keeps the factor 1.
    """
    middle = len(quantiles) // 2
    centre = forecasts[:, :, middle]
    lower: list[float] = []
    upper: list[float] = []
    for i, first in enumerate(first_days):
        stop = first_days[i + 1] - 1 if i + 1 < len(first_days) else truth.shape[1]
        days = slice(first - 1, stop)
        y, mid = truth[:, days], centre[:, days]
        lower.append(_factor(mid - y, mid - forecasts[:, days, 0], quantiles[0]))
        upper.append(_factor(y - mid, forecasts[:, days, -1] - mid, 1.0 - quantiles[-1]))
    return IntervalScale(first_days, tuple(lower), tuple(upper))


def _factor(miss: Floats, width: Floats, miss_share: float) -> float:
    usable = np.isfinite(miss) & np.isfinite(width) & (width > 0)
    if int(usable.sum()) < LEAST_POINTS:
        return 1.0
    ratio = miss[usable] / width[usable]
    return float(np.clip(np.quantile(ratio, 1.0 - miss_share), *FACTOR_LIMITS))
