"""Synthetic hourly weather of a prefecture: seasons, the daily cycle, and spells of warm and cold days."""

from datetime import date
from functools import cache

import numpy as np

from jobs.province.draws import Floats, draw

# name, mean temperature against the province's mean in degrees Celsius
PREFECTURES = (("澜州市", 0.0), ("青岭市", -2.5), ("云浦市", 1.2), ("东湖市", 0.6))
_HOURS = np.arange(24)


def day_weather(seed: int, prefecture: int, day: date) -> dict[str, Floats]:
    """(24,) each: temperature_c, humidity_pct, precipitation_mm, wind_m_s of the local clock hours of a date."""
    ordinal = day.toordinal()
    rain = draw(seed, "rain", prefecture, ordinal)
    # the plum rains of early summer make June and July the wettest months
    is_wet = rain.random() < 0.22 + 0.18 * np.exp(-(((_year_share(ordinal) - 0.48) / 0.09) ** 2))
    amount = rain.gamma(0.7, 1.8, 24) * (rain.random(24) < 0.35) * is_wet
    temperature = temperatures(seed, prefecture, ordinal) - 1.5 * is_wet
    air = draw(seed, "air", prefecture, ordinal)
    humidity = 68 - 2.2 * (temperature - temperature.mean()) + 14 * is_wet + air.normal(0, 3, 24)
    wind = air.gamma(3.0, 0.8, 24) * (1 + 0.3 * np.sin((_HOURS - 9) / 24 * 2 * np.pi))
    return {
        "temperature_c": np.round(temperature, 1),
        "humidity_pct": np.round(np.clip(humidity, 15, 100)),
        "precipitation_mm": np.round(amount, 1),
        "wind_m_s": np.round(wind, 1),
    }


@cache
def temperatures(seed: int, prefecture: int, ordinal: int) -> Floats:
    """(24,) dry air temperature by hour, without the cooling of rain, degrees Celsius."""
    offset = PREFECTURES[prefecture][1]
    share = _year_share(ordinal) + _HOURS / 24 / 365.25
    season = 16.8 + offset - 12.2 * np.cos(2 * np.pi * (share - 0.055))
    # days anchor at noon, so that midnight has no step
    anchors = [_spell(seed, prefecture, ordinal + shift) for shift in (-1, 0, 1)]
    spell = np.interp(_HOURS, (-12, 12, 36), anchors)
    swing = 3.2 + 1.8 * draw(seed, "swing", prefecture, ordinal).random()
    return np.asarray(season + spell + swing * np.sin((_HOURS - 9) / 24 * 2 * np.pi), dtype=np.float64)


def _spell(seed: int, prefecture: int, ordinal: int) -> float:
    """How much warmer a day is than its season: fades by a quarter a day; partly the same in all prefectures."""
    return sum(0.75**back * _shock(seed, prefecture, ordinal - back) for back in range(12))


@cache
def _shock(seed: int, prefecture: int, ordinal: int) -> float:
    common = draw(seed, "front", ordinal).normal(0, 1.7)
    return float(common + draw(seed, "front", prefecture, ordinal).normal(0, 0.6))


def _year_share(ordinal: int) -> float:
    return (date.fromordinal(ordinal).timetuple().tm_yday - 1) / 365.25
