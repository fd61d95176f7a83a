"""The naive forecast which is published while no model has beaten it: median of the last same weekdays."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from jobs.models.baselines import BASELINES, LOOK_BACK_DAYS
from jobs.models.forecast_rows import NOT_ENOUGH_DATA, PARTIAL, SUFFICIENT, SUFFICIENT_DAYS, forecast_frame
from jobs.models.losses import QUANTILES
from jobs.models.panel import as_day, panel_of
from jobs.models.usage_rows import PARTIAL_DAYS

METHOD = "weekday_median"


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
    sufficiency = np.where(~told, NOT_ENOUGH_DATA, np.where(known >= SUFFICIENT_DAYS, SUFFICIENT, PARTIAL)).astype(
        object
    )
    return forecast_frame(panel, day, quantiles, sufficiency)
