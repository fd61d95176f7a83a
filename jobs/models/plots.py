"""Figures of the models for people: what was forecast how well, and who the segments are.

Figures are made without pyplot, so that nothing is kept open and no display is looked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from jobs.models.backtest import MODEL, BacktestReport
from jobs.models.segment_names import plain_kwh
from jobs.models.segment_profiles import HOURS
from jobs.models.segments import SegmentModel
from jobs.models.usage_forecast import UsageForecaster

INK, GRID = "#2b2f36", "#d9dde3"
COLOURS = {
    MODEL: "#0b6e99",
    "champion": "#6c4ab6",
    "recent_quantiles": "#d98e04",
    "weekday_median": "#7a9e3a",
    "seasonal_naive": "#b04a4a",
}
LABELS = {
    MODEL: "model",
    "champion": "champion",
    "recent_quantiles": "own quantiles of 28 days",
    "weekday_median": "median of 4 same weekdays",
    "seasonal_naive": "same weekday last week",
}
PALETTE = ("#0b6e99", "#d98e04", "#7a9e3a", "#b04a4a", "#6c4ab6", "#3d8b7d", "#8c6d46", "#5b6470")


def usage_forecast_figures(report: BacktestReport, model: UsageForecaster) -> dict[str, Figure]:
    """All figures of a back-tested forecaster, by file name."""
    return {
        "backtest_by_origin.png": backtest_by_origin(report),
        "backtest_by_horizon.png": backtest_by_horizon(report),
        "calibration.png": calibration(report),
        "feature_importance.png": feature_importance(model),
    }


def segment_figures(model: SegmentModel) -> dict[str, Figure]:
    """All figures of a segmentation, by file name."""
    return {"segment_profiles.png": segment_profiles(model), "segment_selection.png": segment_selection(model)}


def backtest_by_origin(report: BacktestReport) -> Figure:
    """Error of every method and cover of its interval, origin by origin."""
    figure, (loss, cover) = _figure(1, 2, 11.0, 4.2)
    for method, rows in _methods(report.by_origin):
        days = pd.to_datetime(rows["origin_date"]).to_numpy()
        style = _style(method)
        loss.plot(days, rows["wql"].to_numpy(), label=LABELS.get(method, method), **style)
        cover.plot(days, rows["cover"].to_numpy(), **style)
    loss.set(title="Quantile loss by origin (lower is better)", xlabel="origin date", ylabel="WQL (share of kWh)")
    loss.set_ylim(bottom=0)
    _cover_axis(cover, "Days inside P10-P90 by origin", "origin date")
    for axes in (loss, cover):
        axes.set_xticks(np.unique(pd.to_datetime(report.by_origin["origin_date"]).to_numpy()))
        axes.tick_params(axis="x", labelrotation=35)
    _legend(figure, loss)
    return figure


def backtest_by_horizon(report: BacktestReport) -> Figure:
    """Error and cover by days ahead, pooled over origins."""
    figure, (loss, cover) = _figure(1, 2, 11.0, 4.2)
    for method, rows in _methods(report.by_horizon):
        style = _style(method)
        ahead = rows["horizon"].to_numpy()
        loss.plot(ahead, rows["wape"].to_numpy(), label=LABELS.get(method, method), **style)
        cover.plot(ahead, rows["cover"].to_numpy(), **style)
    loss.set(title="Error of the median by days ahead", xlabel="days ahead", ylabel="WAPE (share of kWh)")
    loss.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    loss.set_ylim(bottom=0)
    for axes in (loss, cover):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _cover_axis(cover, "Days inside P10-P90 by days ahead", "days ahead")
    _legend(figure, loss)
    return figure


def calibration(report: BacktestReport) -> Figure:
    """Share of truths below each quantile against what the quantile promises, by group of days ahead."""
    groups = report.calibration[["first_day", "last_day"]].drop_duplicates().to_dict("records")
    figure, axes = _figure(1, len(groups), 3.6 * len(groups) + 0.6, 4.2)
    for panel, group in zip(axes, groups, strict=True):
        panel.plot([0, 1], [0, 1], color=GRID, linewidth=1.5, zorder=1)
        mine = report.calibration[report.calibration["first_day"] == group["first_day"]]
        for method, rows in _methods(mine):
            panel.plot(
                rows["quantile"].to_numpy(),
                rows["share_below"].to_numpy(),
                label=LABELS.get(method, method),
                **_style(method),
            )
        panel.set(
            title=f"{group['first_day']} to {group['last_day']} days ahead",
            xlabel="quantile promised",
            ylabel="share of days at or below it",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
    _legend(figure, axes[0])
    return figure


def feature_importance(model: UsageForecaster, most: int = 20) -> Figure:
    """The features which brought most of the gain, for the three quantiles."""
    table = model.importance().pivot(index="feature", columns="quantile", values="gain_share")
    table = table.loc[table.mean(axis=1).sort_values(ascending=False).index[:most]].iloc[::-1]
    figure, (axes,) = _figure(1, 1, 8.0, 0.3 * len(table) + 1.4)
    position = np.arange(len(table))
    for i, (level, colour) in enumerate(zip(table.columns, ("#9cc4d6", "#0b6e99", "#08405a"), strict=True)):
        axes.barh(
            position + 0.27 * (i - 1), table[level].to_numpy(), 0.25, color=colour, label=f"P{float(level) * 100:.0f}"
        )
    axes.set_yticks(position, [str(name).replace("_", " ") for name in table.index])
    axes.set(title="What the forecast rests on", xlabel="share of the total gain")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="lower right")
    axes.grid(axis="y", visible=False)
    return figure


def segment_profiles(model: SegmentModel) -> Figure:
    """Mean weekday and weekend day of each segment."""
    columns = min(3, len(model.segments))
    rows = -(-len(model.segments) // columns)
    figure, axes = _figure(rows, columns, 4.3 * columns, 2.9 * rows + 0.5)
    top = max(max(*s.weekday, *s.weekend) for s in model.segments)
    hours = np.arange(HOURS) + 0.5
    for i, panel in enumerate(axes):
        if i >= len(model.segments):
            panel.set_visible(False)
            continue
        segment = model.segments[i]
        colour = PALETTE[i % len(PALETTE)]
        panel.axhline(1.0, color=GRID, linewidth=1.2)
        panel.plot(hours, segment.weekday, color=colour, linewidth=2.2, label="weekday")
        panel.plot(hours, segment.weekend, color=colour, linewidth=1.6, linestyle="--", label="weekend")
        panel.fill_between(hours, 0, segment.weekday, color=colour, alpha=0.12, linewidth=0)
        panel.set_title(
            f"{segment.segment_id}  {segment.name}\n{segment.share:.0%} of customers, "
            f"{plain_kwh(segment.mean_daily_kwh)} kWh a day",
            fontsize=9,
        )
        panel.set(xlim=(0, 24), ylim=(0, top * 1.05), xlabel="hour of the day", ylabel="x mean hour")
        panel.set_xticks(range(0, 25, 6))
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def segment_selection(model: SegmentModel) -> Figure:
    """Stability and separation for each number of segments tried; the chosen one is marked."""
    figure, (stability, separation) = _figure(1, 2, 9.0, 3.6)
    k = np.array([m["k"] for m in model.selection])
    chosen = len(model.segments)
    stability.errorbar(
        k,
        [m["stability"] for m in model.selection],
        yerr=[m["stability_se"] for m in model.selection],
        color=PALETTE[0],
        marker="o",
        capsize=3,
    )
    separation.plot(k, [m["separation"] for m in model.selection], color=PALETTE[1], marker="o")
    stability.set(title="Agreement of bootstrap refits", ylabel="adjusted Rand index")
    separation.set(title="Separation", ylabel="mean silhouette")
    for axes in (stability, separation):
        axes.axvline(chosen, color=INK, linewidth=1, linestyle=":")
        axes.set(xlabel=f"number of segments ({chosen} chosen)", xticks=k)
    return figure


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(rows * columns)]
    for panel in axes:
        panel.grid(visible=True, color=GRID, linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(GRID)
        panel.tick_params(colors=INK, labelsize=8, length=0)
        panel.title.set_fontsize(10)
        panel.title.set_color(INK)
        panel.xaxis.label.set_fontsize(9)
        panel.yaxis.label.set_fontsize(9)
    return figure, axes


def _methods(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Rows of each method, the model last so that it is drawn on top."""
    names = [n for n in LABELS if n in set(table["method"])][::-1]
    return [(name, table[table["method"] == name]) for name in names]


def _style(method: str) -> dict[str, Any]:
    return {
        "color": COLOURS.get(method, INK),
        "linewidth": 2.4 if method == MODEL else 1.3,
        "marker": "o",
        "markersize": 5 if method == MODEL else 3,
    }


def _cover_axis(axes: Axes, title: str, label: str) -> None:
    axes.axhspan(0.79, 0.81, color="#0b6e99", alpha=0.12, linewidth=0)
    axes.axhline(0.8, color="#0b6e99", linewidth=1, linestyle=":")
    axes.set(title=title, xlabel=label, ylabel="share of days", ylim=(0.5, 1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _legend(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside lower center", ncols=len(names), frameon=False, fontsize=8)
