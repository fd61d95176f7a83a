"""Daily usage of every customer for the next two weeks, as P10, P50 and P90 in kWh.

One gradient-boosted quantile model (LightGBM) is fitted for all customers; each day ahead is forecast directly. Fitting
and forecasting see a long frame: unique_id, ds (local date), y (kWh of the day, NaN = not known) and optionally
usage_class and place. What the model knows after fitting travels as bytes (`to_bytes`), without pickle.
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.models.baselines import never_negative, quantiles_of_known
from jobs.models.conformal import IntervalScale, blend, interval_scale, no_scale
from jobs.models.forecast_rows import NOT_ENOUGH_DATA, PARTIAL, SUFFICIENT, SUFFICIENT_DAYS, forecast_frame
from jobs.models.losses import QUANTILES
from jobs.models.panel import NO_CLASS, Panel, as_day, panel_of
from jobs.models.usage_features import (
    RECENT_DAYS,
    DayFacts,
    day_facts,
    feature_names,
    features,
    levels,
)
from jobs.models.usage_params import UsageParams as UsageParams
from jobs.models.usage_rows import PARTIAL_DAYS, hash_of, some_of, training_rows, uniform

Floats = npt.NDArray[np.float64]

OWN_QUANTILE_DAYS = 7
CALIBRATION_CUSTOMERS = 1200  # enough for a factor to three digits; all would only cost time

FORMAT = "wattlake.usage_forecast/1"


@dataclass(frozen=True)
class UsageForecaster:
    """A fitted forecaster: everything needed to forecast a customer from its own history alone."""

    params: UsageParams
    trained_until: dt.date
    classes: tuple[str, ...]
    with_weather: bool
    scale: IntervalScale
    fallback: dict[str, tuple[float, ...]]
    boosters: tuple[lgb.Booster, ...] = field(repr=False)
    rows: int = 0

    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the model's order."""
        return feature_names(len(self.classes), self.with_weather)

    def importance(self) -> pd.DataFrame:
        """Share of the total gain per feature and quantile: frame (feature, quantile, gain_share), largest first."""
        frames = []
        for level, booster in zip(QUANTILES, self.boosters, strict=True):
            gain = booster.feature_importance("gain")
            share = gain / max(float(gain.sum()), 1e-12)
            frames.append(pd.DataFrame({"feature": self.feature_names(), "quantile": level, "gain_share": share}))
        return pd.concat(frames).sort_values(["gain_share", "feature"], ascending=[False, True], ignore_index=True)

    def to_bytes(self) -> bytes:
        """Forecaster as compressed JSON with LightGBM's own text of the trees: reading it runs no code."""
        document = {
            "format": FORMAT,
            "params": asdict(self.params),
            "trained_until": self.trained_until.isoformat(),
            "classes": list(self.classes),
            "with_weather": self.with_weather,
            "scale": asdict(self.scale),
            "fallback": {name: list(values) for name, values in self.fallback.items()},
            "rows": self.rows,
            "boosters": [booster.model_to_string() for booster in self.boosters],
        }
        return zlib.compress(json.dumps(document).encode("utf-8"), 6)


def from_bytes(data: bytes) -> UsageForecaster:
    """Forecaster which `UsageForecaster.to_bytes` wrote. Raises ValueError for anything else."""
    try:
        document = json.loads(zlib.decompress(data))
    except (zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError("these bytes are not a usage forecaster") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a usage forecaster of the format {FORMAT}")
    params = document["params"] | {"groups": tuple(document["params"]["groups"])}
    scale = document["scale"]
    return UsageForecaster(
        params=UsageParams(**params),
        trained_until=dt.date.fromisoformat(document["trained_until"]),
        classes=tuple(document["classes"]),
        with_weather=bool(document["with_weather"]),
        scale=IntervalScale(*(tuple(scale[name]) for name in ("first_days", "lower", "upper"))),
        fallback={name: tuple(values) for name, values in document["fallback"].items()},
        boosters=tuple(lgb.Booster(model_str=text) for text in document["boosters"]),
        rows=int(document["rows"]),
    )


def fit(
    history: pd.DataFrame,
    origin: dt.date,
    params: UsageParams | None = None,
    calendar: pd.DataFrame | None = None,
    weather: pd.DataFrame | None = None,
    previous: UsageForecaster | None = None,
) -> UsageForecaster:
    """Fit on what was known by `origin`: rows of the history after it are not looked at.

    previous: a forecaster fitted at least a horizon earlier, whose forecasts since then calibrate the interval's width;
    without one, a smaller model is fitted up to `calibration_days` before the origin for that purpose.
    """
    params = params or UsageParams()
    panel = panel_of(history, until=as_day(origin))
    return fit_panel(panel, as_day(origin), params, day_facts(calendar, weather), weather is not None, previous)


def fit_panel(
    panel: Panel,
    origin: np.datetime64,
    params: UsageParams,
    facts: DayFacts,
    with_weather: bool,
    previous: UsageForecaster | None = None,
) -> UsageForecaster:
    """`fit` on a panel which ends at the origin."""
    horizon = np.timedelta64(params.horizon, "D")
    if params.calibrate and (previous is None or as_day(previous.trained_until) + horizon > origin):
        previous = _held_back(panel, origin, params, facts, with_weather)
    classes = tuple(sorted({str(c) for c in panel.usage_class} - {NO_CLASS}))
    x, y = training_rows(panel, origin, params, facts, classes, with_weather)
    if len(y) == 0:
        raise ValueError(
            f"no training rows: no customer has {PARTIAL_DAYS} known days of {RECENT_DAYS} and a known day after them "
            f"by {origin}"
        )
    names = feature_names(len(classes), with_weather)
    data = lgb.Dataset(
        x,
        y,
        feature_name=list(names),
        categorical_feature=["usage_class"] if classes else [],
        params={
            "max_bin": params.max_bin,
            "min_data_in_leaf": params.min_rows_in_leaf,
            "verbosity": -1,
            "num_threads": 1,
        },
    )
    data.construct()  # once for all quantiles, which then only read it
    # fewer rows carry fewer rounds; the steps grow by as much as their number falls
    pace = float(np.clip(len(y) / max(params.max_rows, 1), 0.5, 1.0))
    rounds = max(1, round(params.rounds * pace))
    # one thread a quantile: threads which share one tree wait for each other at every node, which took nine times as
    # long where another process had a core
    with ThreadPoolExecutor(params.num_threads) as pool:
        boosters = tuple(pool.map(lambda level: lgb.train(_boosting(params, level, pace), data, rounds), QUANTILES))
    model = UsageForecaster(
        params=params,
        trained_until=origin.astype(dt.date),
        classes=classes,
        with_weather=with_weather,
        scale=no_scale(params.groups),
        fallback=_class_quantiles(panel, origin),
        boosters=boosters,
        rows=len(y),
    )
    if params.calibrate and previous is not None:
        scale = calibration(previous, panel, origin, params, facts)
        if previous.scale != no_scale(params.groups):
            scale = blend(previous.scale, scale, params.calibration_weight)
        model = replace(model, scale=scale)
    return model


def _held_back(
    panel: Panel, origin: np.datetime64, params: UsageParams, facts: DayFacts, with_weather: bool
) -> UsageForecaster | None:
    """A smaller forecaster fitted without the last days, which it is to calibrate; None where history is too short."""
    spare = int((origin - panel.first_day).astype(int)) + 1 - params.min_context_days - params.horizon
    days = min(params.calibration_days, spare // 2)
    if days < params.horizon:
        return None
    until = origin - np.timedelta64(days, "D")
    smaller = replace(params, max_rows=params.max_rows // 2, calibrate=False)
    try:
        return fit_panel(cut(panel, until), until, smaller, facts, with_weather)
    except ValueError:  # no customer was known long enough by then: the interval stays as the trees made it
        return None


def _boosting(params: UsageParams, quantile: float, pace: float) -> dict[str, object]:
    return {
        "objective": "quantile",
        "alpha": quantile,
        "learning_rate": params.learning_rate / pace,
        "num_leaves": params.num_leaves,
        "min_data_in_leaf": params.min_rows_in_leaf,
        "feature_fraction": params.feature_fraction,
        "lambda_l2": params.l2,
        "max_bin": params.max_bin,
        "seed": params.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def calibration(
    previous: UsageForecaster, panel: Panel, origin: np.datetime64, params: UsageParams, facts: DayFacts
) -> IntervalScale:
    """Interval scale from forecasts which `previous` makes for days it has not seen and which are known by now."""
    horizon = np.timedelta64(params.horizon, "D")
    last = origin - horizon
    first = max(as_day(previous.trained_until), origin - np.timedelta64(params.calibration_days, "D"))
    origins = np.arange(last, first - np.timedelta64(1, "D"), -np.timedelta64(7, "D"))
    keys = hash_of(panel.ids)
    panel = some_of(panel, uniform(keys, 0, params.seed) < CALIBRATION_CUSTOMERS / max(len(panel.ids), 1))
    truths, forecasts = [], []
    for start in origins:
        known = np.isfinite(panel.window(start, RECENT_DAYS)).sum(axis=1) >= SUFFICIENT_DAYS
        truths.append(panel.window(start + horizon, params.horizon)[known])
        forecasts.append(raw_quantiles(previous, panel, start, facts)[known])
    if not truths:
        return no_scale(params.groups)
    return interval_scale(np.concatenate(truths), np.concatenate(forecasts), params.groups, QUANTILES)


def raw_quantiles(
    model: UsageForecaster, panel: Panel, origin: np.datetime64, facts: DayFacts, num_threads: int | None = None
) -> Floats:
    """Sorted quantiles in kWh before scaling, shape (customers, horizon, quantile)."""
    x, level = features(panel, origin, model.params.horizon, facts, model.classes, model.with_weather)
    customers, horizon, width = x.shape
    if customers == 0:
        return np.empty((0, horizon, len(QUANTILES)))
    flat = x.reshape(customers * horizon, width)
    columns = [
        np.asarray(booster.predict(flat, num_threads=num_threads or model.params.num_threads))
        for booster in model.boosters
    ]
    quantiles = np.sort(np.stack(columns, axis=1), axis=1)
    return quantiles.reshape(customers, horizon, len(QUANTILES)) * level[:, None, None]


def forecast_panel(
    model: UsageForecaster, panel: Panel, origin: np.datetime64, facts: DayFacts, num_threads: int | None = None
) -> tuple[Floats, npt.NDArray[np.object_]]:
    """Quantiles in kWh (customers, horizon, quantile) and the sufficiency of each customer's data."""
    window = panel.window(origin, RECENT_DAYS)
    known = np.isfinite(window).sum(axis=1)
    sufficiency = np.where(
        known >= SUFFICIENT_DAYS, SUFFICIENT, np.where(known >= PARTIAL_DAYS, PARTIAL, NOT_ENOUGH_DATA)
    )
    quantiles = model.scale.apply(raw_quantiles(model, panel, origin, facts, num_threads))
    # a customer who mostly feeds in is unlike any the trees were shown: its own past days say more
    feeds_in = quantiles_of_known(window, (0.5,))[:, 0] < 0
    plain = (known < PARTIAL_DAYS) | feeds_in
    if plain.any():
        quantiles[plain] = _fallback(model, panel, window, known)[plain][:, None, :]
    positive = never_negative(window)
    quantiles = np.where(positive[:, None, None], np.maximum(quantiles, 0.0), quantiles)
    return np.sort(quantiles, axis=2), sufficiency.astype(object)


def predict(
    model: UsageForecaster,
    history: pd.DataFrame,
    origin: dt.date,
    calendar: pd.DataFrame | None = None,
    weather: pd.DataFrame | None = None,
    num_threads: int = 1,
) -> pd.DataFrame:
    """One row per customer and day ahead: unique_id, origin_date, forecast_date, p10, p50, p90, sufficiency.

    kWh a day. Days after the origin are not looked at. Any subset of customers gets the rows it would get among all.
    sufficiency: 'sufficient' (56 of the last 84 days known), 'partial' (21), else 'not_enough_data': then the quantiles
    are the customer's own of those days where 7 are known, else its usage class's relative to its own mean where a
    single day is known, else missing. A customer who mostly feeds in (median below 0) gets its own quantiles, too.
    num_threads: one by default, because whoever scores in chunks runs many at once.
    """
    day = as_day(origin)
    panel = panel_of(history, until=day)
    quantiles, sufficiency = forecast_panel(model, panel, day, day_facts(calendar, weather), num_threads)
    return forecast_frame(panel, day, quantiles, sufficiency)


def cut(panel: Panel, last: np.datetime64) -> Panel:
    """Panel as it was on `last`."""
    width = int((last - panel.first_day).astype(int)) + 1
    return replace(panel, values=panel.values[:, : max(width, 0)])


def _class_quantiles(panel: Panel, origin: np.datetime64) -> dict[str, tuple[float, ...]]:
    """Quantiles of kWh relative to the customer's level, over all customers (under NO_CLASS) and per usage class."""
    window = panel.window(origin, 28)
    scaled = window / levels(panel.window(origin, RECENT_DAYS))[:, None]
    out = {}
    for name in (NO_CLASS, *sorted({str(c) for c in panel.usage_class} - {NO_CLASS})):
        mine = scaled if name == NO_CLASS else scaled[panel.usage_class == name]
        if np.isfinite(mine).any():
            out[name] = tuple(float(v) for v in quantiles_of_known(mine.reshape(1, -1), QUANTILES)[0])
    return out


def _fallback(model: UsageForecaster, panel: Panel, window: Floats, known: npt.NDArray[np.int64]) -> Floats:
    """Quantiles (customers, quantile) for customers with too little history for the model; NaN: nothing is known."""
    own = quantiles_of_known(window, QUANTILES)
    everybody = model.fallback.get(NO_CLASS, (np.nan,) * len(QUANTILES))
    relative = np.array([model.fallback.get(str(c), everybody) for c in panel.usage_class]).reshape(-1, len(QUANTILES))
    by_class = relative * np.where(known > 0, levels(window), np.nan)[:, None]
    return np.where((known >= OWN_QUANTILE_DAYS)[:, None], own, by_class)
