"""Clock times of the intervals of a local date, also on the two dates a year which have 23 or 25 hours."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

MINUTES_A_DAY = 1440
EPOCH = 719_163  # proleptic ordinal of 1970-01-01


@dataclass(frozen=True, eq=False)
class DayClock:
    """Where the intervals of a curve lie in their date.

    starts: (intervals,) minutes after 00:00 on the clock at which each begins. expected: (intervals,) whether there is
    such an interval: a source that always sends 24 hours sends an hour which a date of 23 hours does not have.
    """

    interval_minutes: int
    starts: npt.NDArray[np.int64]
    expected: npt.NDArray[np.bool_]


@lru_cache(maxsize=4096)
def day_minutes(ordinal: int, time_zone: str) -> int:
    """How long the local date is."""
    begins, ends = _midnight(ordinal, time_zone), _midnight(ordinal + 1, time_zone)
    return int((ends - begins) / timedelta(minutes=1))


@lru_cache(maxsize=1024)
def day_clock(ordinal: int, intervals: int, interval_minutes: int, time_zone: str) -> DayClock:
    """The clock of a curve of so many intervals.

    A curve as long as the date follows the date, through a skipped or a repeated hour. Any other curve is taken to
    name its intervals by the clock, as sources do which send 24 hours throughout the year.
    """
    begins, zone = _midnight(ordinal, time_zone), ZoneInfo(time_zone)
    if intervals * interval_minutes == day_minutes(ordinal, time_zone):
        local = [(begins + timedelta(minutes=i * interval_minutes)).astimezone(zone) for i in range(intervals)]
        starts = np.array([at.hour * 60 + at.minute for at in local], dtype=np.int64)
        return DayClock(interval_minutes, starts, np.ones(intervals, dtype=np.bool_))
    starts = np.arange(intervals, dtype=np.int64) * interval_minutes % MINUTES_A_DAY
    return DayClock(interval_minutes, starts, np.array([_exists(ordinal, int(m), time_zone) for m in starts]))


def _midnight(ordinal: int, time_zone: str) -> datetime:
    day = date.fromordinal(ordinal)
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


def _exists(ordinal: int, minute: int, time_zone: str) -> bool:
    """Whether the clock shows that time on the date: a time which the clock skips comes back as another."""
    day = date.fromordinal(ordinal)
    shown = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=ZoneInfo(time_zone))
    back = shown.astimezone(UTC).astimezone(ZoneInfo(time_zone))
    return (back.hour, back.minute) == (shown.hour, shown.minute)
