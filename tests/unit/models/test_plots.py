"""Figures are drawn, labelled with units, and leave no pyplot state behind."""

import io
import sys

import pytest

from jobs.models import plots
from jobs.models.backtest import backtest, rolling_origins


@pytest.fixture(scope="module")
def figures(history, origin, light, calendar):
    report = backtest(history, rolling_origins(origin, 2, 14), light, calendar)
    assert report.forecaster is not None
    return plots.usage_forecast_figures(report, report.forecaster)


def test_every_figure_can_be_saved(figures):
    assert set(figures) == {
        "backtest_by_origin.png",
        "backtest_by_horizon.png",
        "calibration.png",
        "feature_importance.png",
    }
    for figure in figures.values():
        target = io.BytesIO()
        figure.savefig(target, format="png")
        assert target.getvalue().startswith(b"\x89PNG")


def test_every_axis_says_what_it_shows(figures):
    for name, figure in figures.items():
        for axes in figure.axes:
            assert axes.get_title(), name
            assert axes.get_xlabel(), name


def test_pyplot_is_not_loaded_by_the_figures():
    assert "matplotlib.pyplot" not in sys.modules
