"""Master data, tariffs, calendar and weather of London, as rows of the feeds."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import holidays
import numpy as np
import numpy.typing as npt

from jobs.province.london_source import DAYS, FIRST, LEVELS, SLOTS, Household, year_days

Row = tuple[object, ...]
# where the households live; the nearest published hourly weather is Bedford's, some 70 km to the north
PLACE = "London"
STANDARD_PRICE = "0.14228"
# GBP per kWh and the period which a level becomes, in the order of LEVELS
LEVEL_PRICES = {"High": "0.6720", "Normal": "0.1176", "Low": "0.0399"}
LEVEL_PERIODS = {"High": "峰", "Normal": "平", "Low": "谷"}


def customer_rows(of: Iterable[Household]) -> Iterator[Row]:
    """A row a household. What the trial does not tell (name, phone, address, capacity, since when) stays empty."""
    for home in of:
        yield (
            home.household_id, None, None, None, "居民", home.acorn_group, home.tariff_code, None, None, None, None,
            FIRST.isoformat(),
        )  # fmt: skip


def point_rows(of: Iterable[Household]) -> Iterator[Row]:
    """A metering point a household; the meter has no number but the household's. The network above is not published."""
    for home in of:
        yield (
            f"LP{home.number + 1:05d}", home.household_id, home.household_id, 1, FIRST.isoformat(), None, None, None,
            None, PLACE, "230V",
        )  # fmt: skip


def tariff_rows(levels: npt.NDArray[np.int8]) -> Iterator[Row]:
    """The standard tariff, and a version of the dynamic one for each date with a line for each level of that date."""
    yield ("Std", FIRST.isoformat(), None, 1, "居民", "单一", None, "全", None, None, STANDARD_PRICE, None)
    for day, of_day in zip(year_days(), levels, strict=True):
        present = [level for level, code in LEVELS.items() if (of_day == code).any()]
        for line, level in enumerate(present, start=1):
            yield (
                "ToU", day.isoformat(), day.isoformat(), line, "居民", "分时", None, LEVEL_PERIODS[level],
                hours_of(of_day == LEVELS[level]), None, LEVEL_PRICES[level], None,
            )  # fmt: skip


def hours_of(on: npt.NDArray[np.bool_]) -> str:
    """Half hours (48,) as clock spans: "00:00-07:00;23:30-24:00"."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    return ";".join(f"{_clock(start)}-{_clock(end)}" for start, end in zip(edges[::2], edges[1::2], strict=True))


def _clock(slot: int) -> str:
    assert 0 <= slot <= SLOTS
    return f"{slot // 2:02d}:{slot % 2 * 30:02d}"


def calendar_rows() -> Iterator[Row]:
    """Dates of the year and of the next, which a forecast looks into, with the public holidays of England.

    The holiday file published with the readings is not used: it has day and month swapped where the day is 12 or less.
    """
    england = holidays.country_holidays("GB", subdiv="ENG", years=(FIRST.year, FIRST.year + 1))
    for ahead in range(2 * DAYS):
        day = FIRST + timedelta(days=ahead)
        yield (day.isoformat(), int(day in england), 0, england.get(day), _season(day))


def _season(day: date) -> str:
    return "夏季" if day.month in {6, 7, 8} else "冬季" if day.month in {12, 1, 2} else "其他"


def weather_hours(rows: Iterable[tuple[str, str, str]]) -> Iterator[Row]:
    """Hours with temperature and humidity; rain and wind are not published."""
    for at, temperature, humidity in rows:
        yield (PLACE, at, temperature, humidity, None, None)
