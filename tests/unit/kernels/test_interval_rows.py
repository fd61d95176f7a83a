from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.kernels import interval_rows
from jobs.kernels.interval_rows import (
    Intervals,
    date_lengths,
    days_by_clock,
    days_by_instant,
    known_lengths,
    off_grid,
)

SYDNEY, LONDON, LORD_HOWE = "Australia/Sydney", "Europe/London", "Australia/Lord_Howe"


def seconds(*stamps: str) -> np.ndarray:
    return np.array([int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) for stamp in stamps])


def intervals(starts_at: Any, kwh: Any = None, series: Any = None, row: Any = None, quality: Any = None) -> Intervals:
    count = len(starts_at)
    return Intervals(
        series=np.zeros(count, np.int64) if series is None else np.array(series),
        starts_at=np.asarray(starts_at, np.int64),
        kwh=np.arange(count, dtype=float) if kwh is None else np.array(kwh, float),
        quality=np.ones(count, np.int8) if quality is None else np.array(quality, np.int8),
        row=np.arange(1, count + 1) if row is None else np.array(row),
    )


def whole_day(day: date, zone: str, minutes: int) -> np.ndarray:
    """Starts of all intervals between two local midnights, counted on by the library of Python."""
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)) for d in (day, day + timedelta(days=1)))
    return np.arange(int(begin.timestamp()), int(end.timestamp()), 60 * minutes)


def by_date(pieces: Any) -> dict[date, tuple[list[float], int, int]]:
    """kwh, source_rows and first_row by date, of one series."""
    return {
        date.fromordinal(int(ordinal)): (days.kwh[:, n].tolist(), int(days.source_rows[n]), int(days.first_row[n]))
        for days in pieces
        for n, ordinal in enumerate(days.ordinal)
    }


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "points"),
    [
        (SYDNEY, date(2012, 10, 7), 30, 46),
        (SYDNEY, date(2013, 4, 7), 30, 50),
        (SYDNEY, date(2013, 4, 7), 5, 300),
        (LONDON, date(2013, 3, 31), 15, 92),
        (LONDON, date(2013, 10, 27), 15, 100),
        (LONDON, date(2013, 10, 27), 60, 25),
        (LORD_HOWE, date(2013, 10, 6), 30, 47),
        (LORD_HOWE, date(2013, 4, 7), 30, 49),
        (LORD_HOWE, date(2013, 4, 7), 10, 147),
        # midnight itself is skipped, or shown twice
        ("Asia/Beirut", date(2013, 3, 31), 30, 46),
        ("America/Havana", date(2013, 11, 3), 30, 50),
        ("Asia/Shanghai", date(2013, 3, 31), 15, 96),
    ],
)
def test_a_date_has_the_intervals_between_its_midnights(zone: str, day: date, minutes: int, points: int) -> None:
    before, after = (whole_day(day + timedelta(days=n), zone, minutes) for n in (-1, 1))
    of_day = whole_day(day, zone, minutes)
    days = by_date(days_by_instant(intervals(np.concatenate([before, of_day, after])), minutes, zone))
    assert sorted(days) == [day - timedelta(days=1), day, day + timedelta(days=1)]
    assert days[day] == (list(range(len(before), len(before) + points)), points, len(before) + 1)
    assert [len(kwh) for kwh, _, _ in days.values()] == [rows for _, rows, _ in days.values()]


def test_the_hours_around_a_change_stand_in_the_order_of_time() -> None:
    # 01:30 summer time, both 02:30, 03:00; the first comes last in the file
    stamps = seconds("2013-04-06 15:30", "2013-04-06 16:30", "2013-04-06 17:00", "2013-04-06 14:30")
    (days,) = days_by_instant(intervals(stamps, [1, 2, 3, 4]), 30, SYDNEY)
    kwh = days.kwh.ravel()
    assert {n: kwh[n] for n in np.flatnonzero(~np.isnan(kwh))} == {3: 4, 5: 1, 7: 2, 8: 3}
    assert days.quality.ravel()[[3, 4, 5]].tolist() == [1, 0, 1]


def test_by_the_clock_every_date_has_24_hours_and_the_repeated_hour_is_in_conflict() -> None:
    stamps = seconds("2013-04-07 02:00", "2013-04-07 02:30", "2013-04-07 02:00", "2013-04-07 02:30")
    (days,) = days_by_clock(intervals(stamps, [1, 2, 3, 2]), 30)
    assert days.kwh.shape == (48, 1)
    assert days.kwh.ravel()[[4, 5]].tolist() == [3, 2]
    assert days.conflict_count.tolist() == [1]
    assert days.source_rows.tolist() == [4]


def test_of_two_values_the_last_holds_and_a_gap_takes_nothing_away() -> None:
    at = seconds("2013-05-01 00:00")[0]
    starts = [at, at, at, at + 1800, at + 1800, at + 3600]
    found = intervals(starts, [1, 2, np.nan, 5, 5, np.nan], quality=[1, 2, 0, 9, 9, 1])
    (days,) = days_by_instant(found, 30, "UTC")
    assert days.kwh.ravel()[:2].tolist() == [2, 5]
    assert np.isnan(days.kwh.ravel()[2:]).all()
    assert days.quality.ravel()[:3].tolist() == [2, 9, 0]
    assert days.conflict_count.tolist() == [1]
    assert days.source_rows.tolist() == [6]


def test_series_are_kept_apart_and_days_come_in_the_order_in_which_the_file_begins_them() -> None:
    stamps = seconds("2013-05-02", "2013-05-01", "2013-05-02", "2013-05-01", "2013-05-02 12:00")
    (days,) = days_by_instant(intervals(stamps, series=[7, 7, 3, 3, 7]), 720, "UTC")
    first = date(2013, 5, 1).toordinal()
    assert days.series.tolist() == [7, 7, 3, 3]
    assert (days.ordinal - first).tolist() == [1, 0, 1, 0]
    assert days.kwh[0].tolist() == [0, 1, 2, 3]
    assert days.kwh[1, 0] == 4
    assert days.first_row.tolist() == [1, 2, 3, 4]
    assert days.source_rows.tolist() == [2, 1, 1, 1]


def test_a_row_of_many_intervals_counts_once_where_it_begins() -> None:
    stamps = seconds("2013-05-01", "2013-05-01 12:00", "2013-05-02", "2013-05-02 12:00", "2013-05-03")
    days = [
        int(n) for some in days_by_instant(intervals(stamps, row=[4, 4, 4, 9, 9]), 720, "UTC") for n in some.source_rows
    ]
    assert days == [1, 1, 0]


def test_pieces_hold_the_same_days_and_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    begin = seconds("2013-03-25")[0]
    starts = begin + 1800 * random.integers(0, 48 * 20, 4000)
    some = intervals(starts, random.random(4000), series=random.integers(0, 9, 4000))

    def read() -> dict[tuple[int, int], tuple[Any, ...]]:
        found = {}
        for days in days_by_instant(some, 30, LONDON):
            for n, key in enumerate(zip(days.series.tolist(), days.ordinal.tolist(), strict=True)):
                assert key not in found
                facts = (days.first_row[n], days.source_rows[n], days.conflict_count[n])
                found[key] = (days.kwh[:, n].tolist(), days.quality[:, n].tolist(), *map(int, facts))
        return found

    whole = read()
    assert sum(facts[3] for facts in whole.values()) == 4000
    assert {len(facts[0]) for facts in whole.values()} == {46, 48}
    # a plain loop in the order of the file says the same
    plain: dict[tuple[int, int], dict[int, float]] = {}
    for series, at, kwh in zip(some.series.tolist(), starts.tolist(), some.kwh.tolist(), strict=True):
        local = datetime.fromtimestamp(at, ZoneInfo(LONDON))
        midnight = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(LONDON)).timestamp()
        plain.setdefault((series, local.toordinal()), {})[int(at - midnight) // 1800] = kwh
    assert {key: {n: v for n, v in enumerate(f[0]) if v == v} for key, f in whole.items()} == plain
    monkeypatch.setattr(interval_rows, "_DAYS_A_PIECE", 7)
    in_pieces = read()
    assert {key: str(facts) for key, facts in in_pieces.items()} == {key: str(facts) for key, facts in whole.items()}


def test_what_is_off_the_grid_of_its_date_is_found_and_not_taken() -> None:
    stamps = seconds("2013-05-01 00:15", "2013-05-01 00:30", "2013-05-01 00:30:01")
    assert off_grid(stamps, 30).tolist() == [True, False, True]
    assert off_grid(stamps, 15).tolist() == [False, False, True]
    # a quarter of an hour from UTC, and half an hour
    assert off_grid(stamps, 30, "Asia/Kathmandu").tolist() == [False, True, True]
    assert off_grid(stamps, 60, "Asia/Kolkata").tolist() == [True, False, True]
    with pytest.raises(ValueError, match="30 minutes after midnight"):
        list(days_by_instant(intervals(stamps), 30, "UTC"))


def test_an_hour_which_midnight_divides_belongs_to_no_date() -> None:
    # a date of 23.5 hours: the 24th hour runs into the next one
    last = seconds("2013-10-06 12:30") + 3600 * np.array([-1, 0])
    assert off_grid(last, 60, LORD_HOWE).tolist() == [False, True]


def test_no_intervals_give_no_days() -> None:
    none = np.zeros(0, np.int64)
    assert list(days_by_instant(intervals(none), 30, SYDNEY)) == []
    assert list(days_by_clock(intervals(none), 30)) == []


def test_lengths_of_dates_are_known() -> None:
    ordinals = np.array([date(2013, 4, 7).toordinal(), date(2012, 10, 7).toordinal(), date(2013, 4, 7).toordinal()])
    assert (date_lengths(ordinals, SYDNEY) / 3600).tolist() == [25, 23, 25]
    assert [n / 3600 for n in known_lengths(SYDNEY)] == [23, 24, 25]
    assert [n / 3600 for n in known_lengths(LORD_HOWE)] == [23.5, 24, 24.5]
    assert [n / 3600 for n in known_lengths("UTC")] == [24]
