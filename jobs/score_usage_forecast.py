"""Forecast daily usage: features.customer_days up to the date -> features.usage_forecasts, a customer and a date.

The champion of the date is applied on the workers. While no model has beaten the naive baseline, the baseline is used
under its own name. A rerun replaces the slice of the date by the same rows.

    wattlake score_usage_forecast --date 2025-06-30
"""

import pandas as pd

from expectations.features import USAGE_FORECASTS_SUITE
from jobs.models import naive_forecast
from jobs.runtime.context import Context
from jobs.runtime.tracking import USAGE_FORECAST
from jobs.transforms.model_frames import calendar_days, in_chunks, usage_history
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, USAGE_FORECASTS
from schemas.reference import CALENDAR


def run(ctx: Context) -> str:
    """Load the champion, forecast in chunks of customers, judge, replace the slice."""
    if ctx.is_history():
        return "published already, and a later date as well: it stays as it is (--key again=yes makes it again)"
    champion = ctx.tracking.champion(USAGE_FORECAST)
    history = usage_history(
        ctx.lake.read(CUSTOMER_DAYS), ctx.lake.read(CUSTOMERS), ctx.date, ctx.settings.forecast.history_days
    )
    calendar = calendar_days(ctx.lake.read(CALENDAR)).toPandas()
    customers = ctx.lake.read(CUSTOMERS).select("customer_key").distinct().count()
    origin, horizon = ctx.date, ctx.settings.forecast.horizon_days
    label = champion.label if champion else f"baseline/{naive_forecast.METHOD}"
    data = champion.data if champion else None
    if champion is None:
        ctx.log.warning("no model has beaten the baseline yet: %s is used under its own name", label)

    def forecast(chunk: pd.DataFrame) -> pd.DataFrame:
        if data is None:
            ahead = naive_forecast.predict(chunk, origin, horizon)
        else:
            # the boosting library takes a second to import, which a worker without a model need not spend
            from jobs.models.usage_forecast import from_bytes, predict

            ahead = predict(from_bytes(data), chunk, origin, calendar)
        return ahead.rename(
            columns={"unique_id": "customer_key", "p10": "p10_kwh", "p50": "p50_kwh", "p90": "p90_kwh"}
        ).assign(model_version=label)

    forecasts = in_chunks(history, customers, forecast, USAGE_FORECASTS.struct)
    ctx.lake.replace(ctx.gate(forecasts, USAGE_FORECASTS_SUITE), USAGE_FORECASTS, ctx.date)
    return f"{customers} customers forecast with {label}"
