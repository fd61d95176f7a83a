"""The usage forecaster: what it promises whoever scores with it."""

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobs.models.panel import Panel, as_day, panel_of
from jobs.models.usage_features import day_facts, feature_names
from jobs.models.usage_forecast import UsageParams, fit, from_bytes, predict
from jobs.models.usage_rows import training_origins, training_rows

KWH = ["p10", "p50", "p90"]


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    keys = ["unique_id", "forecast_date"]
    pd.testing.assert_frame_equal(
        a.sort_values(keys, ignore_index=True), b.sort_values(keys, ignore_index=True), check_exact=True
    )


def test_there_is_one_row_per_customer_and_day_ahead(forecaster, history, calendar, origin):
    got = predict(forecaster, history, origin, calendar)
    assert list(got.columns) == ["unique_id", "origin_date", "forecast_date", *KWH, "sufficiency"]
    assert len(got) == 60 * 14
    assert not got.duplicated(["unique_id", "forecast_date"]).any()
    assert got["forecast_date"].min() == pd.Timestamp("2025-05-01")
    assert got["forecast_date"].max() == pd.Timestamp("2025-05-14")
    assert (got["origin_date"] == pd.Timestamp(origin)).all()


def test_quantiles_never_cross_and_never_fall_below_zero(forecaster, history, calendar, origin):
    got = predict(forecaster, history, origin, calendar)
    assert got[KWH].notna().all().all()
    assert (got["p10"] <= got["p50"]).all()
    assert (got["p50"] <= got["p90"]).all()
    assert (got["p10"] >= 0).all()


def test_the_rhythm_of_the_week_is_learned(forecaster, history, calendar, origin):
    got = predict(forecaster, history, origin, calendar).query("unique_id == 'c000'").set_index("forecast_date")["p50"]
    sunday, monday = got["2025-05-11"], got["2025-05-12"]
    assert sunday < 0.5 * monday


def test_the_future_does_not_leak(forecaster, history, calendar, light, origin):
    changed = history.copy()
    after = changed["ds"] > pd.Timestamp(origin)
    changed.loc[after, "y"] = 99_999.0
    changed.loc[after, "usage_class"] = "large_industrial"
    same(predict(forecaster, history, origin, calendar), predict(forecaster, changed, origin, calendar))
    again = fit(changed, origin, light, calendar)
    assert again.to_bytes() == forecaster.to_bytes()


def test_chunks_of_customers_get_what_they_get_together(forecaster, history, calendar, origin):
    together = predict(forecaster, history, origin, calendar)
    ids = sorted(history["unique_id"].unique())
    for chunks in ([ids[:1], ids[1:7], ids[7:]], [[i] for i in ids[:5]]):
        parts = [predict(forecaster, history[history["unique_id"].isin(c)], origin, calendar) for c in chunks]
        wanted = {i for c in chunks for i in c}
        same(pd.concat(parts), together[together["unique_id"].isin(wanted)])


def test_the_order_of_rows_changes_nothing(forecaster, history, calendar, light, origin):
    shuffled = history.sample(frac=1.0, random_state=5)
    same(predict(forecaster, history, origin, calendar), predict(forecaster, shuffled, origin, calendar))
    assert fit(shuffled, origin, light, calendar).to_bytes() == forecaster.to_bytes()


def test_the_number_of_threads_changes_nothing(forecaster, history, calendar, light, origin):
    three = fit(history, origin, replace(light, num_threads=3), calendar)
    trees = [booster.model_to_string() for booster in forecaster.boosters]
    assert [booster.model_to_string() for booster in three.boosters] == trees
    same(predict(forecaster, history, origin, calendar), predict(three, history, origin, calendar, num_threads=2))


def test_a_missing_row_is_the_same_as_an_unknown_day_and_neither_is_zero(forecaster, history, calendar, origin):
    unknown = history.copy()
    recent = (unknown["unique_id"] == "c001") & (unknown["ds"] > "2025-04-20") & (unknown["ds"] <= "2025-04-29")
    unknown.loc[recent, "y"] = np.nan
    as_nan = predict(forecaster, unknown, origin, calendar)
    same(as_nan, predict(forecaster, unknown[~recent], origin, calendar))
    zero = unknown.copy()
    zero.loc[recent, "y"] = 0.0
    mine = "unique_id == 'c001'"
    as_zero = predict(forecaster, zero, origin, calendar)
    assert as_zero.query(mine)["p50"].mean() < 0.8 * as_nan.query(mine)["p50"].mean()


def test_sufficiency_follows_the_known_days_of_the_last_twelve_weeks(forecaster, history, calendar, origin):
    some = history[history["ds"] <= pd.Timestamp(origin)].dropna(subset="y").sort_values("ds")
    known = {"c001": 56, "c002": 55, "c003": 21, "c004": 20, "c005": 3, "c006": 0}
    frames = [
        some[some["unique_id"] == i].tail(n) if n else some[some["unique_id"] == i].tail(1).assign(y=np.nan)
        for i, n in known.items()
    ]
    got = predict(forecaster, pd.concat(frames), origin, calendar)
    stated = got.groupby("unique_id")["sufficiency"].first()
    assert stated.to_dict() == {
        "c001": "sufficient",
        "c002": "partial",
        "c003": "partial",
        "c004": "not_enough_data",
        "c005": "not_enough_data",
        "c006": "not_enough_data",
    }
    own = frames[3]["y"].to_numpy()
    assert got.query("unique_id == 'c004'")["p50"].iloc[0] == pytest.approx(np.median(own))
    assert got.query("unique_id == 'c005'")[KWH].notna().all().all()
    assert got.query("unique_id == 'c006'")[KWH].isna().all().all()


def test_a_customer_of_a_class_nobody_has_seen_is_forecast_all_the_same(forecaster, history, calendar, origin):
    new = history[history["unique_id"] == "c001"].assign(usage_class="large_industrial")
    assert predict(forecaster, new, origin, calendar)[KWH].notna().all().all()


def test_a_customer_with_own_generation_may_fall_below_zero(forecaster, history, calendar, origin):
    exporter = history[history["unique_id"] == "c001"].copy()
    exporter["y"] = exporter["y"] - 2 * exporter["y"].max()
    assert (predict(forecaster, exporter, origin, calendar)["p50"] < 0).all()


def test_fitting_twice_gives_the_same_bytes(forecaster, history, calendar, light, origin):
    assert fit(history, origin, light, calendar).to_bytes() == forecaster.to_bytes()


def test_bytes_come_back_as_the_same_forecaster(forecaster, history, calendar, origin):
    back = from_bytes(forecaster.to_bytes())
    assert back.params == forecaster.params
    assert back.trained_until == origin
    assert back.scale == forecaster.scale
    same(predict(back, history, origin, calendar), predict(forecaster, history, origin, calendar))
    same(
        predict(pickle.loads(pickle.dumps(forecaster)), history, origin, calendar),
        predict(forecaster, history, origin, calendar),
    )


@pytest.mark.parametrize("data", [b"", b"not a model", pickle.dumps({"format": "x"})])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match="not a usage forecaster"):
        from_bytes(data)


def test_dates_may_be_plain_dates_as_spark_gives_them(forecaster, history, calendar, origin):
    plain = history.assign(ds=history["ds"].dt.date)
    days = calendar.assign(ds=calendar["ds"].dt.date)
    same(predict(forecaster, plain, origin, days), predict(forecaster, history, origin, calendar))


def test_two_rows_of_one_day_are_an_error_which_names_the_day(history, light, origin):
    twice = pd.concat([history, history.iloc[[0]]])
    with pytest.raises(ValueError, match="more than one row of c000"):
        fit(twice, origin, light)


def test_a_history_without_days_is_an_error_in_words(history, light, origin):
    with pytest.raises(ValueError, match="no training rows"):
        fit(history[history["ds"] < "2025-01-05"], origin, light)


def test_no_customer_gives_no_row(forecaster, history, origin):
    assert predict(forecaster, history.iloc[:0], origin).empty


def test_perfect_weather_is_used_where_it_is_given(light, origin, town):
    homes = town(customers=40, days=160)
    days = pd.DataFrame({"ds": sorted(homes["ds"].unique())})
    warm = np.random.default_rng(4).normal(20.0, 8.0, len(days))
    weather = days.assign(temperature_c=warm, place="hill")
    factor = np.exp(0.04 * (warm - 20.0))
    homes["y"] = homes["y"] * homes["ds"].map(dict(zip(days["ds"], factor, strict=True)))
    model = fit(homes, origin, light, weather=weather)
    assert "temperature" in model.feature_names()
    hotter = weather.assign(temperature_c=weather["temperature_c"] + np.where(weather["ds"] > str(origin), 15.0, 0.0))
    plain = predict(model, homes, origin, weather=weather)["p50"].sum()
    assert predict(model, homes, origin, weather=hotter)["p50"].sum() > 1.1 * plain
    same(
        predict(from_bytes(model.to_bytes()), homes, origin, weather=weather),
        predict(model, homes, origin, weather=weather),
    )


def rows_by_level(panel: Panel, params: UsageParams, origin: dt.date) -> pd.Series:
    """Number of training rows by the power of ten of the customer's level."""
    x, y = training_rows(panel, as_day(origin), params, day_facts(None, None), (), with_weather=False)
    assert len(x) == len(y)
    level = np.exp(x[:, feature_names(0, False).index("log_level")].astype(float))
    return pd.Series(np.round(np.log10(level)).astype(int)).value_counts()


def made_of(levels: list[float], origin: dt.date, days: int = 120) -> Panel:
    dates = pd.date_range(end=pd.Timestamp(origin), periods=days)
    frames = [pd.DataFrame({"unique_id": f"c{i:03d}", "ds": dates, "y": kwh}) for i, kwh in enumerate(levels)]
    return panel_of(pd.concat(frames))


def test_who_uses_more_fills_more_rows_and_no_row_is_weighted(origin):
    panel = made_of([1.0] * 50 + [100.0] * 50, origin)
    params = UsageParams(max_rows=6_000, weight_power=0.5, half_life_days=1e9)
    rows = rows_by_level(panel, params, origin)
    assert rows[2] / rows[0] == pytest.approx(10.0, rel=0.15)
    # rows which would have to be known after the origin are drawn like the others, and left out
    assert 0.85 * params.max_rows < rows.sum() <= 1.02 * params.max_rows
    alike = rows_by_level(panel, replace(params, weight_power=0.0), origin)
    assert alike[2] / alike[0] == pytest.approx(1.0, rel=0.1)


def test_rows_a_giant_cannot_fill_go_to_the_others(origin):
    panel = made_of([1.0] * 99 + [1e8], origin)
    params = UsageParams(max_rows=3_000, half_life_days=1e9)
    rows = rows_by_level(panel, params, origin)
    assert rows[8] <= 80 * 14
    assert rows[0] > 1_500


def test_older_rows_are_drawn_more_rarely(origin):
    panel = made_of([1.0] * 100, origin, days=235)
    old = pd.date_range(end=pd.Timestamp(origin) - pd.Timedelta(days=100), periods=150)  # marked by a flag of the day
    facts = day_facts(pd.DataFrame({"ds": old, "is_holiday": True}), None)
    params = UsageParams(max_rows=6_000, half_life_days=60.0, max_origins=200)
    x, _ = training_rows(panel, as_day(origin), params, facts, (), with_weather=False)
    is_old = x[:, feature_names(0, False).index("is_holiday")] == 1.0
    # the 100 days before the last 100, at a half-life of 60 days: 0.315 of the last 100
    assert is_old.sum() / (~is_old).sum() == pytest.approx(0.315, abs=0.05)


def test_training_origins_lie_before_the_origin_and_on_every_weekday():
    first, origin = np.datetime64("2024-01-01"), np.datetime64("2025-04-30")
    days = training_origins(first, origin, UsageParams())
    assert days.max() < origin
    assert days.min() >= origin - 420
    assert len({int((d - first).astype(int)) % 7 for d in days}) == 7
    assert len(days) <= UsageParams().max_origins
    assert dt.date(2025, 4, 29) == days.max().astype(dt.date)
