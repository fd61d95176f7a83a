"""Losses of quantile forecasts, in the units and with the weights in which the results are reported.

All functions take arrays of one shape and leave out points whose truth or forecast is unknown (NaN): an unknown day
is neither an error nor a success.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Score:
    """What one forecast is worth on one set of points.

    wql: 2 x sum of pinball losses / sum of |truth|, averaged over the quantiles (0 is perfect, lower is better).
    wape: sum of |truth - P50| / sum of |truth|. cover: share of truths between P10 and P90 (both included).
    points: known points scored; the other three are NaN where it is 0.
    """

    wql: float
    wape: float
    cover: float
    points: int


def pinball(truth: Floats, forecast: Floats, quantile: float) -> Floats:
    """Pinball loss per point, in the unit of the truth (Koenker and Bassett 1978)."""
    error = truth - forecast
    return np.maximum(quantile * error, (quantile - 1.0) * error)


def score(truth: Floats, forecasts: Floats, quantiles: tuple[float, ...] = QUANTILES) -> Score:
    """Score forecasts of shape (..., quantile), ordered as `quantiles`, against truths of shape (...).

    The outer quantiles bound the cover; the quantile nearest to one half is the point forecast of the WAPE.
    """
    known = np.isfinite(truth) & np.isfinite(forecasts).all(axis=-1)
    y, q = truth[known], forecasts[known]
    total = float(np.abs(y).sum())
    if y.size == 0 or total == 0.0:
        return Score(float("nan"), float("nan"), float("nan"), int(y.size))
    losses = [2.0 * float(pinball(y, q[:, i], level).sum()) / total for i, level in enumerate(quantiles)]
    middle = int(np.argmin(np.abs(np.asarray(quantiles) - 0.5)))
    return Score(
        wql=float(np.mean(losses)),
        wape=float(np.abs(y - q[:, middle]).sum()) / total,
        cover=float(((y >= q[:, 0]) & (y <= q[:, -1])).mean()),
        points=int(y.size),
    )
