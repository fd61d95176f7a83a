"""From single intervals with their instants to meter days: local dates of 23, 24 and 25 hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DAY = 86_400
_EPOCH = 719_163  # proleptic ordinal of 1970-01-01


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals in the order of the file, one entry an interval; all of one length.

    series: number of the meter and channel, from 0. starts_at: seconds since 1970-01-01, of the instant in UTC, or of
    the time on the clock as if that were UTC. kwh: NaN where there is no value. row: of the file, from 1; several
    intervals may stand in one row.
    """

    series: Ints
    starts_at: Ints
    kwh: Floats
    quality: Codes
    row: Ints


@dataclass(frozen=True, eq=False)
class Days:
    """Meter days of one length. series, ordinal (proleptic, of the local date): (rows,). kwh, quality: (points, rows).

    first_row: (rows,) the first row of the file with a value of the day. source_rows: how many rows of the file begin
    with it: added up over all days, the file's rows. conflict_count: intervals of the day that came with two values
    which differ, the later of which holds.
    """

    series: Ints
    ordinal: Ints
    kwh: Floats
    quality: Codes
    first_row: Ints
    source_rows: Ints
    conflict_count: Ints


def days_by_instant(intervals: Intervals, interval_minutes: int, time_zone: str) -> Iterator[Days]:
    """Days of intervals given by their instants: as many points as the local date has, in the order of time.

    ValueError for an interval which does not begin a whole number of intervals after local midnight: see `off_grid`.
    """
    if not intervals.series.size:
        return
    first, last = (int(at) // _DAY + _EPOCH for at in (intervals.starts_at.min(), intervals.starts_at.max()))
    midnights = _midnights(first - 1, last + 2, time_zone)
    place = np.searchsorted(midnights, intervals.starts_at, side="right") - 1
    lengths = np.diff(midnights)
    yield from _days(
        intervals, first - 1 + place, intervals.starts_at - midnights[place], lengths[place], interval_minutes
    )


def days_by_clock(intervals: Intervals, interval_minutes: int) -> Iterator[Days]:
    """Days of intervals named by the clock: 24 hours on every date; what the clock shows twice is in conflict."""
    if not intervals.series.size:
        return
    days = intervals.starts_at // _DAY
    lengths = np.full(days.size, _DAY, np.int64)
    yield from _days(intervals, days + _EPOCH, intervals.starts_at - days * _DAY, lengths, interval_minutes)


def off_grid(starts_at: Ints, interval_minutes: int) -> npt.NDArray[np.bool_]:
    """Which intervals do not begin a whole number of intervals after a full hour, as local midnight is one.

    Time zones differ from UTC by whole quarters of an hour; longer intervals are looked at by the quarter hour.
    """
    return np.asarray(starts_at % (60 * np.gcd(interval_minutes, 15)) != 0)


def _days(intervals: Intervals, ordinal: Ints, seconds: Ints, length: Ints, interval_minutes: int) -> Iterator[Days]:
    step = 60 * interval_minutes
    slot, rest = np.divmod(seconds, step)
    if rest.any():
        raise ValueError(f"an interval does not begin a whole number of {interval_minutes} minutes after midnight")
    is_new_row = np.concatenate([[True], intervals.row[1:] != intervals.row[:-1]])
    for seconds_a_day in np.unique(length):
        mine = np.flatnonzero(length == seconds_a_day)
        yield _of_length(intervals, mine, ordinal, slot, is_new_row, int(seconds_a_day) // step)


def _of_length(
    intervals: Intervals, mine: Ints, ordinal: Ints, slot: Ints, is_new_row: npt.NDArray[np.bool_], points: int
) -> Days:
    """Days which all have so many points, ordered by where they begin in the file."""
    keys = np.stack([intervals.series[mine], ordinal[mine]])
    _, first, day = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    day = np.argsort(order)[day.ravel()]
    first = mine[first[order]]
    count = len(first)
    at = day * points + slot[mine]
    kwh, quality = np.full(count * points, np.nan), np.zeros(count * points, np.int8)
    value = intervals.kwh[mine]
    known = ~np.isnan(value)
    # an interval that is there without a value does not take away one with a value; of two values the later holds
    kwh[at[known]] = value[known]
    quality[at[known]] = intervals.quality[mine][known]
    differs = np.zeros(count * points, np.bool_)
    differs[at[known][value[known] != kwh[at[known]]]] = True
    begins = np.bincount(day, weights=is_new_row[mine], minlength=count).astype(np.int64)
    return Days(
        series=intervals.series[first],
        ordinal=ordinal[first],
        kwh=np.ascontiguousarray(kwh.reshape(count, points).T),
        quality=np.ascontiguousarray(quality.reshape(count, points).T),
        first_row=intervals.row[first],
        source_rows=begins,
        conflict_count=differs.reshape(count, points).sum(axis=1),
    )


@lru_cache(maxsize=64)
def _midnights(first: int, last: int, time_zone: str) -> Ints:
    """Seconds since 1970, in UTC, of local midnight of these ordinals, the last one included."""
    zone = ZoneInfo(time_zone)
    days = (date.fromordinal(ordinal) for ordinal in range(first, last + 1))
    instants = (datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in days)
    return np.array([int(at.timestamp()) for at in instants], dtype=np.int64)
