"""From single intervals with their instants to meter days: local dates of 23, 24 and 25 hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from jobs.kernels.clock import EPOCH

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DAY = 86_400
# what a core's cache and a message to Spark take well
_DAYS_A_PIECE = 20_000
# dates of which the length is asked to know which lengths there are
_FIRST_DATE, _LAST_DATE = date(1990, 1, 1).toordinal(), date(2040, 1, 1).toordinal()


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

    first_row: (rows,) the first row of the file with an interval of the day. source_rows: how many rows of the file
    begin with it: added up over all days, the file's rows. conflict_count: intervals of the day that came with two
    values which differ, the last of which holds.
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

    In pieces of some 20,000 days, in the order in which the file begins them, those of one piece by their length.
    ValueError for an interval which does not begin a whole number of intervals after local midnight, or ends after the
    next one: see `off_grid`.
    """
    places = _by_instant(intervals.starts_at, interval_minutes, time_zone)
    yield from _days(intervals, places, interval_minutes)


def days_by_clock(intervals: Intervals, interval_minutes: int) -> Iterator[Days]:
    """Days of intervals named by the clock: 24 hours on every date; what the clock shows twice is in conflict."""
    yield from _days(intervals, _by_clock(intervals.starts_at, interval_minutes), interval_minutes)


def off_grid(starts_at: Ints, interval_minutes: int, time_zone: str | None = None) -> Bools:
    """Which intervals are not among those of their date, by instant in a time zone, or else by the clock.

    They begin off a whole number of intervals after midnight, or midnight divides them.
    """
    if time_zone is None:
        return _by_clock(starts_at, interval_minutes).off_grid
    return _by_instant(starts_at, interval_minutes, time_zone).off_grid


def dates_of(starts_at: Ints, interval_minutes: int, time_zone: str | None = None) -> Ints:
    """Ordinals of the dates which intervals are of, by instant in a time zone, or else by the clock."""
    if time_zone is None:
        return _by_clock(starts_at, interval_minutes).ordinal
    return _by_instant(starts_at, interval_minutes, time_zone).ordinal


def date_lengths(ordinals: Ints, time_zone: str) -> Ints:
    """Seconds which these local dates have."""
    dates, which = np.unique(ordinals, return_inverse=True)
    begins, ends = (np.array([_midnight(int(n) + more, time_zone) for n in dates], np.int64) for more in (0, 1))
    return (ends - begins)[which]


@lru_cache(maxsize=64)
def known_lengths(time_zone: str) -> tuple[int, ...]:
    """Seconds which a date of the zone may have, from the shortest to the longest."""
    midnights = [_midnight(ordinal, time_zone) for ordinal in range(_FIRST_DATE, _LAST_DATE)]
    lengths = np.unique(np.diff(midnights))
    # a zone that moved across the date line left a date out
    return tuple(int(length) for length in lengths if length)


# -- places -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Places:
    """Where intervals belong: local date, number of the interval in it from 0, intervals which the date has."""

    ordinal: Ints
    slot: Ints
    points: Ints
    off_grid: Bools


def _by_instant(starts_at: Ints, interval_minutes: int, time_zone: str) -> _Places:
    # a local date begins within a day of the date in UTC
    days = np.unique(starts_at // _DAY) + EPOCH
    ordinals = np.unique(np.concatenate([days - 1, days, days + 1, days + 2]))
    midnights = np.array([_midnight(int(ordinal), time_zone) for ordinal in ordinals], np.int64)
    at = np.searchsorted(midnights, starts_at, side="right") - 1
    # empty without intervals, and of no use behind the last one
    lengths = np.append(np.diff(midnights), 0)
    return _on_grid(ordinals[at], starts_at - midnights[at], lengths[at], interval_minutes)


def _by_clock(starts_at: Ints, interval_minutes: int) -> _Places:
    days = starts_at // _DAY
    return _on_grid(days + EPOCH, starts_at - days * _DAY, np.full(days.size, _DAY, np.int64), interval_minutes)


def _on_grid(ordinal: Ints, seconds: Ints, length: Ints, interval_minutes: int) -> _Places:
    step = 60 * interval_minutes
    slot, rest = np.divmod(seconds, step)
    points = length // step
    return _Places(ordinal, slot, points, np.asarray((rest != 0) | (slot >= points)))


@lru_cache(maxsize=100_000)
def _midnight(ordinal: int, time_zone: str) -> int:
    """Seconds since 1970, in UTC, of the instant at which a local date begins.

    Where the clock skips midnight, the instant of the change; where it shows it twice, the first.
    """
    day = date.fromordinal(ordinal)
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC).timestamp())


# -- days -------------------------------------------------------------------------------------------------------------


def _days(intervals: Intervals, places: _Places, interval_minutes: int) -> Iterator[Days]:
    if places.off_grid.any():
        raise ValueError(f"an interval does not begin a whole number of {interval_minutes} minutes after midnight")
    if not intervals.series.size:
        return
    is_new_row = np.concatenate([[True], intervals.row[1:] != intervals.row[:-1]])
    first, day = _numbered(intervals.series, places.ordinal)
    # nothing to be put in order where each day's intervals stand together
    order = None if (np.diff(day) >= 0).all() else np.argsort(day, kind="stable")
    ends = np.cumsum(np.bincount(day))
    for begin in range(0, first.size, _DAYS_A_PIECE):
        end = min(begin + _DAYS_A_PIECE, first.size)
        some = slice(int(ends[begin - 1]) if begin else 0, int(ends[end - 1]))
        mine = np.arange(some.start, some.stop) if order is None else order[some]
        points = places.points[first[begin:end]]
        for length in np.unique(points):
            chosen = np.flatnonzero(points == length)
            number = np.full(end - begin, -1)
            number[chosen] = np.arange(chosen.size)
            at = number[day[mine] - begin]
            of_length = at >= 0
            yield _of_length(
                intervals,
                mine[of_length],
                at[of_length] * length + places.slot[mine[of_length]],
                first[begin:end][chosen],
                places.ordinal,
                is_new_row,
                int(length),
            )


def _numbered(series: Ints, ordinal: Ints) -> tuple[Ints, Ints]:
    """The first interval of each day in the order of the file, and for each interval the number of its day in it."""
    heads = np.flatnonzero(np.concatenate([[True], (series[1:] != series[:-1]) | (ordinal[1:] != ordinal[:-1])]))
    dates, date_number = np.unique(ordinal[heads], return_inverse=True)
    keys = series[heads] * dates.size + date_number
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    number = np.empty(order.size, np.int64)
    number[order] = np.arange(order.size)
    return heads[first[order]], np.repeat(number[which], np.diff(np.append(heads, series.size)))


def _of_length(
    intervals: Intervals, mine: Ints, at: Ints, first: Ints, ordinal: Ints, is_new_row: Bools, points: int
) -> Days:
    """Days which all have so many points: those of `first`, from the intervals `mine` at their places `at`."""
    count = first.size
    kwh, quality = np.full(count * points, np.nan), np.zeros(count * points, np.int8)
    value = intervals.kwh[mine]
    known = ~np.isnan(value)
    places, value = at[known], value[known]
    # an interval that is there without a value does not take away one with a value; of two values the last holds
    kwh[places] = value
    quality[places] = intervals.quality[mine[known]]
    differs = np.zeros(count * points, np.bool_)
    differs[places[value != kwh[places]]] = True
    begins = np.bincount(at // points, weights=is_new_row[mine], minlength=count).astype(np.int64)
    return Days(
        series=intervals.series[first],
        ordinal=ordinal[first],
        kwh=np.ascontiguousarray(kwh.reshape(count, points).T),
        quality=np.ascontiguousarray(quality.reshape(count, points).T),
        first_row=intervals.row[first],
        source_rows=begins,
        conflict_count=differs.reshape(count, points).sum(axis=1),
    )
