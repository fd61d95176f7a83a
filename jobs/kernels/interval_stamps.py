"""From the stamps of single intervals to when these begin, whichever clock a source writes them by."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.interval_rows import Bools, Ints, dates_of, off_grid
from jobs.kernels.typed_values import clock_times
from schemas.feed import Curve

# years 2 to 9998: every calendar knows their dates and the neighbours of these
_FIRST, _LAST = -62_103_974_400, 253_370_678_399
_SECOND = 1_000_000
# directives of strptime by what they stand for; of any other, some text
_DIRECTIVES = {"Y": "[0-9]{4}", **dict.fromkeys("ymdMS", "[0-9]{1,2}"), "H": "(?P<hour>[0-9]{1,2})", "f": "[0-9]{1,6}"}


@dataclass(frozen=True, eq=False)
class Starts:
    """When intervals begin, one entry a stamp, in seconds as `Intervals.starts_at`; of no meaning where `bad`.

    A stamp of the hour which the clock repeats means two instants, `first` and `last`; the same ones otherwise.
    `single` is the one which it means where a meter has it once only.
    """

    first: Ints
    last: Ints
    single: Ints
    bad: Bools


def starts_of(texts: pa.Array, curve: Curve, time_zone: str) -> Starts:
    """Starts of the intervals with these stamps (trimmed, null where empty).

    Bad are stamps which are not as declared, which show a time that the clock skips, or which are none of the date's
    intervals. An offset which is stated must be as `stamps` says: none for local, zero for utc, any for offset.
    """
    if curve.stamp_format is None:
        clock, offset, is_stated, exists = clock_times(texts)
    else:
        clock, offset, is_stated, exists = _by_format(texts, curve.stamp_format)
    exists = exists & (clock % _SECOND == 0) & (clock // _SECOND >= _FIRST) & (clock // _SECOND <= _LAST)
    exists &= {"local": ~is_stated, "utc": offset == 0, "offset": is_stated}[curve.stamps]
    at = np.where(exists, (clock - offset) // _SECOND, 0)
    ahead = 60 * curve.interval_minutes if curve.label == "end" else 0
    if curve.stamps == "local" and curve.day == "elapsed":
        first, last, single, shown = _instants(at, time_zone, is_end=curve.label == "end")
        exists &= shown
    elif curve.day == "clock" and curve.stamps != "local":
        first = last = single = _clock(at - ahead, time_zone) + ahead
    else:
        first = last = single = at
    first, last, single = (np.where(exists, instants, 0) - ahead for instants in (first, last, single))
    zone = time_zone if curve.day == "elapsed" else None
    bad = ~exists | off_grid(first, curve.interval_minutes, zone) | off_grid(last, curve.interval_minutes, zone)
    return Starts(first, last, single, bad)


def _instants(clock: Ints, time_zone: str, *, is_end: bool) -> tuple[Ints, Ints, Ints, Bools]:
    """The instants at which the clock of a time zone shows a time: first, last, usual one, and whether it ever does.

    The end of an interval at whose end the clock changes is written either way, by the clock before the change or
    after it: 02:00 or 03:00 where it goes forward, 03:00 or 02:00 where it goes back.
    """
    early, late, shown = _assumed(clock, time_zone)
    if not is_end:
        return early, late, early, shown
    before_early, before_late, before = _assumed(clock - 1, time_zone)
    before_early, before_late = before_early + 1, before_late + 1
    first = np.where(shown & before, np.minimum(early, before_early), np.where(shown, early, before_early))
    last = np.where(shown & before, np.maximum(late, before_late), np.where(shown, late, before_late))
    return first, last, np.where(shown, early, first), shown | before


def _assumed(clock: Ints, time_zone: str) -> tuple[Ints, Ints, Bools]:
    local = pa.array(clock).cast(pa.timestamp("s"))
    shown = pc.equal(
        *(
            pc.assume_timezone(local, time_zone, ambiguous="earliest", nonexistent=which)
            for which in ("earliest", "latest")
        )
    )
    early, late = (
        pc.assume_timezone(local, time_zone, ambiguous=which, nonexistent="latest").cast(pa.int64()).to_numpy()
        for which in ("earliest", "latest")
    )
    return early, late, np.asarray(shown.to_numpy(zero_copy_only=False), np.bool_)


def _clock(instants: Ints, time_zone: str) -> Ints:
    """What the clock shows, as if it were UTC."""
    local = pc.local_timestamp(pa.array(instants).cast(pa.timestamp("s", time_zone)))
    return np.asarray(local.cast(pa.int64()).to_numpy())


# -- formats ----------------------------------------------------------------------------------------------------------


def _by_format(texts: pa.Array, stamp_format: str) -> tuple[Ints, Ints, Bools, Bools]:
    """As `clock_times`, of texts in a strptime format."""
    hour = _hour_pattern(stamp_format)
    read = [None if text is None else _read(text, stamp_format, hour) for text in texts.to_pylist()]
    exists = np.array([stamp is not None for stamp in read], np.bool_)
    is_stated = np.array([stamp is not None and stamp.tzinfo is not None for stamp in read], np.bool_)
    clock, offset = np.zeros(len(read), np.int64), np.zeros(len(read), np.int64)
    for place in np.flatnonzero(exists):
        stamp = read[place]
        assert stamp is not None
        ahead = stamp.utcoffset() or timedelta()
        offset[place] = ahead // timedelta(microseconds=1)
        clock[place] = (stamp.replace(tzinfo=UTC) - _BEGIN) // timedelta(microseconds=1)
    return clock, offset, is_stated, exists


_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def _hour_pattern(stamp_format: str) -> re.Pattern[str]:
    parts = re.split(r"%(.)", stamp_format)
    texts, directives = parts[::2], [*parts[1::2], None]
    known = ["" if name is None else _DIRECTIVES.get(name, ".+?") for name in directives]
    return re.compile("".join(re.escape(text) + pattern for text, pattern in zip(texts, known, strict=True)) + "$")


def _read(text: str, stamp_format: str, hour: re.Pattern[str]) -> datetime | None:
    """The stamp; 24:00 is the next midnight. None where it is no such."""
    more = timedelta()
    found = hour.match(text) if "24" in text else None
    if found and found.groupdict().get("hour") == "24":
        text = f"{text[: found.start('hour')]}00{text[found.end('hour') :]}"
        more = timedelta(days=1)
    try:
        stamp = datetime.strptime(text, stamp_format)  # noqa: DTZ007 - the feed says what clock it is by
        # a clock goes no further than 24:00
        return None if more and stamp.time().replace(tzinfo=None) != datetime.min.time() else stamp + more
    except (ValueError, OverflowError):
        return None


# -- the hour which the clock repeats ---------------------------------------------------------------------------------


def told_apart(
    series: Ints, starts_at: Ints, rows: Ints, first: Ints, last: Ints, curve: Curve, time_zone: str
) -> Ints:
    """Which instants the stamps of `rows` mean, by their order among the intervals of their series and date.

    series, starts_at (the usual one) are of all intervals in the order of the file; `rows` are the places of those
    whose stamps mean two instants, `first` and `last`. A stamp which stands once means the usual one. Where it
    repeats, it comes in the order of time, or against it where the whole date does.
    """
    chosen = starts_at[rows].copy()
    dates = dates_of(chosen, curve.interval_minutes, time_zone)
    for ordinal in np.unique(dates):
        mine = np.flatnonzero(dates == ordinal)
        key = np.stack([series[rows[mine]], chosen[mine]])
        _, which, counts = np.unique(key, axis=1, return_inverse=True, return_counts=True)
        which = which.ravel()
        order = np.argsort(which, kind="stable")
        nth = np.empty(mine.size, np.int64)
        nth[order] = np.arange(mine.size) - np.repeat(np.cumsum(counts) - counts, counts)
        is_last = (nth % 2 == 1) ^ _runs_back(series, starts_at, series[rows[mine]], chosen[mine], curve, time_zone)
        repeats = counts[which] > 1
        chosen[mine] = np.where(repeats, np.where(is_last, last[mine], first[mine]), chosen[mine])
    return chosen


def _runs_back(series: Ints, starts_at: Ints, wanted: Ints, some: Ints, curve: Curve, time_zone: str) -> Bools:
    """Of the series `wanted`, whether their last interval of a date is before the first one in the file."""
    near = np.flatnonzero((starts_at >= some.min() - 90_000) & (starts_at <= some.max() + 90_000))
    dates = dates_of(np.append(some[:1], starts_at[near]), curve.interval_minutes, time_zone)
    near = near[dates[1:] == dates[0]]
    names, begin = np.unique(series[near], return_index=True)
    _, from_end = np.unique(series[near][::-1], return_index=True)
    back = starts_at[near[near.size - 1 - from_end]] < starts_at[near[begin]]
    return np.asarray(back[np.searchsorted(names, wanted)])
