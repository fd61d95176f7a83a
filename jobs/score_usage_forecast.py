"""Forecast daily usage: features.customer_days up to the date -> features.usage_forecasts, a customer and a date to come.

The champion is loaded by its alias and applied on the workers. A rerun replaces the slice of the date by the same rows.

    wattlake score_usage_forecast --date 2025-06-30
"""

import pandas as pd
from expectations.features import USAGE_FORECASTS_SUITE

from jobs.models.usage_forecast import from_bytes, predict
from jobs.runtime.context import Context
from jobs.runtime.tracking import USAGE_FORECAST
from jobs.transforms.model_frames import calendar_days, in_chunks, usage_history
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, USAGE_FORECASTS
from schemas.reference import CALENDAR


def run(ctx: Context) -> str:
    """Load the champion, forecast in chunks of customers, judge, replace the slice."""
    champion = ctx.tracking.required_champion(USAGE_FORECAST, "train_usage_forecast")
    history = usage_history(
        ctx.lake.read(CUSTOMER_DAYS), ctx.lake.read(CUSTOMERS), ctx.date, ctx.settings.forecast.history_days
    )
    calendar = calendar_days(ctx.lake.read(CALENDAR)).toPandas()
    customers = ctx.lake.read(CUSTOMERS).select("customer_key").distinct().count()
    origin, label, data = ctx.date, champion.label, champion.data

    def forecast(chunk: pd.DataFrame) -> pd.DataFrame:
        ahead = predict(from_bytes(data), chunk, origin, calendar)
        return ahead.rename(
            columns={"unique_id": "customer_key", "p10": "p10_kwh", "p50": "p50_kwh", "p90": "p90_kwh"}
        ).assign(model_version=label)

    forecasts = in_chunks(history, customers, forecast, USAGE_FORECASTS.struct)
    ctx.lake.replace(ctx.gate(forecasts, USAGE_FORECASTS_SUITE), USAGE_FORECASTS, ctx.date)
    return f"{customers} customers forecast with {label}"
