"""Naive forecasts: what a model has to beat before anybody may use it.

Each takes the last days before and including the origin, shape (customers, days), with NaN for unknown days, and
returns quantiles of shape (customers, horizon, quantile) in the same unit. A customer without enough known days gets
NaN.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LOOK_BACK_DAYS = 84
WEEKS = 8


def quantiles_of_known(values: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Quantiles along the last axis of what is known, shape (..., quantile); linear between order statistics.

    Sorting once puts NaN last, which is many times faster than nanquantile and gives the same numbers.
    """
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(values).sum(axis=-1)
    out = np.full((*values.shape[:-1], len(quantiles)), np.nan)
    for i, level in enumerate(quantiles):
        position = np.maximum(count - 1, 0) * level
        low = np.floor(position).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        below = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
        above = np.take_along_axis(ordered, high[..., None], axis=-1)[..., 0]
        out[..., i] = np.where(count > 0, below + (above - below) * (position - low), np.nan)
    return out


def mean_of_known(values: Floats, axis: int = -1) -> Floats:
    """Mean of what is known along an axis; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def same_weekdays(window: Floats, horizon: int, weeks: int) -> Floats:
    """`weeks` last days of the target's weekday which lie within the window, nearest first.

    Shape (customers, horizon, weeks). For the target h days ahead the nearest is 7 x ceil(h / 7) days before it.
    """
    length = window.shape[1]
    ahead = np.arange(1, horizon + 1)
    nearest = ahead - 7 * ((ahead + 6) // 7)
    columns = (length - 1) + nearest[:, None] - 7 * np.arange(weeks)[None, :]
    if columns.min() < 0:
        raise ValueError(f"a window of {length} days is too short for {weeks} weeks and a horizon of {horizon} days")
    return window[:, columns]


def never_negative(window: Floats) -> npt.NDArray[np.bool_]:
    """Per customer: no known day of the window is below 0 (a customer with own generation may be)."""
    return ~np.asarray((window < 0).any(axis=1))


def _around(
    level: Floats, spread: Floats, quantiles: tuple[float, ...], floor_at_zero: npt.NDArray[np.bool_]
) -> Floats:
    """Level plus spread, not below 0 for a customer who never was.

    The median stays at the level: the median residual of 8 weeks is mostly noise.
    """
    shift = np.where(np.asarray(quantiles) == 0.5, 0.0 * spread, spread)
    forecasts = level[..., None] + shift[:, None, :]
    return np.where(floor_at_zero[:, None, None], np.maximum(forecasts, 0.0), forecasts)


def seasonal_naive(window: Floats, horizon: int, quantiles: tuple[float, ...]) -> Floats:
    """Same weekday of the last week, with the quantiles of the customer's own 7-day differences over 8 weeks.

    Where last week's day is unknown, the nearest known same weekday of the 4 weeks before it stands in.
    """
    weekdays = same_weekdays(window, horizon, 5)
    level = weekdays[..., 0]
    for week in range(1, weekdays.shape[-1]):
        level = np.where(np.isfinite(level), level, weekdays[..., week])
    recent = window[:, -7 * WEEKS :]
    before = window[:, -7 * (WEEKS + 1) : -7]
    spread = quantiles_of_known(recent - before, quantiles)
    return _around(level, spread, quantiles, never_negative(window))


def weekday_median(window: Floats, horizon: int, quantiles: tuple[float, ...]) -> Floats:
    """Median of the 4 last same weekdays, with the quantiles of its own one-week-ahead residuals over 8 weeks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an all-unknown weekday gives NaN, which is what is meant
        level = np.nanmedian(same_weekdays(window, horizon, 4), axis=-1)
        length = window.shape[1]
        days = np.arange(length - min(7 * WEEKS, length - 28), length)
        fitted = np.nanmedian(window[:, days[:, None] - 7 * np.arange(1, 5)[None, :]], axis=-1)
    spread = quantiles_of_known(window[:, days] - fitted, quantiles)
    return _around(level, spread, quantiles, never_negative(window))


def recent_quantiles(window: Floats, horizon: int, quantiles: tuple[float, ...]) -> Floats:
    """Customer's own empirical quantiles of the last 28 days, the same for every day ahead."""
    flat = quantiles_of_known(window[:, -28:], quantiles)
    return np.repeat(flat[:, None, :], horizon, axis=1)


Baseline = Callable[[Floats, int, tuple[float, ...]], Floats]

BASELINES: dict[str, Baseline] = {
    "seasonal_naive": seasonal_naive,
    "weekday_median": weekday_median,
    "recent_quantiles": recent_quantiles,
}
