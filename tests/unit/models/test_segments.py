"""Segments find groups which are there, keep their names, and do not jump."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from jobs.models.segment_report import evaluate, segment_decision
from jobs.models.segments import PROFILE_COLUMNS, SegmentParams, assign, fit, from_json, profile_frame

HOURS = np.arange(24)
PARAMS = SegmentParams(k_min=3, k_max=6, bootstraps=3, sample=400, starts=3)


def bump(hour: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((HOURS - hour) / width) ** 2)


# two of the kinds differ in shape alone
# kind -> weekday shape, weekend shape, kWh a day, class
KINDS = {
    "evening homes": (0.4 + 2.0 * bump(20, 2), 0.5 + 1.6 * bump(19, 3), 8.0, "residential"),
    "shops": (0.2 + 2.0 * bump(13, 3), 0.2 + 1.8 * bump(13, 3), 9.0, "general_commercial"),
    "night shift": (0.3 + 2.0 * bump(3, 2), 0.3 + 2.0 * bump(3, 2), 900.0, "large_industrial"),
    "flat plants": (np.ones(24), 0.98 * np.ones(24), 5000.0, "large_industrial"),
}


def make_days(each: int = 30, weeks: int = 4, seed: int = 11, start: str = "2025-03-03") -> pd.DataFrame:
    random = np.random.default_rng(seed)
    dates = pd.date_range(start, periods=7 * weeks)
    rows = []
    for kind, (weekday, weekend, kwh, usage_class) in KINDS.items():
        for i in range(each):
            level = kwh * np.exp(random.normal(0.0, 0.2))
            for day in dates:
                shape = weekend if day.dayofweek >= 5 else weekday
                hourly = level * shape / shape.sum() * np.exp(random.normal(0.0, 0.25, 24))
                rows.append((f"{kind} {i:03d}", day, hourly.tolist(), day.dayofweek >= 5, usage_class))
    return pd.DataFrame(rows, columns=["unique_id", "ds", "hourly", "is_weekend", "usage_class"])


@pytest.fixture(scope="module")
def days() -> pd.DataFrame:
    return make_days()


@pytest.fixture(scope="module")
def frame(days) -> pd.DataFrame:
    return profile_frame(days)


@pytest.fixture(scope="module")
def model(frame):
    return fit(frame, PARAMS)


def planted(ids: pd.Series) -> pd.Series:
    return ids.str[:-4]


def test_a_profile_is_relative_to_the_customers_mean_hour():
    days = pd.DataFrame(
        {
            "unique_id": ["a", "a"],
            "ds": pd.to_datetime(["2025-03-07", "2025-03-08"]),
            "hourly": [[2.0] * 12 + [4.0] * 12, [3.0] * 24],
            "is_weekend": [False, True],
        }
    )
    row = profile_frame(days).iloc[0]
    assert row["weekday_00"] == pytest.approx(2 / 3)
    assert row["weekday_23"] == pytest.approx(4 / 3)
    assert row["weekend_05"] == pytest.approx(1.0)
    assert np.exp(row["log_level"]) == pytest.approx(72.0)
    assert row["weekend_ratio"] == pytest.approx(1.0)
    assert row["night_share"] == pytest.approx((5 * 12 + 2 * 18) / 7 / 72)
    assert (row["weekdays_known"], row["weekend_days_known"]) == (1, 1)


def test_an_unknown_hour_is_not_zero():
    known = [1.0] * 24
    gap = [1.0] * 23 + [None]
    days = pd.DataFrame(
        {
            "unique_id": ["a"] * 4,
            "ds": pd.date_range("2025-03-06", periods=4),
            "hourly": [known, gap, known, None],
            "is_weekend": [False, False, True, True],
        }
    )
    row = profile_frame(days).iloc[0]
    assert row["weekday_23"] == pytest.approx(1.0)
    assert np.exp(row["log_level"]) == pytest.approx(24.0)
    assert (row["weekdays_known"], row["weekend_days_known"]) == (2, 1)


def test_a_day_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="23 hourly values"):
        profile_frame(pd.DataFrame({"unique_id": ["a"], "hourly": [[1.0] * 23], "is_weekend": [False]}))


def test_planted_groups_are_found(model, frame):
    got = assign(model, frame)
    assert len(model.segments) == len(KINDS)
    assert adjusted_rand_score(planted(got["unique_id"]), got["segment_id"].astype(int)) == 1.0
    assert got["margin"].between(0, 1).all()


def test_names_say_what_the_centres_show_and_are_unique(model, frame):
    names = {s.name for s in model.segments}
    assert len(names) == len({s.name_zh for s in model.segments}) == len(model.segments)
    by_kind = dict(zip(planted(frame["unique_id"]), assign(model, frame)["segment_name"], strict=True))
    assert by_kind["evening homes"].startswith("evening-peak homes")
    assert by_kind["shops"].startswith("daytime-peak businesses")
    assert by_kind["night shift"].startswith("night-peak industry")
    assert by_kind["flat plants"].startswith("all-day even industry")
    chinese = {s.name: s.name_zh for s in model.segments}
    assert chinese[by_kind["evening homes"]].startswith("晚高峰居民")
    assert [s.segment_id for s in model.segments] == [1, 2, 3, 4]
    assert by_kind["flat plants"] == model.segments[0].name  # ids by level, highest first


def test_the_order_of_rows_changes_neither_segments_nor_names(model, days, frame):
    shuffled = days.sample(frac=1.0, random_state=3)
    again = profile_frame(shuffled)
    pd.testing.assert_frame_equal(again, frame)
    assert fit(frame.sample(frac=1.0, random_state=4), PARAMS) == model


def test_chunks_get_what_they_get_together(model, days, frame):
    together = assign(model, frame)
    ids = sorted(days["unique_id"].unique())
    parts = [assign(model, profile_frame(days[days["unique_id"].isin(c)])) for c in (ids[:1], ids[1:50], ids[50:])]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), together, check_exact=True)


def test_json_comes_back_as_an_equal_model(model):
    assert from_json(model.to_json()) == model


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "other"}'])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="not a segment model"):
        from_json(text)


def test_too_few_known_days_get_no_segment(model, days):
    short = days[(days["unique_id"] != "shops 000") | (days["ds"] < "2025-03-10")]
    got = assign(model, profile_frame(short)).set_index("unique_id")
    assert got["segment_id"].isna().sum() == 1
    assert pd.isna(got.loc["shops 000", "segment_id"])
    assert pd.isna(got.loc["shops 000", "segment_name"])


def test_a_handful_of_odd_customers_gets_no_segment_of_its_own(days):
    odd = make_days(each=2, seed=12)
    odd = odd[odd["unique_id"].str.startswith("shops")]
    odd = odd.assign(
        unique_id="odd " + odd["unique_id"],
        hourly=[[0.0] * 11 + [1e6, 1e6] + [0.0] * 11 for _ in range(len(odd))],
    )
    mixed = profile_frame(pd.concat([days, odd]))
    got = fit(mixed, PARAMS)
    assert min(s.share for s in got.segments) >= PARAMS.min_share


def test_a_refit_next_month_keeps_ids_and_names_and_customers(model, frame):
    later = profile_frame(make_days(seed=21, start="2025-03-31"))
    held = assign(model, frame).set_index("unique_id")["segment_id"]
    champion = fit(later, PARAMS, previous=model)
    assert [(s.segment_id, s.name, s.name_zh) for s in champion.segments] == [
        (s.segment_id, s.name, s.name_zh) for s in model.segments
    ]
    now = assign(champion, later, current=held).set_index("unique_id")["segment_id"]
    assert (now == held.loc[now.index]).mean() >= 0.99


def test_customers_who_really_changed_are_still_seen(model, days, frame):
    held = assign(model, frame).set_index("unique_id")["segment_id"]
    later = make_days(seed=22, start="2025-03-31")
    moved = [f"evening homes {i:03d}" for i in range(5)]
    as_shops = later[later["unique_id"].isin([f"shops {i:03d}" for i in range(5)])].copy()
    as_shops["unique_id"] = as_shops["unique_id"].str.replace("shops", "evening homes")
    later = pd.concat([later[~later["unique_id"].isin(moved)], as_shops])
    now = assign(model, profile_frame(later), current=held).set_index("unique_id")["segment_id"]
    changed = now.index[now != held.loc[now.index]]
    assert sorted(changed) == moved


def test_a_customer_on_the_border_stays_where_it_is(model, frame):
    ids = {planted(pd.Series([i]))[0]: i for i in frame["unique_id"]}
    labels = assign(model, frame).set_index("unique_id")["segment_id"]
    a, b = labels[ids["night shift"]], labels[ids["flat plants"]]
    columns = [*PROFILE_COLUMNS, "log_level"]
    centre = {i: frame.loc[labels.to_numpy() == i, columns].mean() for i in (a, b)}
    between = frame.iloc[[0]].assign(**(0.5 * centre[a] + 0.5 * centre[b]).to_dict())
    for held in (a, b):
        current = pd.Series([held], index=between["unique_id"])
        assert assign(model, between, current)["segment_id"].iloc[0] == held


def test_too_few_customers_are_an_error_in_words(frame):
    with pytest.raises(ValueError, match="too few for 3 segments"):
        fit(frame.head(12), PARAMS)


def test_segments_which_foretell_shapes_are_promoted_and_the_reasons_are_stated(frame):
    report = evaluate(frame, profile_frame(make_days(seed=23, start="2025-03-31")), PARAMS)
    decision = segment_decision(report)
    assert decision.promote, decision.reasons
    assert report.explained > report.baseline_explained
    assert "no champion" in " ".join(decision.reasons)
    assert report.metrics()["segments"] == len(KINDS)


def test_segments_of_customers_who_are_all_alike_are_not_promoted():
    random = np.random.default_rng(31)

    def alike(seed: int) -> pd.DataFrame:
        days = make_days(each=40, seed=seed)
        days = days[days["unique_id"].str.startswith("flat")]
        return profile_frame(
            days.assign(hourly=[(50 * np.exp(random.normal(0, 0.3, 24))).tolist() for _ in range(len(days))])
        )

    report = evaluate(alike(32), alike(33), PARAMS)
    assert not segment_decision(report).promote


def test_a_champion_which_is_as_good_stays(model, frame):
    report = evaluate(frame, profile_frame(make_days(seed=24, start="2025-03-31")), PARAMS, champion=model)
    decision = segment_decision(report)
    assert report.agreement_with_champion == pytest.approx(1.0)
    assert not decision.promote
    assert "not clearly better" in " ".join(decision.reasons)
