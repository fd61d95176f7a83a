"""Words for segments, in English and Chinese, from what their centres look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Centre:
    """The mean customer of a segment: 24 hourly values for weekdays and weekends (1 = its mean hour), and its size."""

    weekday: tuple[float, ...]
    weekend: tuple[float, ...]
    mean_daily_kwh: float
    usage_class: str | None
    share: float


Words = tuple[str, str]

WHO: dict[str | None, Words] = {
    "residential": ("homes", "居民"),
    "general_commercial": ("businesses", "工商业"),
    "large_industrial": ("industry", "大工业"),
    "agricultural": ("farms", "农业"),
    None: ("customers", "用户"),
}
FLAT: Words = ("all-day even", "全天平稳")
TWO_PEAKS: Words = ("morning-and-evening-peak", "早晚双峰")
PEAKS: tuple[tuple[range, Words], ...] = (
    (range(0, 6), ("night-peak", "夜间高峰")),
    (range(6, 10), ("morning-peak", "早高峰")),
    (range(10, 17), ("daytime-peak", "日间高峰")),
    (range(17, 22), ("evening-peak", "晚高峰")),
    (range(22, 24), ("late-evening-peak", "深夜高峰")),
)
LEVELS: tuple[Words, ...] = (
    ("very low use", "极低用量"),
    ("low use", "低用量"),
    ("medium use", "中用量"),
    ("high use", "高用量"),
    ("very high use", "极高用量"),
)


def name_segments(centres: Sequence[Centre], kept: Mapping[int, Words]) -> list[Words]:
    """Unique English and Chinese name for each centre; `kept` are names which stay, by position.

    Shape, who, and level relative to customers of the same class ("high": 1.3 times the typical one and more). Two
    alike are told apart by their weekends, then by their peak hour, then by their kWh a day.
    """
    typical = _typical(centres)
    names = [kept.get(i, ("", "")) for i in range(len(centres))]
    fresh = [i for i in range(len(centres)) if i not in kept]
    taken = {word for words in kept.values() for word in words}
    details: dict[int, list[Words]] = {i: [] for i in fresh}
    for kind in (_weekend, _peak_hour, _kwh):
        plain = {i: _name(centres[i], typical[i], details[i]) for i in fresh}
        used = [word for words in plain.values() for word in words]
        for i in fresh:
            if any(word in taken or used.count(word) > 1 for word in plain[i]):
                details[i].append(kind(centres[i]))
    for i in fresh:
        plain_words = words = _name(centres[i], typical[i], details[i])
        number = 2
        while taken & set(words):
            words = (f"{plain_words[0]} ({number})", f"{plain_words[1]}({number})")
            number += 1
        names[i] = words
        taken.update(words)
    return names


def _typical(centres: Sequence[Centre]) -> list[float]:
    """For each centre: kWh a day of the typical customer of its class (geometric mean)."""
    out = []
    for centre in centres:
        alike = [c for c in centres if c.usage_class == centre.usage_class]
        weights = np.array([max(c.share, 1e-6) for c in alike])
        out.append(float(np.exp(np.average(np.log([c.mean_daily_kwh for c in alike]), weights=weights))))
    return out


def plain_kwh(kwh: float) -> str:
    """Three digits that matter, without an exponent: 7.83, 985, 5,260."""
    rounded = float(f"{kwh:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def _name(centre: Centre, typical: float, details: Sequence[Words]) -> Words:
    shape, who, level = _shape(centre), WHO.get(centre.usage_class, WHO[None]), _level(centre, typical)
    english = f"{shape[0]} {who[0]}, {level[0]}"
    chinese = f"{shape[1]}{who[1]}·{level[1]}"
    for detail in details:
        if detail[0]:
            english, chinese = f"{english}, {detail[0]}", f"{chinese}·{detail[1]}"
    return english, chinese


def _week(centre: Centre) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return (5.0 * np.asarray(centre.weekday) + 2.0 * np.asarray(centre.weekend)) / 7.0


def _shape(centre: Centre) -> Words:
    week = _week(centre)
    smooth = (np.roll(week, 1) + week + np.roll(week, -1)) / 3.0
    if smooth.max() < 1.2 * smooth.mean():
        return FLAT
    morning, evening = smooth[6:10].max(), smooth[17:22].max()
    valley = smooth[10:17].min()
    if min(morning, evening) > 0.85 * smooth.max() and valley < 0.85 * min(morning, evening):
        return TWO_PEAKS
    top = int(np.argmax(smooth))
    return next(words for hours, words in PEAKS if top in hours)


def _level(centre: Centre, typical: float) -> Words:
    ratio = centre.mean_daily_kwh / typical
    return LEVELS[int(np.searchsorted([0.35, 0.77, 1.3, 2.8], ratio, side="right"))]


def _weekend(centre: Centre) -> Words:
    ratio = sum(centre.weekend) / max(sum(centre.weekday), 1e-9)
    if ratio < 0.7:
        return ("weekday-only", "工作日为主")
    if ratio > 1.15:
        return ("weekend-heavy", "周末偏高")
    return ("", "")


def _peak_hour(centre: Centre) -> Words:
    hour = int(np.argmax(_week(centre)))
    return (f"peak at {hour:02d}:00", f"{hour}点峰")


def _kwh(centre: Centre) -> Words:
    kwh = plain_kwh(centre.mean_daily_kwh)
    return (f"about {kwh} kWh a day", f"日均约{kwh}千瓦时")
