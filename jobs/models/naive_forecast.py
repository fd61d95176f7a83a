"""The naive forecast which is published while no model has beaten it: median of the last same weekdays."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from jobs.models.baselines import BASELINES, LOOK_BACK_DAYS
from jobs.models.losses import QUANTILES
from jobs.models.panel import as_day, panel_of

METHOD = "weekday_median"
PARTIAL_DAYS = 21
SUFFICIENT_DAYS = 56


def predict(history: pd.DataFrame, origin: dt.date, horizon: int) -> pd.DataFrame:
    """One row per customer and day ahead, in the form of `usage_forecast.predict`, kWh a day.

    Days after the origin are not looked at. Nothing is forecast for a customer with fewer than 21 of the last 84 days
    known.
    """
    day = as_day(origin)
    panel = panel_of(history, until=day)
    window = panel.window(day, LOOK_BACK_DAYS)
    known = np.isfinite(window).sum(axis=1)
    quantiles = np.sort(BASELINES[METHOD](window, horizon, QUANTILES), axis=2)
    quantiles[known < PARTIAL_DAYS] = np.nan
    told = np.isfinite(quantiles).all(axis=(1, 2))
    sufficiency = np.where(
        ~told, "not_enough_data", np.where(known >= SUFFICIENT_DAYS, "sufficient", "partial")
    ).astype(object)
    customers = len(panel.ids)
    flat = quantiles.reshape(customers * horizon, len(QUANTILES))
    return pd.DataFrame(
        {
            "unique_id": np.repeat(panel.ids, horizon),
            "origin_date": np.full(customers * horizon, day.astype("datetime64[s]")),
            "forecast_date": np.tile((day + np.arange(1, horizon + 1)).astype("datetime64[s]"), customers),
            "p10": flat[:, 0],
            "p50": flat[:, 1],
            "p90": flat[:, 2],
            "sufficiency": np.repeat(sufficiency, horizon),
        }
    )
