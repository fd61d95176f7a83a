"""Rolling-origin back-test of the usage forecaster against naive baselines, and the decision to promote a model.

At each origin the model is fitted on what was known by then, forecasts the days after it, and is scored on those which
became known; the baselines do the same from the same days. Differences between methods are paired by origin, because
origins differ far more from each other (a cold spell, a holiday) than methods do.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.models.baselines import BASELINES, LOOK_BACK_DAYS
from jobs.models.losses import QUANTILES, score
from jobs.models.panel import Panel, as_day, panel_of
from jobs.models.usage_features import DayFacts, day_facts
from jobs.models.usage_forecast import (
    UsageForecaster,
    UsageParams,
    cut,
    fit_panel,
    forecast_panel,
)

Floats = npt.NDArray[np.float64]

MODEL = "usage_forecast"
CHAMPION_DAYS = 5  # fewer days since its training say nothing about a champion
COVER_RANGE = (0.70, 0.90)  # an interval sold as 80 % may miss it in a cold spell, not by more than this on average


@dataclass(frozen=True)
class BacktestReport:
    """Results of a back-test.

    by_origin: origin_date, method, wql, wape, cover, points. by_horizon: method, horizon (days ahead), the same scores
    pooled over origins. calibration: method, horizon group's first day, share of truths below P10, P50, P90.
    forecaster: the one fitted at the last origin (on what was known by then).
    """

    by_origin: pd.DataFrame
    by_horizon: pd.DataFrame
    calibration: pd.DataFrame
    forecaster: UsageForecaster | None = field(default=None, repr=False)

    def summary(self) -> pd.DataFrame:
        """Per method, best first: means over origins and the standard error of the mean WQL."""
        grouped = self.by_origin.groupby("method", sort=True)
        table = grouped.agg(
            wql=("wql", "mean"),
            wql_se=("wql", lambda v: v.std(ddof=1) / math.sqrt(len(v)) if len(v) > 1 else math.nan),
            wape=("wape", "mean"),
            cover=("cover", "mean"),
            cover_min=("cover", "min"),
            cover_max=("cover", "max"),
            origins=("wql", "size"),
            points=("points", "sum"),
        )
        return table.sort_values(["wql", "cover"]).reset_index()

    def metrics(self) -> dict[str, float]:
        """Flat numbers for a tracking server: `<method>_<score>`, means over origins."""
        return {
            f"{row['method']}_{name}": float(row[name])
            for row in self.summary().to_dict("records")
            for name in ("wql", "wql_se", "wape", "cover")
            if math.isfinite(float(row[name]))
        }


@dataclass(frozen=True)
class Promotion:
    """Whether a candidate may be used, and why, in sentences a person can check against the report."""

    promote: bool
    reasons: tuple[str, ...]
    best_baseline: str
    gain_over_baseline: float
    gain_over_champion: float | None


def rolling_origins(last: dt.date, count: int, step_days: int) -> list[dt.date]:
    """`count` origins, `step_days` apart, ascending, ending with `last`."""
    return [last - dt.timedelta(days=step_days * i) for i in reversed(range(count))]


def with_champions_origin(origins: Sequence[dt.date], trained_until: dt.date, known_until: dt.date) -> list[dt.date]:
    """The origins, and the day until which a champion was trained where it would be scored at none of them.

    It is then scored, like the candidate, on the days which have become known since: at least CHAMPION_DAYS.
    """
    is_scored = any(trained_until <= origin for origin in origins)
    if is_scored or (known_until - trained_until).days < CHAMPION_DAYS:
        return list(origins)
    return [*origins, trained_until]


def backtest(
    history: pd.DataFrame,
    origins: Sequence[dt.date],
    params: UsageParams | None = None,
    calendar: pd.DataFrame | None = None,
    weather: pd.DataFrame | None = None,
    champion: UsageForecaster | None = None,
    min_known_days: int = 56,
    on_origin: Callable[[pd.DataFrame], None] | None = None,
) -> BacktestReport:
    """Fit and score at each origin, in ascending order.

    weather: given, it is taken as known in advance for the days ahead ("perfect weather"). champion: a forecaster in
    use, scored as it is (method 'champion') at the origins after it was trained; earlier ones would flatter it and are
    left out. Customers with fewer than `min_known_days` known days by an origin are not scored there. on_origin: called
    with the finished rows of `by_origin`.
    """
    if not origins:
        raise ValueError("a back-test needs at least one origin")
    params = params or UsageParams()
    facts = day_facts(calendar, weather)
    everything = panel_of(history)
    parts: list[_Scored] = []
    tables: list[pd.DataFrame] = []
    model: UsageForecaster | None = None
    for origin in sorted(origins):
        day = as_day(origin)
        panel = cut(everything, day)
        model = fit_panel(panel, day, params, facts, weather is not None, previous=model)
        scored = _forecasts(model, champion, panel, everything, day, facts, min_known_days)
        parts.extend(scored)
        table = pd.DataFrame([s.row() for s in scored])
        tables.append(table)
        if on_origin is not None:
            on_origin(table)
    return BacktestReport(
        by_origin=pd.concat(tables, ignore_index=True),
        by_horizon=_by_horizon(parts, params.horizon),
        calibration=_calibration(parts, params),
        forecaster=model,
    )


@dataclass(frozen=True)
class _Scored:
    """One method's forecasts at one origin with the truths: (customers, horizon[, quantile])."""

    origin: np.datetime64
    method: str
    truth: Floats
    forecasts: Floats

    def row(self) -> dict[str, object]:
        s = score(self.truth, self.forecasts)
        origin_date = pd.Timestamp(self.origin)
        return {
            "origin_date": origin_date,
            "method": self.method,
            "wql": s.wql,
            "wape": s.wape,
            "cover": s.cover,
            "points": s.points,
        }


def _forecasts(
    model: UsageForecaster,
    champion: UsageForecaster | None,
    panel: Panel,
    everything: Panel,
    origin: np.datetime64,
    facts: DayFacts,
    min_known_days: int,
) -> list[_Scored]:
    horizon = model.params.horizon
    truth = everything.window(origin + np.timedelta64(horizon, "D"), horizon)
    counted = np.isfinite(panel.values).sum(axis=1) >= min_known_days
    window = panel.window(origin, LOOK_BACK_DAYS)
    methods: dict[str, Floats] = {MODEL: forecast_panel(model, panel, origin, facts)[0]}
    if champion is not None and as_day(champion.trained_until) <= origin and champion.params.horizon == horizon:
        methods["champion"] = forecast_panel(champion, panel, origin, facts)[0]
    for name, baseline in BASELINES.items():
        methods[name] = baseline(window, horizon, QUANTILES)
    # every method is scored on the same points: those for which all of them have a forecast
    common = counted[:, None] & np.isfinite(truth)
    for forecasts in methods.values():
        common &= np.isfinite(forecasts).all(axis=2)
    shown = np.where(common, truth, np.nan)
    return [_Scored(origin, name, shown, forecasts) for name, forecasts in methods.items()]


def _by_horizon(parts: list[_Scored], horizon: int) -> pd.DataFrame:
    rows = []
    for method in dict.fromkeys(p.method for p in parts):
        mine = [p for p in parts if p.method == method]
        for ahead in range(horizon):
            truth = np.concatenate([p.truth[:, ahead] for p in mine])
            s = score(truth, np.concatenate([p.forecasts[:, ahead] for p in mine]))
            rows.append(
                {
                    "method": method,
                    "horizon": ahead + 1,
                    "wql": s.wql,
                    "wape": s.wape,
                    "cover": s.cover,
                    "points": s.points,
                }
            )
    return pd.DataFrame(rows)


def _calibration(parts: list[_Scored], params: UsageParams) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for method in dict.fromkeys(p.method for p in parts):
        mine = [p for p in parts if p.method == method]
        for i, first in enumerate(params.groups):
            stop = params.groups[i + 1] - 1 if i + 1 < len(params.groups) else params.horizon
            truth = np.concatenate([p.truth[:, first - 1 : stop].ravel() for p in mine])
            forecasts = np.concatenate([p.forecasts[:, first - 1 : stop].reshape(-1, len(QUANTILES)) for p in mine])
            known = np.isfinite(truth)
            below = [
                float((truth[known] <= forecasts[known, j]).mean()) if known.any() else math.nan
                for j in range(len(QUANTILES))
            ]
            rows.extend(
                {"method": method, "first_day": first, "last_day": stop, "quantile": level, "share_below": share}
                for level, share in zip(QUANTILES, below, strict=True)
            )
    return pd.DataFrame(rows)


def promotion_decision(report: BacktestReport, min_gain: float = 0.0) -> Promotion:
    """Promote the model only when it beats the best baseline and the champion, paired over origins.

    Beating: the mean paired difference of WQL is above `min_gain` and, with three or more origins, above one standard
    error of that mean; with fewer, the model must win at every origin. A champion scored at no origin (trained after
    them) is not a reason to refuse, and is said. The mean cover must lie in COVER_RANGE.
    """
    table = report.by_origin.pivot(index="origin_date", columns="method", values="wql")
    if MODEL not in table or table[MODEL].notna().sum() == 0:
        return Promotion(
            False, ("The back-test holds no score of the model: no known days to score it on.",), "", 0.0, None
        )
    naive = [name for name in BASELINES if name in table and table[name].notna().any()]
    if not naive:
        return Promotion(False, ("The back-test holds no baseline to compare with.",), "", 0.0, None)
    best = min(naive, key=lambda name: float(np.nanmean(table[name].to_numpy(dtype=np.float64))))
    reasons: list[str] = []
    wins_baseline, gain = _beats(table[MODEL], table[best], f"the best baseline ({best})", min_gain, reasons)
    wins_champion, champion_gain = True, None
    if "champion" in table and table["champion"].notna().any():
        wins_champion, champion_gain = _beats(table[MODEL], table["champion"], "the champion", min_gain, reasons)
    else:
        reasons.append("No champion was scored at these origins; only the baselines were compared.")
    cover = float(report.by_origin.loc[report.by_origin["method"] == MODEL, "cover"].mean())
    covers = COVER_RANGE[0] <= cover <= COVER_RANGE[1]
    reasons.append(
        f"The P10-P90 interval held {cover:.1%} of the days ({'within' if covers else 'outside'} the allowed "
        f"{COVER_RANGE[0]:.0%}-{COVER_RANGE[1]:.0%})."
    )
    return Promotion(wins_baseline and wins_champion and covers, tuple(reasons), best, gain, champion_gain)


def _beats(model: pd.Series, other: pd.Series, name: str, min_gain: float, reasons: list[str]) -> tuple[bool, float]:
    # a champion is scored at fewer origins than the model: only those both have are compared
    shared = model.notna() & other.notna()
    model, other = model[shared], other[shared]
    gains = (other - model).to_numpy(dtype=np.float64)
    gain = float(gains.mean())
    if len(gains) >= 3:
        error = float(gains.std(ddof=1) / math.sqrt(len(gains)))
        beats = gain > min_gain and gain > error
        margin = f"gain {gain:.4f} ± {error:.4f} over {len(gains)} origins"
    else:
        beats = bool((gains > min_gain).all())
        margin = f"gain {gain:.4f} over {len(gains)} origin{'s' if len(gains) > 1 else ''}"
    verb = "beats" if beats else "does not clearly beat"
    reasons.append(
        f"The model (WQL {float(model.mean()):.4f}) {verb} {name} (WQL {float(other.mean()):.4f}): {margin}."
    )
    return beats, gain
