"""Reader `curve_wide`: a delimited file, one row a meter and date, one column an interval.

The file is cut into pieces of whole lines which are parsed, measured and handed on one after another, so that memory
does not grow with it. Points are parsed straight to numbers; only rows that hold a word are read again as text.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.clock import EPOCH
from jobs.kernels.curve_columns import Codes, Counts, Kwh, curve_columns, quality_codes
from jobs.kernels.delimited import (
    Delimited,
    extra_columns,
    missing_columns,
    open_delimited,
    pieces,
    read_columns,
    unnamed,
)
from jobs.kernels.files import BadFile
from jobs.kernels.interval_rows import date_lengths, known_lengths
from jobs.kernels.provenance import Ints, provenance
from jobs.kernels.table_csv import declared_columns, required_columns, shown_raw, typed_column
from jobs.kernels.typed_values import Bools, parse, trimmed
from schemas.feed import Curve, Feed
from schemas.quality_codes import MISSING

# about 20,000 rows of 96 points: what a core's cache and a message to Spark take well
_PIECE_BYTES = 12 * 1024**2
_MINUTES_A_DAY = 1440
# what stands for the number of the interval in a format of headers
_NUMBER = "{n}"
# what a core's cache takes while it parses: a line of points is far shorter
_BLOCK_BYTES = 1024**2
# every calendar knows these dates and the next ones
_FIRST_DATE, _LAST_DATE = date(2, 1, 1).toordinal(), date(9998, 1, 1).toordinal()
# so many different words in the place of numbers are learned; a file with more is read as text piece by piece
_MOST_WORDS = 32
# by feed, the words that its last file had in the place of numbers: the next one most likely has them too, and to find
# a word costs as much as to parse the piece. What is read is the same without them.
_LEARNED: dict[str, tuple[str, ...]] = {}
_WORD = re.compile(r"conversion error to \w+: invalid value '(.*)'$", re.DOTALL)


def read_curves(data: bytes, name: str, feed: Feed) -> tuple[pa.Table, list[str]]:
    """The whole file at once, as `iter_curves` gives it in pieces."""
    pieces = list(iter_curves(data, name, feed))
    return pa.concat_tables([rows for rows, _ in pieces]), pieces[0][1]


def iter_curves(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Meter days of the file in its order, in pieces of some 20,000, each with the columns that are not declared.

    Columns: the declared targets; interval_minutes int32; kwh list<float32> in the order of time, null where nothing
    (or nothing readable) is written; quality list<int8>; total_kwh float64 (sum of what is known, null when nothing
    is); measured_count, estimated_count, missing_count int32; METRIC_COLUMNS of curve_columns.py; unreadable (source
    columns), raw_values, source_file, source_row (from 1). At least one piece, also without rows. BadFile for point
    columns that are missing or too many, and as the parts say.
    """
    file = open_delimited(data, name, feed)
    if problem := missing_columns(file, required_columns(feed)):
        raise problem
    points, extra = _find_points(file, feed)
    declared = declared_columns(feed)
    reader = _Reader(file, feed, points, [column for column in declared if column in file.header])
    first = 1
    for piece in pieces(file.body, _PIECE_BYTES):
        rows = reader.read(piece, first)
        first += rows.num_rows
        yield rows, extra


# -- header -----------------------------------------------------------------------------------------------------------


def point_columns(curve: Curve, count: int | None = None) -> list[str]:
    """Headers of so many points, or of 24 hours, in the order of time, as `point_format` writes them.

    24:00 ends the day; what an elapsed day has more goes on counting.
    """
    label = 1 if curve.label == "end" else 0
    wanted = range(_points_of_day(curve) if count is None else count)
    if _NUMBER in curve.point_format:
        return [curve.point_format.replace(_NUMBER, str(n + 1)) for n in wanted]
    return [_point_header((n + label) * curve.interval_minutes, curve.point_format) for n in wanted]


def _points_of_day(curve: Curve) -> int:
    if curve.interval_minutes < 1 or _MINUTES_A_DAY % curve.interval_minutes:
        raise ValueError(f"a day cannot be divided into intervals of {curve.interval_minutes} minutes")
    return _MINUTES_A_DAY // curve.interval_minutes


def _point_header(minute: int, point_format: str) -> str:
    hour, minute = divmod(minute, 60)
    # the clock of the library ends at 23:59
    shown = point_format.replace("%H", str(hour)) if hour >= 24 else point_format
    return time.strftime(shown, (2000, 1, 1, hour % 24, minute, 0, 0, 1, 0))


def _counts(feed: Feed) -> list[int]:
    """How many point columns a file may have: as many as some date has intervals."""
    standard = _points_of_day(feed.curve)
    if feed.curve.day == "clock":
        return [standard]
    return sorted(
        {standard, *(n // (60 * feed.curve.interval_minutes) for n in known_lengths(feed.time_zone or "UTC"))}
    )


def _find_points(file: Delimited, feed: Feed) -> tuple[list[str], list[str]]:
    """Point columns in the order of time, and the columns that are neither declared nor points.

    BadFile when the points are not those of the declared intervals.
    """
    counts, curve = _counts(feed), feed.curve
    columns = extra_columns(file, declared_columns(feed))
    if curve.first_point is not None:
        points = _from_position(file, feed, counts)
        return points, [column for column in columns if column not in set(points)]
    names, found = point_columns(curve, counts[-1]), set(columns)
    count = sum(name in found for name in names)
    points = names[: count if count in counts else _points_of_day(curve)]
    wanted = set(points)
    missing = [point for point in points if point not in found]
    # what goes on counting beyond any date is a point too
    others = set(point_columns(curve, 2 * counts[-1])[len(points) :])
    unexpected = [c for c in columns if c not in wanted and (c in others or _is_point(c, curve.point_format))]
    if not missing and not unexpected:
        return points, [column for column in columns if column not in wanted]
    problems = [f"{what} {_some(which)}" for what, which in (("missing", missing), ("unexpected", unexpected)) if which]
    count = len(wanted & found) + len(unexpected)
    raise BadFile(
        file.file,
        f"the header has {count} point columns where intervals of {curve.interval_minutes} minutes labelled by their "
        f"{curve.label} make {_either(counts)}: {'; '.join(problems)}",
        "deliver all points, or set interval_minutes, label and point_format of the feed",
    )


def _from_position(file: Delimited, feed: Feed, counts: list[int]) -> list[str]:
    """The columns from `first_point` to the next declared one or the end."""
    first = feed.curve.first_point or 1
    declared = {column.source for column in feed.columns}
    points = list(takewhile(lambda column: column not in declared, file.header[first - 1 :]))
    # a delimiter at the end of each line makes a column without a name
    end = first - 1 + len(points)
    if len(points) - 1 in counts and len(points) not in counts and file.header[end - 1] == unnamed(end):
        del points[-1]
    if len(points) in counts:
        return points
    raise BadFile(
        file.file,
        f"it has {len(points)} columns from column {first} on, up to the next declared one or the end, where intervals "
        f"of {feed.curve.interval_minutes} minutes make {_either(counts)}",
        "deliver all points, declare the other columns, or set interval_minutes and first_point of the feed",
    )


def _is_point(header: str, point_format: str) -> bool:
    if _NUMBER in point_format:
        before, _, after = point_format.partition(_NUMBER)
        return re.fullmatch(f"{re.escape(before)}[0-9]+{re.escape(after)}", header) is not None
    if header == _point_header(_MINUTES_A_DAY, point_format):
        return True
    try:
        time.strptime(header, point_format)
    except ValueError:
        return False
    return True


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} … {names[-1]} ({len(names)} columns)"


def _either(counts: list[int]) -> str:
    return " or ".join(map(str, counts))


# -- rows -------------------------------------------------------------------------------------------------------------


@dataclass
class _Block:
    """What stood in a piece, by column."""

    texts: pa.Table
    # (points, rows): a row of the array is a column of the file, as Arrow hands it over
    kwh: Kwh
    unreadable: dict[str, Bools]


class _Reader:
    """Reads one piece of the file after another; keeps which words it met in the place of numbers."""

    def __init__(self, file: Delimited, feed: Feed, points: list[str], sources: list[str]) -> None:
        self._file, self._feed, self._points, self._sources = file, feed, points, sources
        self._words = list(_LEARNED.get(feed.name, ()))
        self._ends: tuple[pa.Buffer, Ints] | None = None
        curve = feed.curve
        self._factor = curve.scale * (curve.interval_minutes / 60 if curve.unit == "kW" else 1.0)

    def read(self, body: pa.Buffer, first_row: int) -> pa.Table:
        """Meter days of a piece which begins with that row of the file."""
        block = self._numbers(body, first_row) or self._words_apart(self._raw(body, first_row))
        if self._factor != 1.0:
            block.kwh *= self._factor
        rows = block.texts.num_rows
        texts = {source: trimmed(block.texts.column(source)) for source in self._sources}
        columns: dict[str, pa.Array] = {}
        quality = None
        for column in self._feed.columns:
            values, bad = typed_column(column, texts, rows, self._feed.time_zone or "UTC")
            if column.source:
                block.unreadable[column.source] = block.unreadable.get(column.source, False) | bad
            if column.target == "quality":
                quality = quality_codes(values)
                # an estimate must not look measured: without its quality a value is none
                block.kwh[:, bad | (quality == MISSING)] = np.nan
            else:
                columns[column.target] = values
        if self._feed.curve.day == "elapsed":
            columns |= self._elapsed(block, quality, columns["read_date"])
        else:
            columns |= self._curves(block.kwh, quality, Counts.one_row_each(rows))
        numbers = np.arange(first_row, first_row + rows, dtype=np.int64)
        origin = provenance(
            self._file.file,
            numbers,
            block.unreadable,
            lambda places: shown_raw(self._raw_rows(body, rows, places), self._feed),
        )
        return pa.table(columns | origin)

    def _curves(self, kwh: Kwh, quality: Codes | None, counts: Counts) -> dict[str, pa.Array]:
        of_each = None if quality is None else np.broadcast_to(quality, kwh.shape)
        return curve_columns(kwh, self._feed.curve.interval_minutes, counts, of_each)

    def _elapsed(self, block: _Block, quality: Codes | None, dates: pa.Array) -> dict[str, pa.Array]:
        """Curves as long as their dates: rows are cut or filled; what stands beyond the end of the date is counted."""
        columns, rows = block.kwh.shape
        length = self._lengths(dates)
        beyond = np.arange(columns)[:, None] >= length
        surplus = (beyond & ~np.isnan(block.kwh)).sum(axis=0)
        for point in block.unreadable.keys() & set(self._points):
            # a word in the place of an interval which the date does not have stands for nothing
            block.unreadable[point] &= ~beyond[self._points.index(point)]
        parts, order = [], []
        for count in np.unique(length):
            mine = np.flatnonzero(length == count)
            kwh = np.full((count, mine.size), np.nan)
            kwh[:columns] = block.kwh[: min(count, columns), mine]
            counts = Counts(np.zeros(mine.size, np.int64), surplus[mine], np.ones(mine.size, np.int64))
            parts.append(pa.table(self._curves(kwh, None if quality is None else quality[mine], counts)))
            order.append(mine)
        if not parts:
            return self._curves(block.kwh, quality, Counts.one_row_each(rows))
        in_order = pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(order)))).combine_chunks()
        return dict(zip(in_order.column_names, in_order.columns, strict=True))

    def _lengths(self, dates: pa.Array) -> Ints:
        """Intervals which each row's date has; of a row without date, of 24 hours."""
        days = np.asarray(pc.fill_null(dates.cast(pa.int32()), 0).to_numpy(zero_copy_only=False), np.int64)
        ordinals = np.clip(days + EPOCH, _FIRST_DATE, _LAST_DATE)
        lengths = date_lengths(ordinals, self._feed.time_zone or "UTC") // (60 * self._feed.curve.interval_minutes)
        return np.where(dates.is_valid().to_numpy(zero_copy_only=False), lengths, _points_of_day(self._feed.curve))

    def _numbers(self, body: pa.Buffer, first_row: int) -> _Block | None:
        """Points parsed as numbers; None when that cannot be done."""
        types = dict.fromkeys(self._sources, pa.string()) | dict.fromkeys(self._points, pa.float64())
        while True:
            try:
                table = self._columns(body, types, first_row, self._words)
                break
            except pa.ArrowInvalid as error:
                word = _WORD.search(str(error))
                if not word or word[1] in ["", *self._words] or len(self._words) == _MOST_WORDS:
                    # words which never come again are no use to the next file
                    _LEARNED.pop(self._feed.name, None)
                    return None
                self._words.append(word[1])
                _LEARNED[self._feed.name] = tuple(self._words)
        kwh = np.stack([_filled(table.column(point)) for point in self._points])
        valid = sum(len(column) - column.null_count for column in table.select(self._points).columns)
        # Arrow reads the words nan and inf as numbers
        if np.count_nonzero(np.isfinite(kwh)) != valid:
            return None
        block = _Block(table.select(self._sources), kwh, {})
        if self._words and valid < kwh.size:
            self._find_words(block, body)
        return block

    def _find_words(self, block: _Block, body: pa.Buffer) -> None:
        """Which of the rows with a gap hold a word there instead of nothing; they alone are read again as text."""
        rows = block.texts.num_rows
        gaps = np.flatnonzero(np.isnan(block.kwh).any(axis=0))
        again = self._words_apart(self._raw_rows(body, rows, gaps))
        for point, bad in again.unreadable.items():
            if bad.any():
                block.unreadable[point] = np.zeros(rows, np.bool_)
                block.unreadable[point][gaps] = bad

    def _words_apart(self, raw: pa.Table) -> _Block:
        """The slow way: points read as text, so that it is known which of them are no numbers."""
        kwh = np.empty((len(self._points), raw.num_rows))
        unreadable = {}
        for n, point in enumerate(self._points):
            values, unreadable[point] = parse(trimmed(raw.column(point)), "double")
            kwh[n] = _filled(values)
        return _Block(raw.select(self._sources), kwh, unreadable)

    def _raw_rows(self, body: pa.Buffer, rows: int, places: Ints) -> pa.Table:
        """The texts, as written, of some of the rows of a piece."""
        ends = self._line_ends(body)
        if len(ends) != rows:  # some lines are empty or end otherwise: rows are not lines
            return self._raw(body, 1).take(pa.array(places))
        begins = np.concatenate([[0], ends[:-1]])
        view = memoryview(body)
        return self._raw(pa.py_buffer(b"".join(view[begins[row] : ends[row]] for row in places)), 1)

    def _line_ends(self, body: pa.Buffer) -> Ints:
        """Where the lines of a piece end; kept for the piece, of which rows may be read again twice."""
        if self._ends is None or self._ends[0] is not body:
            ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n")) + 1
            if body.size and (not ends.size or ends[-1] != body.size):
                ends = np.append(ends, body.size)
            self._ends = (body, ends)
        return self._ends[1]

    def _raw(self, body: pa.Buffer, first_row: int) -> pa.Table:
        types = dict.fromkeys([*self._sources, *self._points], pa.string())
        return self._columns(body, types, first_row)

    def _columns(
        self, body: pa.Buffer, types: dict[str, pa.DataType], first_row: int, words: Sequence[str] = ()
    ) -> pa.Table:
        return read_columns(self._file, body, types, first_row=first_row, null_values=words, block_bytes=_BLOCK_BYTES)


def _filled(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The values with NaN for null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
