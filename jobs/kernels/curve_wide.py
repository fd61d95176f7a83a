"""Reader `curve_wide`: a delimited file, one row a meter and date, one column an interval.

The file is cut into pieces of whole lines which are parsed, measured and handed on one after another, so that memory
does not grow with it. Points are parsed straight to numbers; only rows that hold a word are read again as text.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.kernels.curve_columns import Counts, curve_columns
from jobs.kernels.delimited import Delimited, extra_columns, missing_columns, open_delimited, read_columns
from jobs.kernels.files import BadFile
from jobs.kernels.provenance import Ints, provenance
from jobs.kernels.table_csv import shown_raw, typed_column
from jobs.kernels.typed_values import Bools, parse, trimmed
from schemas.feed import Curve, Feed

# about 20,000 rows of 96 points: what a core's cache and a message to Spark take well
_PIECE_BYTES = 12 * 1024**2
_MINUTES_A_DAY = 1440
# so many different words in the place of numbers are learned; a file with more is read as text piece by piece
_MOST_WORDS = 32
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
    points = point_columns(feed.curve)
    if any(column.personal for column in feed.columns):
        raise ValueError(f"feed {feed.name}: the reader curve_wide takes no personal columns")
    required = [c.source for c in feed.columns if c.source and not c.optional and c.constant is None]
    if problem := missing_columns(file, required):
        raise problem
    declared = [c.source for c in feed.columns if c.source]
    extra = _check_points(extra_columns(file, declared), points, feed.curve, name)
    reader = _Reader(file, feed, points, [column for column in dict.fromkeys(declared) if column in file.header])
    first = 1
    for piece in _pieces(file.body):
        rows = reader.read(piece, first)
        first += rows.num_rows
        yield rows, extra


# -- header -----------------------------------------------------------------------------------------------------------


def point_columns(curve: Curve) -> list[str]:
    """Headers of the points in the order of time, as `point_format` writes them; 24:00 ends the day."""
    if curve.interval_minutes < 1 or _MINUTES_A_DAY % curve.interval_minutes:
        raise ValueError(f"a day cannot be divided into intervals of {curve.interval_minutes} minutes")
    count = _MINUTES_A_DAY // curve.interval_minutes
    label = 1 if curve.label == "end" else 0
    return [_point_header((n + label) * curve.interval_minutes, curve.point_format) for n in range(count)]


def _point_header(minute: int, point_format: str) -> str:
    hour, minute = divmod(minute, 60)
    # the clock of the library ends at 23:59
    shown = point_format.replace("%H", "24") if hour == 24 else point_format
    return time.strftime(shown, (2000, 1, 1, hour % 24, minute, 0, 0, 1, 0))


def _check_points(columns: list[str], points: list[str], curve: Curve, name: str) -> list[str]:
    """Columns that are no points. BadFile when the points are not those of the declared intervals."""
    wanted, found = set(points), set(columns)
    missing = [point for point in points if point not in found]
    unexpected = [column for column in columns if column not in wanted and _is_time(column, curve.point_format)]
    if not missing and not unexpected:
        return [column for column in columns if column not in wanted]
    problems = [f"{what} {_some(which)}" for what, which in (("missing", missing), ("unexpected", unexpected)) if which]
    count = len(wanted & found) + len(unexpected)
    raise BadFile(
        name,
        f"the header has {count} point columns where intervals of {curve.interval_minutes} minutes labelled by their "
        f"{curve.label} make {len(points)}: {'; '.join(problems)}",
        "deliver all points, or set interval_minutes, label and point_format of the feed",
    )


def _is_time(header: str, point_format: str) -> bool:
    if header == _point_header(_MINUTES_A_DAY, point_format):
        return True
    try:
        time.strptime(header, point_format)
    except ValueError:
        return False
    return True


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} … {names[-1]} ({len(names)} columns)"


# -- rows -------------------------------------------------------------------------------------------------------------


def _pieces(body: pa.Buffer) -> Iterator[pa.Buffer]:
    """Whole lines, `_PIECE_BYTES` at a time; one empty piece for no lines."""
    view = memoryview(body)
    begin = 0
    while True:
        end = min(begin + _PIECE_BYTES, body.size)
        if end < body.size:
            end = _line_end(view, end)
        yield body.slice(begin, end - begin)
        begin = end
        if begin >= body.size:
            return


def _line_end(view: memoryview, place: int) -> int:
    """Where the line that `place` stands in ends, with its line end."""
    step = 64 * 1024
    while place < len(view):
        found = bytes(view[place : place + step]).find(b"\n")
        if found >= 0:
            return place + found + 1
        place += step
    return len(view)


@dataclass
class _Block:
    """What stood in a piece, by column."""

    texts: pa.Table
    # (points, rows): a row of the array is a column of the file, as Arrow hands it over
    kwh: npt.NDArray[np.float64]
    unreadable: dict[str, Bools]


class _Reader:
    """Reads one piece of the file after another; keeps which words it met in the place of numbers."""

    def __init__(self, file: Delimited, feed: Feed, points: list[str], sources: list[str]) -> None:
        self._file, self._feed, self._points, self._sources = file, feed, points, sources
        self._words: list[str] = []
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
        for column in self._feed.columns:
            columns[column.target], bad = typed_column(column, texts, rows, self._feed.time_zone or "UTC")
            if column.source:
                block.unreadable[column.source] = block.unreadable.get(column.source, False) | bad
        columns |= curve_columns(block.kwh, self._feed.curve.interval_minutes, Counts.one_row_each(rows))
        numbers = np.arange(first_row, first_row + rows, dtype=np.int64)
        origin = provenance(
            self._file.file,
            numbers,
            block.unreadable,
            lambda places: shown_raw(self._raw_rows(body, rows, places), self._feed),
        )
        return pa.table(columns | origin)

    def _numbers(self, body: pa.Buffer, first_row: int) -> _Block | None:
        """Points parsed as numbers; None when that cannot be done."""
        types = dict.fromkeys(self._sources, pa.string()) | dict.fromkeys(self._points, pa.float64())
        while True:
            try:
                table = read_columns(self._file, body, types, first_row=first_row, null_values=self._words)
                break
            except pa.ArrowInvalid as error:
                word = _WORD.search(str(error))
                if not word or word[1] in ["", *self._words] or len(self._words) == _MOST_WORDS:
                    return None
                self._words.append(word[1])
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
        ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n")) + 1
        if body.size and (not ends.size or ends[-1] != body.size):
            ends = np.append(ends, body.size)
        if len(ends) != rows:  # some lines are empty or end otherwise: rows are not lines
            return self._raw(body, 1).take(pa.array(places))
        begins = np.concatenate([[0], ends[:-1]])
        view = memoryview(body)
        return self._raw(pa.py_buffer(b"".join(view[begins[row] : ends[row]] for row in places)), 1)

    def _raw(self, body: pa.Buffer, first_row: int) -> pa.Table:
        types = dict.fromkeys([*self._sources, *self._points], pa.string())
        return read_columns(self._file, body, types, first_row=first_row)


def _filled(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The values with NaN for null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
