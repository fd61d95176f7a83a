"""What the usage forecaster looks at: features of a customer at an origin and of each day ahead.

Everything in kWh is divided by the customer's own recent level, so that one model serves a flat and a steel works. A
customer's features depend on its own days and on the calendar, never on who else is in the frame: scoring in chunks
gives the same numbers as scoring all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.models.baselines import mean_of_known, quantiles_of_known, same_weekdays
from jobs.models.panel import Panel

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]

RECENT_DAYS = 84
YEAR_DAYS = 364  # 52 weeks: the same weekday of the year before
LOOK_BACK_DAYS = YEAR_DAYS + 28 + 7
LEVEL_DAYS = 28
LEVEL_FLOOR_KWH = 0.05  # below a standby lamp's day: dividing by less would only magnify the meter's last digit

CUSTOMER_FEATURES = (
    "log_level",
    "known_share_7",
    "known_share_28",
    "known_share_84",
    "zero_share_28",
    "q10_7",
    "q50_7",
    "q90_7",
    "q10_28",
    "q25_28",
    "q50_28",
    "q75_28",
    "q90_28",
    "q10_84",
    "q50_84",
    "q90_84",
    "mean_3",
    "mean_7",
    "mean_14",
    "mean_84",
    "trend_28",
    "last_day",
    "day_before",
    "volatility_7",
    "volatility_28",
    "week_difference_56",
    "week_ahead_error_56",
    "weekend_ratio_84",
    "year_ago_level",
)
TARGET_FEATURES = (
    "horizon",
    "weekday",
    "is_day_off",
    "is_holiday",
    "is_working_weekend",
    "year_sin",
    "year_cos",
    "same_weekday_1",
    "same_weekday_2",
    "same_weekday_3",
    "same_weekday_4",
    "same_weekday_mean_4",
    "same_weekday_median_8",
    "same_weekday_min_8",
    "same_weekday_max_8",
    "same_kind_median_56",
    "year_ago_week",
    "year_ago_growth",
)
WEATHER_FEATURES = ("temperature", "temperature_change_7", "temperature_change_28")


@dataclass(frozen=True)
class DayFacts:
    """What is known in advance about dates: holidays, working weekends and, where given, temperatures by place.

    Arrays cover consecutive days from first_day; temperature_c[place] is NaN for a day without weather.
    """

    first_day: np.datetime64
    is_holiday: npt.NDArray[np.bool_]
    is_working_weekend: npt.NDArray[np.bool_]
    temperature_c: dict[str, Floats]

    def at(self, name: str, days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_]:
        """Flag of each day; False outside the calendar."""
        flags: npt.NDArray[np.bool_] = getattr(self, name)
        index = (days - self.first_day).astype(np.int64)
        out = np.zeros(len(days), dtype=bool)
        inside = (index >= 0) & (index < len(flags))
        out[inside] = flags[index[inside]]
        return out

    def day_off(self, days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.bool_]:
        """Weekends and holidays, without the weekends which are worked to make up for a holiday."""
        return ((weekday(days) >= 5) & ~self.at("is_working_weekend", days)) | self.at("is_holiday", days)

    def temperature(self, place: str, last: np.datetime64, length: int) -> Floats:
        """Daily mean temperatures of the `length` days which end with `last`, in degrees Celsius."""
        out = np.full(length, np.nan)
        series = self.temperature_c.get(place)
        if series is None and len(self.temperature_c) == 1:
            series = next(iter(self.temperature_c.values()))
        if series is None:
            return out
        start = int((last - self.first_day).astype(int)) - length + 1
        low, high = max(start, 0), min(start + length, len(series))
        if low < high:
            out[low - start : high - start] = series[low:high]
        return out


def weekday(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """0 = Monday to 6 = Sunday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def day_facts(calendar: pd.DataFrame | None, weather: pd.DataFrame | None) -> DayFacts:
    """Facts of dates from the long frames `calendar` (ds, is_holiday, is_working_weekend) and `weather`.

    Weather: ds and temperature_c, optionally place; several rows of a date (hours) are averaged. Missing frames and
    columns are taken as "nothing is known", not as an error.
    """
    spans = [f["ds"].to_numpy().astype("datetime64[D]") for f in (calendar, weather) if f is not None and len(f)]
    if not spans:
        nothing = np.zeros(0, dtype=bool)
        return DayFacts(np.datetime64("1970-01-01", "D"), nothing, nothing, {})
    first = min(s.min() for s in spans)
    length = int((max(s.max() for s in spans) - first).astype(int)) + 1
    flags = {name: np.zeros(length, dtype=bool) for name in ("is_holiday", "is_working_weekend")}
    if calendar is not None and len(calendar):
        index = (calendar["ds"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
        for name, array in flags.items():
            if name in calendar.columns:
                array[index] = calendar[name].fillna(False).to_numpy(dtype=bool)
    temperatures: dict[str, Floats] = {}
    if weather is not None and len(weather):
        index = (weather["ds"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
        kelvin_free = weather["temperature_c"].to_numpy(dtype=np.float64, na_value=np.nan)
        places = (
            weather["place"].to_numpy(dtype=object) if "place" in weather.columns else np.full(len(weather), "", object)
        )
        for place in sorted({str(p) for p in places}):
            here = (places == place) & np.isfinite(kelvin_free)
            count = np.bincount(index[here], minlength=length)
            total = np.bincount(index[here], weights=kelvin_free[here], minlength=length)
            temperatures[place] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return DayFacts(first, flags["is_holiday"], flags["is_working_weekend"], temperatures)


def levels(window: Floats) -> Floats:
    """Customer's recent level in kWh a day, by which its values are divided: never below LEVEL_FLOOR_KWH.

    The mean of |kWh| over the last 28 days, where 7 of them are known, else over the last 84; a tenth of the latter is
    the least, so that a home after a long absence is not measured in units of its refrigerator.
    """
    size = np.abs(window)
    recent, longer = mean_of_known(size[:, -LEVEL_DAYS:]), mean_of_known(size[:, -RECENT_DAYS:])
    known = np.isfinite(window[:, -LEVEL_DAYS:]).sum(axis=1)
    level = np.where(known >= 7, recent, longer)
    level = np.fmax(level, 0.1 * longer)
    return np.fmax(level, LEVEL_FLOOR_KWH)


def feature_names(classes: int, with_weather: bool) -> tuple[str, ...]:
    """Names of the columns of `features`, in order."""
    return (
        *CUSTOMER_FEATURES,
        *TARGET_FEATURES,
        *(WEATHER_FEATURES if with_weather else ()),
        *(("usage_class",) if classes else ()),
    )


def features(
    panel: Panel,
    origin: np.datetime64,
    horizon: int,
    facts: DayFacts,
    classes: tuple[str, ...],
    with_weather: bool,
) -> tuple[Features, Floats]:
    """Features of shape (customers, horizon, feature) as float32 and the levels (customers,) in kWh a day.

    Nothing after the origin is read from the panel. Days ahead are described by the calendar (and by the weather, which
    is then a forecast or, in a back-test with perfect weather, the truth).
    """
    window = panel.window(origin, LOOK_BACK_DAYS)
    level = levels(window)
    scaled = window / level[:, None]
    targets = origin + np.arange(1, horizon + 1)
    per_customer = _customer_features(scaled, window, level, origin)
    per_target = _target_features(scaled, origin, targets, facts)
    customers = len(panel.ids)
    blocks = [np.broadcast_to(per_customer[:, None, :], (customers, horizon, per_customer.shape[1])), per_target]
    if with_weather:
        blocks.append(_weather_features(panel, origin, horizon, facts))
    if classes:
        lookup = {name: float(code) for code, name in enumerate(classes)}
        codes = np.array([lookup.get(str(c), np.nan) for c in panel.usage_class], dtype=np.float64)
        blocks.append(np.broadcast_to(codes[:, None, None], (customers, horizon, 1)))
    return np.concatenate(blocks, axis=2, dtype=np.float32, casting="unsafe"), level


def _customer_features(scaled: Floats, window: Floats, level: Floats, origin: np.datetime64) -> Floats:
    recent = scaled[:, -RECENT_DAYS:]
    month, week = scaled[:, -28:], scaled[:, -7:]
    known = np.isfinite(recent)
    raw_month = window[:, -28:]
    known_month = known[:, -28:].sum(axis=1)
    mean_28, mean_7 = mean_of_known(month), mean_of_known(week)
    quarter_old = mean_of_known(recent)
    # slope of a straight line through the known days of the month, in levels per week
    day = np.where(known[:, -28:], np.arange(28.0)[None, :], np.nan)
    centred = day - mean_of_known(day)[:, None]
    spread = mean_of_known(centred**2)
    slope = 7.0 * mean_of_known(centred * month) / np.where(spread > 0, spread, np.nan)
    differences = np.abs(scaled[:, -56:] - scaled[:, -63:-7])
    mean_of_weeks = mean_of_known(np.stack([scaled[:, -56 - 7 * k : -7 * k] for k in range(1, 5)], axis=-1))
    is_weekend = weekday(origin - np.arange(RECENT_DAYS - 1, -1, -1)) >= 5
    workday = mean_of_known(recent[:, ~is_weekend])
    weekend_ratio = mean_of_known(recent[:, is_weekend]) / np.where(workday > 0, workday, np.nan)
    columns = [
        np.log(level),
        known[:, -7:].mean(axis=1),
        known[:, -28:].mean(axis=1),
        known.mean(axis=1),
        np.where(known_month > 0, (raw_month == 0).sum(axis=1) / np.maximum(known_month, 1), np.nan),
        *np.moveaxis(quantiles_of_known(week, (0.1, 0.5, 0.9)), -1, 0),
        *np.moveaxis(quantiles_of_known(month, (0.1, 0.25, 0.5, 0.75, 0.9)), -1, 0),
        *np.moveaxis(quantiles_of_known(recent, (0.1, 0.5, 0.9)), -1, 0),
        mean_of_known(scaled[:, -3:]),
        mean_7,
        mean_of_known(scaled[:, -14:]),
        quarter_old,
        slope,
        scaled[:, -1],
        scaled[:, -2],
        np.sqrt(mean_of_known((week - mean_7[:, None]) ** 2)),
        np.sqrt(mean_of_known((month - mean_28[:, None]) ** 2)),
        mean_of_known(differences),
        mean_of_known(np.abs(scaled[:, -56:] - mean_of_weeks)),
        weekend_ratio,
        mean_of_known(scaled[:, -YEAR_DAYS - 28 : -YEAR_DAYS]),
    ]
    return np.stack(columns, axis=1)


def _target_features(
    scaled: Floats, origin: np.datetime64, targets: npt.NDArray[np.datetime64], facts: DayFacts
) -> Floats:
    customers, horizon = scaled.shape[0], len(targets)
    day_of_year = (targets - targets.astype("datetime64[Y]")).astype(np.int64)
    angle = 2.0 * np.pi * day_of_year / 365.25
    off = facts.day_off(targets)
    weeks = same_weekdays(scaled, horizon, 8)
    ordered = quantiles_of_known(weeks, (0.0, 0.5, 1.0))
    past_off = facts.day_off(origin - np.arange(55, -1, -1))
    recent = scaled[:, -56:]
    of_kind = [
        quantiles_of_known(recent[:, past_off == kind], (0.5,))[:, 0] if (past_off == kind).any() else None
        for kind in (False, True)
    ]
    nothing = np.full(customers, np.nan)
    same_kind = np.stack([(k if (k := of_kind[int(o)]) is not None else nothing) for o in off], axis=1)
    # the same week of last year: 7 days around the target less 52 weeks
    length = scaled.shape[1]
    centre = length - 1 + np.arange(1, horizon + 1) - YEAR_DAYS
    around = mean_of_known(scaled[:, centre[:, None] + np.arange(-3, 4)[None, :]])
    year_level = mean_of_known(scaled[:, -YEAR_DAYS - 28 : -YEAR_DAYS])[:, None]
    growth = around / np.where(year_level > 0, year_level, np.nan)
    by_day = np.stack(
        [
            np.arange(1.0, horizon + 1),
            weekday(targets).astype(np.float64),
            off.astype(np.float64),
            facts.at("is_holiday", targets).astype(np.float64),
            facts.at("is_working_weekend", targets).astype(np.float64),
            np.sin(angle),
            np.cos(angle),
        ],
        axis=1,
    )
    shape = (customers, horizon)
    columns = [
        *(np.broadcast_to(by_day[:, i], shape) for i in range(by_day.shape[1])),
        *(weeks[..., k] for k in range(4)),
        mean_of_known(weeks[..., :4]),
        ordered[..., 1],
        ordered[..., 0],
        ordered[..., 2],
        same_kind,
        around,
        growth,
    ]
    return np.stack(columns, axis=2)


def _weather_features(panel: Panel, origin: np.datetime64, horizon: int, facts: DayFacts) -> Floats:
    out = np.full((len(panel.ids), horizon, len(WEATHER_FEATURES)), np.nan)
    for place in sorted({str(p) for p in panel.place}):
        series = facts.temperature(place, origin + np.timedelta64(horizon, "D"), 28 + horizon)
        ahead = series[28:]
        columns = [ahead, ahead - mean_of_known(series[21:28]), ahead - mean_of_known(series[:28])]
        out[panel.place == place] = np.stack(columns, axis=1)[None, :, :]
    return out
