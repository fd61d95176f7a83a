"""From rows of one interval each, as they stand in a file, to meter days; the readers of such files share it.

A meter's day may be spread over the whole file, so a few numbers of each row are kept until its end; texts are kept of
rows which could not be read only. The days are handed on in pieces, so that the arrays do not grow with the file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from jobs.kernels.clock import EPOCH
from jobs.kernels.curve_columns import Codes, Counts, Kwh, curve_columns, quality_codes
from jobs.kernels.files import BadFile
from jobs.kernels.interval_rows import Bools, Days, Intervals, Ints, dates_of, days_by_clock, days_by_instant
from jobs.kernels.interval_stamps import starts_of, told_apart
from jobs.kernels.provenance import provenance
from jobs.kernels.table_csv import shown_raw, typed_column
from jobs.kernels.typed_values import parse, trimmed
from schemas.feed import CURVE_TARGETS, Feed, FeedColumn, FieldType
from schemas.quality_codes import MEASURED, MISSING

# rows which are no part of any day are handed on so many at a time
_ROWS_A_PIECE = 20_000
_MINUTES_A_DAY = 1440
# of so many rows without a single time the declaration is wrong, not the rows
_FEWEST_TO_TELL = 50
# codes of several columns are counted through before their product leaves the integers
_MOST_CODES = 2**40
_KINDS: dict[str, FieldType] = {"interval_at": "timestamp", "value": "double"}


@dataclass(eq=False)
class _Piece:
    """What is kept of some rows of the file, one entry a row."""

    identity: dict[str, pa.DictionaryArray]
    starts_at: Ints
    kwh: Kwh
    quality: Codes | None
    is_placed: Bools
    # rows whose stamp means two instants: their places and those instants
    ambiguous: tuple[Ints, Ints, Ints]


class LongRows:
    """The rows of one file: `add` them in their order, then take the `days`."""

    def __init__(self, name: str, feed: Feed) -> None:
        """Of a file with this name."""
        self._name, self._feed, self._curve = name, feed, feed.curve
        self._zone = feed.time_zone or "UTC"
        by_target = {column.target: column for column in feed.columns}
        self._stamp, self._value = by_target["interval_at"], by_target["value"]
        self._quality = by_target.get("quality")
        self._identity = [column for column in feed.columns if column.target not in CURVE_TARGETS]
        # so that what is no time or number is looked at for personal values
        kinds = (replace(column, type=_KINDS.get(column.target, column.type)) for column in feed.columns)
        self._shown_feed = replace(feed, columns=tuple(kinds))
        self._factor = self._curve.scale * (self._curve.interval_minutes / 60 if self._curve.unit == "kW" else 1.0)
        self._pieces: list[_Piece] = []
        self._rows = 0
        self._bad_rows: list[Ints] = []
        self._bad: list[dict[str, Bools]] = []
        self._raw: list[pa.Table] = []

    def add(self, columns: Mapping[str, pa.Array], raw: Callable[[Ints], pa.Table]) -> None:
        """The next rows. `columns` by source: texts as dictionaries, the value also as float64, NaN where empty.

        `raw` gives the texts, as written, of the rows at some places among them. BadFile where no time of the first
        rows, if these are many, is as declared.
        """
        rows = len(next(iter(columns.values())))
        bad: dict[str, Bools] = {}

        def told(column: FeedColumn, flags: Bools) -> Bools:
            if column.source:
                bad[column.source] = bad.get(column.source, np.zeros(rows, np.bool_)) | flags
            return flags

        identity, is_placed = {}, np.ones(rows, np.bool_)
        for column in self._identity:
            values, flags = _distinct(column, columns, rows, self._zone)
            if column.target == "meter_id":
                flags = flags | _is_null(values)
            identity[column.target] = values
            is_placed &= ~told(column, flags)
        texts, which = _texts(columns[str(self._stamp.source)])
        starts = starts_of(texts, self._curve, self._zone)
        flags = starts.bad[which]
        if not self._rows and rows >= _FEWEST_TO_TELL and flags.all():
            raise BadFile(
                self._name,
                f"of its first {rows} times none can be read as the feed declares them",
                "set stamps, stamp_format, time_zone and interval_minutes of the feed to what the file has",
                column=self._stamp.source,
            )
        is_placed &= ~told(self._stamp, flags)
        starts_at = starts.single[which]
        kwh, flags = _numbers(columns[str(self._value.source)])
        told(self._value, flags)
        quality = None
        if self._quality:
            names, flags = _distinct(self._quality, columns, rows, self._zone)
            # an estimate must not look measured: without its quality a value is none
            kwh[told(self._quality, flags)] = np.nan
            quality = quality_codes(names)
            kwh[quality == MISSING] = np.nan
        if self._factor != 1.0:
            kwh *= self._factor
        is_ambiguous = is_placed & (starts.first != starts.last)[which]
        places = np.flatnonzero(is_ambiguous)
        ambiguous = (self._rows + places, starts.first[which[places]], starts.last[which[places]])
        self._pieces.append(_Piece(identity, starts_at, kwh, quality, is_placed, ambiguous))
        if any(flags.any() for flags in bad.values()):
            self._keep_bad(bad, raw)
        self._rows += rows

    def _keep_bad(self, bad: dict[str, Bools], raw: Callable[[Ints], pa.Table]) -> None:
        places = np.flatnonzero(np.any(list(bad.values()), axis=0))
        self._bad_rows.append(self._rows + places)
        self._bad.append({source: flags[places] for source, flags in bad.items()})
        self._raw.append(shown_raw(raw(places), self._shown_feed))

    # -- days ---------------------------------------------------------------------------------------------------------

    def days(self) -> Iterator[pa.Table]:
        """Meter days, then the rows which are no part of any, each as one row without date and curve.

        source_rows of all of them add up to the file's rows. A day with an unreadable value has a gap there, its source
        column in `unreadable`, and in raw_values and source_row the first such row.
        """
        if not self._pieces:
            yield self._unplaced(np.zeros(0, np.int64))
            return
        self._gather()
        placed = np.flatnonzero(self._is_placed)
        series = self._series()[placed]
        starts_at = self._starts_at[placed]
        rows, first, last = (np.concatenate(parts) for parts in zip(*self._ambiguous, strict=True))
        if rows.size:
            at = np.searchsorted(placed, rows)
            starts_at[at] = told_apart(series, starts_at, at, first, last, self._curve, self._zone)
        intervals = Intervals(series, starts_at, self._kwh[placed], self._quality_of(placed), placed + 1)
        zone = self._zone if self._curve.day == "elapsed" else None
        minutes = self._curve.interval_minutes
        bad_places = np.flatnonzero(self._is_placed[self._bad_row])
        at = np.searchsorted(placed, self._bad_row[bad_places])
        bad = _BadOfDays(series[at], dates_of(starts_at[at], minutes, zone), bad_places)
        for days in days_by_instant(intervals, minutes, zone) if zone else days_by_clock(intervals, minutes):
            yield self._table(days, bad)
        unplaced = np.flatnonzero(~self._is_placed)
        for begin in range(0, unplaced.size, _ROWS_A_PIECE):
            yield self._unplaced(unplaced[begin : begin + _ROWS_A_PIECE])
        if not self._rows:
            yield self._unplaced(unplaced)

    def _gather(self) -> None:
        pieces = self._pieces
        self._starts_at = np.concatenate([piece.starts_at for piece in pieces])
        self._kwh = np.concatenate([piece.kwh for piece in pieces])
        self._codes = [piece.quality for piece in pieces if piece.quality is not None]
        self._is_placed = np.concatenate([piece.is_placed for piece in pieces])
        self._ambiguous = [piece.ambiguous for piece in pieces]
        self._values: dict[str, pa.DictionaryArray] = {}
        for column in self._identity:
            chunks = pa.chunked_array([piece.identity[column.target] for piece in pieces]).unify_dictionaries()
            self._values[column.target] = chunks.combine_chunks()
        self._bad_row = np.concatenate([np.zeros(0, np.int64), *self._bad_rows])
        sources = list(self._bad[0]) if self._bad else []
        self._flags = {source: np.concatenate([bad[source] for bad in self._bad]) for source in sources}
        self._pieces = []

    def _quality_of(self, rows: Ints) -> Codes:
        return np.concatenate(self._codes)[rows] if self._codes else np.full(rows.size, MEASURED, np.int8)

    def _series(self) -> Ints:
        """A number for each different identity, one entry a row."""
        series, count = np.zeros(self._rows, np.int64), 1
        for values in self._values.values():
            width = len(values.dictionary) + 1
            series = series * width + _codes(values) + 1
            count *= width
            if count > _MOST_CODES:
                names, series = np.unique(series, return_inverse=True)
                count = names.size
        return series

    def _table(self, days: Days, bad: "_BadOfDays") -> pa.Table:
        count = days.ordinal.size
        day, places = bad.among(days)
        flags = {source: np.zeros(count, np.bool_) for source in self._flags}
        for source, of_row in self._flags.items():
            flags[source][day[of_row[places]]] = True
        # the first bad row of each day stands for it
        with_bad, nth = np.unique(day, return_index=True)
        shown = np.zeros(count, np.int64)
        shown[with_bad] = places[nth]
        row = days.first_row.copy()
        row[with_bad] = self._bad_row[places[nth]] + 1
        none = np.zeros(count, np.int64)
        counts = Counts(days.conflict_count, none, days.source_rows)
        dates = pa.array((days.ordinal - EPOCH).astype(np.int32)).cast(pa.date32())
        columns = self._identity_of(days.first_row - 1) | {"read_date": dates}
        columns |= curve_columns(
            days.kwh, self._curve.interval_minutes, counts, days.quality if self._quality else None
        )
        return pa.table(columns | provenance(self._name, row, flags, lambda at: self._raw_of(shown[at])))

    def _unplaced(self, rows: Ints) -> pa.Table:
        counts = Counts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
        minutes = self._curve.interval_minutes
        as_days = curve_columns(np.zeros((_MINUTES_A_DAY // minutes, 0)), minutes, counts)
        columns: dict[str, pa.Array] = {name: pa.nulls(rows.size, values.type) for name, values in as_days.items()}
        columns["interval_minutes"] = pa.array(np.full(rows.size, minutes, np.int32))
        columns["source_rows"] = pa.array(np.ones(rows.size, np.int64))
        dates = {"read_date": pa.nulls(rows.size, pa.date32())}
        if not rows.size:
            identity = self._identity_of_none()
            return pa.table(identity | dates | columns | provenance(self._name, rows, {}, lambda _: pa.table({})))
        at = np.searchsorted(self._bad_row, rows)
        flags = {source: of_row[at] for source, of_row in self._flags.items()}
        origin = provenance(self._name, rows + 1, flags, lambda places: self._raw_of(at[places]))
        return pa.table(self._identity_of(rows) | dates | columns | origin)

    def _identity_of(self, rows: Ints) -> dict[str, pa.Array]:
        taken = {target: values.take(pa.array(rows)) for target, values in self._values.items()}
        return {target: values.dictionary_decode() for target, values in taken.items()}

    def _identity_of_none(self) -> dict[str, pa.Array]:
        nothing = {str(column.source): pa.array([], pa.string()) for column in self._identity if column.source}
        return {column.target: typed_column(column, nothing, 0, self._zone)[0] for column in self._identity}

    def _raw_of(self, bad_places: Ints) -> pa.Table:
        """What was written in rows by their places among those with something unreadable."""
        if len(self._raw) > 1:
            self._raw = [pa.concat_tables(self._raw)]
        return self._raw[0].take(pa.array(bad_places)).combine_chunks()


class _BadOfDays:
    """Rows with something unreadable which are part of a day: the day by series and date, and their places."""

    def __init__(self, series: Ints, ordinal: Ints, places: Ints) -> None:
        self._series, self._ordinal, self._places = series, ordinal, places

    def among(self, days: Days) -> tuple[Ints, Ints]:
        """Of those of these days: the number of the day among them, and the place; in the order of the file."""
        if not self._places.size:
            return self._places, self._places
        keys = np.concatenate([days.ordinal, self._ordinal])
        dates, number = np.unique(keys, return_inverse=True)
        of_days = days.series * dates.size + number[: days.ordinal.size]
        of_rows = self._series * dates.size + number[days.ordinal.size :]
        order = np.argsort(of_days)
        at = np.minimum(np.searchsorted(of_days, of_rows, sorter=order), of_days.size - 1)
        day = order[at]
        mine = of_days[day] == of_rows
        return day[mine], self._places[mine]


# -- columns ----------------------------------------------------------------------------------------------------------


def _texts(column: pa.Array) -> tuple[pa.Array, Ints]:
    """The different texts of a column, trimmed, and which of them each row has; the last one is null."""
    texts = trimmed(pa.chunked_array([column.dictionary]))
    nothing = pa.array([None], pa.string())
    which = column.indices.fill_null(len(texts)).to_numpy().astype(np.int64)
    return pa.concat_arrays([texts, nothing]), which


def _distinct(
    column: FeedColumn, columns: Mapping[str, pa.Array], rows: int, time_zone: str
) -> tuple[pa.DictionaryArray, Bools]:
    """Values of a declared column as a dictionary, and which rows' texts could not be read."""
    if column.source is None or column.source not in columns:
        one, _ = typed_column(column, {}, 1, time_zone)
        return one.take(pa.array(np.zeros(rows, np.int32))).dictionary_encode(), np.zeros(rows, np.bool_)
    texts, which = _texts(columns[column.source])
    values, bad = typed_column(column, {column.source: texts}, len(texts), time_zone)
    distinct = values.dictionary_encode()
    indices = distinct.indices.take(pa.array(which))
    return pa.DictionaryArray.from_arrays(indices, distinct.dictionary), bad[which]


def _numbers(column: pa.Array) -> tuple[Kwh, Bools]:
    """Values with NaN for none, and which rows' texts are no numbers."""
    if pa.types.is_floating(column.type):
        values = np.array(column.to_numpy(zero_copy_only=False), np.float64)
        bad = np.isinf(values)
        values[bad] = np.nan
        return values, bad
    texts, which = _texts(column)
    numbers, bad = parse(texts, "double")
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)[which], bad[which]


def _codes(values: pa.DictionaryArray) -> Ints:
    return np.asarray(values.indices.fill_null(-1).to_numpy(), np.int64)


def _is_null(values: pa.DictionaryArray) -> Bools:
    return np.asarray(values.indices.is_null().to_numpy(zero_copy_only=False), np.bool_)
