"""What kind of day a date is: holiday, working weekend, season, time-of-use periods, and its like in a profile year."""

from datetime import date, timedelta
from functools import cache

import chinese_calendar
import numpy as np
import numpy.typing as npt

SLOTS = 96
PERIODS = ("sharp", "peak", "flat", "valley")
_HOLIDAY_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}
# season of the tariffs -> period -> clock hours; what is left is flat
PERIOD_HOURS: dict[str, dict[str, str]] = {
    "summer": {
        "sharp": "19:00-21:00",
        "peak": "10:00-12:00;16:00-19:00;21:00-22:00",
        "flat": "08:00-10:00;12:00-16:00;22:00-24:00",
        "valley": "00:00-08:00",
    },
    "winter": {
        "sharp": "18:00-20:00",
        "peak": "10:00-12:00;16:00-18:00;20:00-22:00",
        "flat": "08:00-10:00;12:00-16:00;22:00-24:00",
        "valley": "00:00-08:00",
    },
    "other": {
        "peak": "10:00-12:00;16:00-22:00",
        "flat": "08:00-10:00;12:00-16:00;22:00-24:00",
        "valley": "00:00-08:00",
    },
}
SEASON_MONTHS = {"summer": (7, 8, 9), "winter": (12, 1, 2), "other": (3, 4, 5, 6, 10, 11)}
# public holidays of the country and year the profiles come from: such a day stands for no other
_PROFILE_YEAR_START = date(2016, 1, 1)
_PROFILE_HOLIDAYS = frozenset(
    (date(2016, month, day) - _PROFILE_YEAR_START).days
    for month, day in (
        (1, 1), (3, 25), (3, 28), (5, 1), (5, 5), (5, 16), (10, 3), (12, 24), (12, 25), (12, 26), (12, 31),
    )
)  # fmt: skip


@cache
def holiday_name(day: date) -> str | None:
    """Chinese name of the public holiday on a date, or None; years without a published calendar have none."""
    try:
        is_off, name = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:
        return None
    return _HOLIDAY_NAMES.get(name, name) if is_off and name else None


@cache
def is_working_weekend(day: date) -> bool:
    """Whether a Saturday or Sunday is worked in exchange for a holiday (调休上班)."""
    try:
        return day.weekday() >= 5 and bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return False


def season(day: date) -> str:
    """Season of the tariffs: summer, winter, other."""
    return next(name for name, months in SEASON_MONTHS.items() if day.month in months)


@cache
def slot_periods(season_name: str) -> npt.NDArray[np.int64]:
    """(96,) index into PERIODS of each quarter hour of a day in that season."""
    periods = np.full(SLOTS, PERIODS.index("flat"), dtype=np.int64)
    for period, hours in PERIOD_HOURS[season_name].items():
        for span in hours.split(";"):
            start, end = (int(clock[:2]) * 4 + int(clock[3:]) // 15 for clock in span.split("-"))
            periods[start:end] = PERIODS.index(period)
    return periods


@cache
def profile_day(day: date, week_offset: int) -> int:
    """Day 0–365 of the profile year which stands for a date, moved by whole weeks.

    Same season and same weekday; a public holiday counts as a Sunday and a worked weekend as a Wednesday.
    """
    like = 6 if holiday_name(day) else 2 if is_working_weekend(day) else day.weekday()
    # 2016 was a leap year and began on a Friday
    base = (_PROFILE_YEAR_START.replace(month=day.month, day=day.day) - _PROFILE_YEAR_START).days + 7 * week_offset
    for shift in sorted(range(-11, 12), key=lambda k: (abs(k), k)):
        candidate = (base + shift) % 366
        if (_PROFILE_YEAR_START + timedelta(days=candidate)).weekday() == like and candidate not in _PROFILE_HOLIDAYS:
            return candidate
    raise AssertionError("three weeks hold every weekday more than once")
