"""Rows of a forecast as all methods give them, and how much a customer's data say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.models.losses import QUANTILES
from jobs.models.panel import Panel

SUFFICIENT = "sufficient"
PARTIAL = "partial"
NOT_ENOUGH_DATA = "not_enough_data"

SUFFICIENT_DAYS = 56  # of the last 84: two thirds, so that each weekday is known at least about eight times


def forecast_frame(
    panel: Panel, origin: np.datetime64, quantiles: npt.NDArray[np.float64], sufficiency: npt.NDArray[np.object_]
) -> pd.DataFrame:
    """The long frame of `predict` from quantiles (customers, horizon, quantile) and one sufficiency per customer."""
    customers, horizon = quantiles.shape[:2]
    flat = quantiles.reshape(customers * horizon, len(QUANTILES))
    return pd.DataFrame(
        {
            "unique_id": np.repeat(panel.ids, horizon),
            "origin_date": np.full(customers * horizon, origin.astype("datetime64[s]")),
            "forecast_date": np.tile((origin + np.arange(1, horizon + 1)).astype("datetime64[s]"), customers),
            "p10": flat[:, 0],
            "p50": flat[:, 1],
            "p90": flat[:, 2],
            "sufficiency": np.repeat(sufficiency, horizon),
        }
    )
