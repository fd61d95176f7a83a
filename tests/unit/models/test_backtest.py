"""The back-test sees only what was known, and nobody is promoted for nothing."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from jobs.models.backtest import (
    BASELINES,
    MODEL,
    BacktestReport,
    backtest,
    promotion_decision,
    rolling_origins,
    with_champions_origin,
)


def report_of(**wql: list[float]) -> BacktestReport:
    """A report with the given WQL by method and origin; cover .8 everywhere."""
    rows = [
        {
            "origin_date": pd.Timestamp("2025-01-01") + pd.Timedelta(days=14 * i),
            "method": method,
            "wql": value,
            "wape": value * 1.5,
            "cover": 0.8,
            "points": 100,
        }
        for method, values in wql.items()
        for i, value in enumerate(values)
        if not math.isnan(value)
    ]
    return BacktestReport(pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame())


@pytest.fixture(scope="module")
def origins(origin: dt.date) -> list[dt.date]:
    return rolling_origins(origin, 2, 14)


@pytest.fixture(scope="module")
def report(history, origins, light, calendar) -> BacktestReport:
    return backtest(history, origins, light, calendar)


def test_rolling_origins_end_with_the_last_and_ascend():
    assert rolling_origins(dt.date(2025, 4, 30), 3, 14) == [
        dt.date(2025, 4, 2),
        dt.date(2025, 4, 16),
        dt.date(2025, 4, 30),
    ]


def test_every_method_is_scored_on_the_same_days(report):
    assert set(report.by_origin["method"]) == {MODEL, *BASELINES}
    assert (report.by_origin.groupby("origin_date")["points"].nunique() == 1).all()
    assert report.by_origin["points"].min() > 700
    assert set(report.by_horizon["horizon"]) == set(range(1, 15))
    assert set(report.calibration["quantile"]) == {0.1, 0.5, 0.9}


def test_a_real_rhythm_is_forecast_better_than_by_any_baseline(report):
    decision = promotion_decision(report)
    assert decision.promote, decision.reasons
    assert decision.gain_over_baseline > 0
    assert any("No champion" in reason for reason in decision.reasons)


def test_the_summary_is_ordered_and_becomes_flat_metrics(report):
    table = report.summary()
    assert table["wql"].is_monotonic_increasing
    assert table.loc[0, "method"] == MODEL
    assert report.metrics()[f"{MODEL}_wql"] == pytest.approx(float(table.loc[0, "wql"]))


def test_days_after_an_origin_change_no_forecast_only_its_score(history, origins, light, calendar):
    first = origins[:1]
    before = backtest(history, first, light, calendar)
    changed = history.copy()
    changed.loc[changed["ds"] > pd.Timestamp(first[0]) + pd.Timedelta(days=14), "y"] *= 50.0
    after = backtest(changed, first, light, calendar)
    pd.testing.assert_frame_equal(before.by_origin, after.by_origin)
    assert before.forecaster is not None
    assert after.forecaster is not None
    assert before.forecaster.to_bytes() == after.forecaster.to_bytes()


def test_a_champion_is_scored_only_at_origins_after_it_was_trained(
    history, origins, light, calendar, forecaster, report
):
    late = backtest(history, origins, light, calendar, champion=forecaster)
    champion = late.by_origin[late.by_origin["method"] == "champion"]
    assert champion["origin_date"].tolist() == [pd.Timestamp(origins[-1])]
    early = backtest(history, origins, light, calendar, champion=report.forecaster)
    assert "champion" in set(early.by_origin["method"])


def test_a_champion_younger_than_every_origin_gets_one_of_its_own():
    origins = [dt.date(2025, 6, 1), dt.date(2025, 6, 15)]
    week_old, today = dt.date(2025, 6, 22), dt.date(2025, 6, 29)
    assert with_champions_origin(origins, week_old, today) == [*origins, week_old]
    assert with_champions_origin(origins, dt.date(2025, 6, 10), today) == origins
    assert with_champions_origin(origins, dt.date(2025, 6, 27), today) == origins


def test_a_champion_is_compared_on_the_origins_it_shares_with_the_model():
    decision = promotion_decision(
        report_of(usage_forecast=[0.1, 0.1, 0.3], recent_quantiles=[0.4, 0.4, 0.4], champion=[math.nan, math.nan, 0.2])
    )
    assert not decision.promote
    assert "WQL 0.3000) does not clearly beat the champion (WQL 0.2000)" in " ".join(decision.reasons)


def test_a_back_test_without_origins_is_refused(history):
    with pytest.raises(ValueError, match="at least one origin"):
        backtest(history, [])


def test_a_model_which_is_no_better_than_the_baseline_is_not_promoted():
    decision = promotion_decision(report_of(usage_forecast=[0.2, 0.2, 0.2], recent_quantiles=[0.2, 0.2, 0.2]))
    assert not decision.promote
    assert "does not clearly beat the best baseline (recent_quantiles)" in decision.reasons[0]


def test_a_gain_within_its_own_error_is_not_enough():
    decision = promotion_decision(report_of(usage_forecast=[0.10, 0.30, 0.19], recent_quantiles=[0.2, 0.2, 0.2]))
    assert decision.gain_over_baseline > 0
    assert not decision.promote


def test_the_best_baseline_counts_not_a_poor_one():
    decision = promotion_decision(
        report_of(usage_forecast=[0.2, 0.21, 0.2], seasonal_naive=[0.3, 0.3, 0.3], recent_quantiles=[0.19, 0.19, 0.19])
    )
    assert not decision.promote
    assert decision.best_baseline == "recent_quantiles"


def test_a_champion_which_is_as_good_stays():
    scores = {"recent_quantiles": [0.3, 0.31, 0.3], "usage_forecast": [0.2, 0.21, 0.2]}
    assert promotion_decision(report_of(**scores)).promote
    assert not promotion_decision(report_of(**scores, champion=[0.2, 0.21, 0.2])).promote
    assert promotion_decision(report_of(**scores, champion=[0.25, 0.25, 0.25])).promote


def test_with_two_origins_the_model_must_win_at_both():
    assert not promotion_decision(report_of(usage_forecast=[0.1, 0.31], recent_quantiles=[0.3, 0.3])).promote
    assert promotion_decision(report_of(usage_forecast=[0.1, 0.29], recent_quantiles=[0.3, 0.3])).promote


def test_an_interval_which_does_not_hold_what_it_says_is_not_promoted():
    good = report_of(usage_forecast=[0.1, 0.1, 0.1], recent_quantiles=[0.3, 0.31, 0.3])
    narrow = good.by_origin.assign(cover=np.where(good.by_origin["method"] == MODEL, 0.5, 0.8))
    decision = promotion_decision(BacktestReport(narrow, good.by_horizon, good.calibration))
    assert not decision.promote
    assert "50.0%" in " ".join(decision.reasons)


def test_no_score_is_no_promotion():
    decision = promotion_decision(report_of(recent_quantiles=[0.3]))
    assert not decision.promote
    assert "no score" in decision.reasons[0]
