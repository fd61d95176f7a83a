"""Train the forecast of daily usage: features.customer_days up to the date -> a registered model, perhaps the champion.

One global quantile model for all customers, back-tested on rolling origins against naive baselines and the champion; it
is promoted only when it beats both. A date is trained for once: a rerun finds its version, promotes it where that was
decided and not done, and changes nothing else; `--key again=yes` trains another.

    wattlake train_usage_forecast --date 2025-06-30
"""

from dataclasses import asdict
from datetime import timedelta

from jobs.models import plots
from jobs.models.backtest import backtest, promotion_decision, rolling_origins, with_champions_origin
from jobs.models.usage_forecast import UsageParams, fit, from_bytes
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.tracking import PROMOTED_TAG, USAGE_FORECAST
from jobs.transforms.model_frames import calendar_days, sample_of_customers, usage_history
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS
from schemas.reference import CALENDAR


def run(ctx: Context) -> str:
    """Read a sample, back-test, fit, register, promote when better."""
    held = ctx.tracking.trained(USAGE_FORECAST)
    if held and ctx.option("again", "no") != "yes":
        state = f"was trained for this date already: {ctx.tracking.settle(USAGE_FORECAST, held)}"
        return f"{USAGE_FORECAST} {held} {state} (--key again=yes trains another one)"
    conf = ctx.settings.forecast
    rows = usage_history(ctx.lake.read(CUSTOMER_DAYS), ctx.lake.read(CUSTOMERS), ctx.date, conf.history_days)
    customers = ctx.lake.read(CUSTOMERS).select("customer_key").distinct().count()
    history = sample_of_customers(rows, customers, conf.train_customers, conf.seed).toPandas()
    if history.empty:
        raise DataError(f"There is no day of any customer up to {ctx.date}: run build_customer_days first.")
    calendar = calendar_days(ctx.lake.read(CALENDAR)).toPandas()
    params = UsageParams(horizon=conf.horizon_days, max_rows=conf.train_rows, seed=conf.seed)
    origins = rolling_origins(ctx.date - timedelta(days=conf.horizon_days), conf.backtest_origins, conf.horizon_days)
    held_champion = ctx.tracking.champion(USAGE_FORECAST)
    champion = from_bytes(held_champion.data) if held_champion else None
    if champion:
        origins = with_champions_origin(origins, champion.trained_until, ctx.date)
    with ctx.tracking.run(USAGE_FORECAST, [CUSTOMER_DAYS, CUSTOMERS, CALENDAR]) as tracked:
        tracked.params({**asdict(params), "customers": customers, "history_days": conf.history_days})
        ctx.log.info("back-testing on %s origins, %s customers", len(origins), history["unique_id"].nunique())
        report = backtest(
            history,
            origins,
            params,
            calendar,
            champion=champion,
            on_origin=lambda table: ctx.log.info("back-test\n%s", table.to_string(index=False)),
        )
        model = fit(history, ctx.date, params, calendar, previous=report.forecaster)
        decision = promotion_decision(report)
        tracked.metrics(report.metrics())
        tracked.text(report.by_origin.to_csv(index=False), "backtest_by_origin.csv")
        tracked.text(report.by_horizon.to_csv(index=False), "backtest_by_horizon.csv")
        for name, figure in plots.usage_forecast_figures(report, model).items():
            tracked.figure(figure, name)
        tracked.model(model.to_bytes())
        reasons = " ".join(decision.reasons)
        tracked.tags({PROMOTED_TAG: str(decision.promote).lower(), "reasons": reasons})
        version = ctx.tracking.register(USAGE_FORECAST, tracked, reasons, is_promoted=decision.promote)
    return f"{USAGE_FORECAST} {version}: {ctx.tracking.settle(USAGE_FORECAST, version)}. {reasons}"
