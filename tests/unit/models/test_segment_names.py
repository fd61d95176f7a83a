"""Names of segments in words."""

import numpy as np
import pytest

from jobs.models.segment_names import Centre, name_segments, plain_kwh

HOURS = np.arange(24)


def centre(
    peak: float | None, kwh: float = 8.0, usage_class: str | None = "residential", weekend: float = 1.0
) -> Centre:
    shape = np.ones(24) if peak is None else 0.4 + 2.0 * np.exp(-0.5 * ((HOURS - peak) / 2) ** 2)
    shape = shape / shape.mean()
    return Centre(tuple(shape), tuple(weekend * shape), kwh, usage_class, 0.2)


@pytest.mark.parametrize(
    ("peak", "english", "chinese"),
    [
        (3, "night-peak homes", "夜间高峰居民"),
        (8, "morning-peak homes", "早高峰居民"),
        (13, "daytime-peak homes", "日间高峰居民"),
        (19, "evening-peak homes", "晚高峰居民"),
        (None, "all-day even homes", "全天平稳居民"),
    ],
)
def test_the_peak_of_the_day_names_the_shape(peak, english, chinese):
    assert name_segments([centre(peak)], {}) == [(f"{english}, medium use", f"{chinese}·中用量")]


def test_two_peaks_are_said():
    week = 0.5 + np.exp(-0.5 * ((HOURS - 7) / 1.5) ** 2) + np.exp(-0.5 * ((HOURS - 19) / 1.5) ** 2)
    both = Centre(tuple(week), tuple(week), 8.0, None, 1.0)
    assert name_segments([both], {})[0][0] == "morning-and-evening-peak customers, medium use"


def test_high_and_low_are_relative_to_customers_of_the_same_class():
    names = name_segments(
        [
            centre(19, 16.0),
            centre(19, 4.0),
            centre(13, 9000.0, "large_industrial"),
            centre(13, 900.0, "large_industrial"),
        ],
        {},
    )
    assert [n[0].split(", ")[1] for n in names] == ["high use", "low use", "very high use", "very low use"]


def test_names_which_would_be_alike_are_told_apart():
    names = name_segments(
        [centre(19), centre(19, weekend=1.4), centre(20), centre(20, kwh=8.1), centre(20, kwh=8.1)], {}
    )
    assert len({n[0] for n in names}) == len({n[1] for n in names}) == 5
    assert "weekend-heavy" in names[1][0]


def test_a_name_in_use_is_not_given_to_another():
    kept = {0: ("evening-peak homes, medium use", "晚高峰居民·中用量")}
    names = name_segments([centre(19), centre(19)], kept)
    assert names[0] == kept[0]
    assert names[1][0] != names[0][0]
    assert names[1][1] != names[0][1]


@pytest.mark.parametrize(("kwh", "text"), [(7.834, "7.83"), (985.4, "985"), (5263.0, "5,260"), (1.2e6, "1,200,000")])
def test_kwh_are_written_without_an_exponent(kwh, text):
    assert plain_kwh(kwh) == text
