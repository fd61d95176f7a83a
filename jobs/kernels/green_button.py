"""Reader `green_button`: usage as North American utilities send it (Green Button: NAESB ESPI, XML, mostly in Atom).

A file holds usage points, their meter readings, reading types, and blocks of interval readings, which links tie
together; a single entry or a bare block is read too. A row of the file is an interval reading. What a feed may name as
`source` of a column; `meter_id`, `read_date` and `channel` must be among its targets:

- usage_point: the usage point's address at the sender without host and path of its interface, as
  `RetailCustomer/3/UsagePoint/1`: unlike at one sender. usage_point_id: its last part alone, where the sender numbers
  usage points throughout. usage_point_uuid: the Atom id of its entry, which the file must hold
- meter_reading: the address of the meter reading. The lake keeps one curve a meter and date: where a usage point has
  several of one channel (15 minutes and days, phases) `meter_id` must be this, or one replaces the other
- channel: by unit and flowDirection import, export, net, total, reactive_import, reactive_export; `other` for sums of
  quadrants which are none of these; empty, or the column's `constant`, where the file names no direction
- read_date: the local date in the feed's time zone
- quality: its `values` map ESPI's codes to measured, estimated or edited, and hold before what `espi_codes` says: a
  sender may state that its 17 (validated, possibly estimated) is as metered; its `constant` is for readings of which
  the file says nothing. It is no column but goes into the array

Titles, addresses and accounts in a file are personal and never read.

The reading type states unit and power of ten: Wh, W, varh, var, of which power is the average of its interval. `unit`
and `scale` of the feed's curve hold for blocks whose reading type is not in the file, and only where `channel` has a
`constant`: without both nobody knows what their numbers are. `interval_minutes`, `label` and `day` are not looked at:
starts are instants, and a date has 23 or 25 hours when the clock changes. Intervals which do not divide an hour (12
hours, a day) are cut by the clock instead, so that such a date has as many of them as others.

Left out, and named with the columns that are not declared: gas, water and heat, what is neither energy nor power,
instantaneous and cumulative values, periods longer than a day (billing); and LocalTimeParameters that contradict the
time zone.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.clock import EPOCH
from jobs.kernels.curve_columns import Counts, curve_columns
from jobs.kernels.espi_codes import OTHER, not_electricity
from jobs.kernels.espi_file import UNSTATED, Block, Espi
from jobs.kernels.espi_links import Links, Stream
from jobs.kernels.espi_times import Lengths, clock_of, contradictions, lengths_of
from jobs.kernels.espi_values import read_values, text_of
from jobs.kernels.espi_xml import read_espi
from jobs.kernels.files import BadFile
from jobs.kernels.interval_rows import Days, Intervals, days_by_clock, days_by_instant
from jobs.kernels.provenance import provenance
from jobs.kernels.table_csv import shown_raw, typed_column
from schemas.feed import Feed, FeedColumn
from schemas.quality_codes import NAMES

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_IDENTITY = ("usage_point", "usage_point_id", "usage_point_uuid", "meter_reading")
SOURCES = (*_IDENTITY, "channel", "read_date", "quality")
_TARGETS = ("meter_id", "read_date", "channel")

# seconds: beyond it no length is one of a curve, nor a sum of them within 64 bits
_LONGEST_STEP = 10**8
# a series and a date as one key: beyond any ordinal
_DATES = 10_000_000


def iter_green_button(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Meter days of the file, by length of interval and of date, each piece with what was left out, in words.

    Grain: usage point, unit, direction and phase of the reading type, what the feed names as identity, and local date.
    Of two values of one interval the later in the file holds. Columns: the declared targets; those of `curve_columns`,
    where source_rows counts interval readings; unreadable, raw_values, source_file, source_row (the number of the
    day's first interval reading in the file). BadFile, with the line, for what cannot be read or told.
    """
    _check(feed)
    file = _File(read_espi(data, name), name, feed)
    for minutes in np.unique(file.lengths.minutes[file.is_kept]):
        for days in file.days(int(minutes)):
            yield file.table(days, int(minutes)), file.left_out


def _check(feed: Feed) -> None:
    targets = {column.target for column in feed.columns}
    if missing := [target for target in _TARGETS if target not in targets]:
        raise ValueError(f"feed {feed.name}: the reader green_button needs columns for {', '.join(missing)}")
    if unknown := [c.source for c in feed.columns if c.source not in {None, *SOURCES}]:
        raise ValueError(f"feed {feed.name}: no source of green_button: {unknown}; it has {', '.join(SOURCES)}")
    if any(column.personal for column in feed.columns):
        raise ValueError(f"feed {feed.name}: the reader green_button takes no personal columns")
    said = [name for c in feed.columns if c.target == "quality" for name in (*(c.values or {}).values(), c.constant)]
    if wrong := [word for word in said if word not in {None, *NAMES}]:
        raise ValueError(f"feed {feed.name}: quality is one of {', '.join(NAMES)}, not {wrong}")


class _File:
    """A file whose readings are placed, made into meter days."""

    def __init__(self, espi: Espi, name: str, feed: Feed) -> None:
        self._espi, self._name, self._feed = espi, name, feed
        self._zone = feed.time_zone or "UTC"
        self._columns = [column for column in feed.columns if column.target != "quality"]
        self._constant_channel = next(c.constant for c in feed.columns if c.target == "channel")
        if not len(espi.start):
            raise BadFile(name, f"it holds no interval readings{_instead(espi)}", "deliver files with interval blocks")
        self._block = np.frombuffer(espi.block, np.int32).astype(np.int64)
        links = Links(espi, name)
        counts = np.bincount(self._block, minlength=len(espi.blocks))
        self._streams = [links.stream(block) if n else None for block, n in zip(espi.blocks, counts, strict=True)]
        reasons = [self._reason(stream, block) for stream, block in zip(self._streams, espi.blocks, strict=True)]
        is_curve = np.array([reason is None for reason in reasons])[self._block]
        said: Counter[str] = Counter()
        for reason, count in zip(reasons, counts, strict=True):
            said[reason or ""] += int(count)
        self.lengths = self._lengths(is_curve)
        said["electricity of longer periods than a day"] = int(np.count_nonzero(self.lengths.is_longer))
        self.is_kept = is_curve & ~self.lengths.is_longer
        what = [f"{count} readings of {reason}" for reason, count in said.items() if reason and count]
        if not self.is_kept.any():
            raise BadFile(
                name, f"it holds no intervals of electric energy but {', '.join(what)}", "deliver it to another feed"
            )
        self.left_out = [*what, *contradictions(espi, self.lengths.start[self.is_kept], self._zone)]
        self._series_of_blocks()
        meanings = [stream.meaning if stream else None for stream in self._streams]
        self._values = read_values(espi, self._block, meanings, self.lengths.minutes, feed)

    # -- what each block is -------------------------------------------------------------------------------------------

    def _reason(self, stream: Stream | None, block: Block) -> str | None:
        """Why a block is left out; None where it is read. BadFile where it cannot be told what it is."""
        if stream is None:
            return None
        if stream.meaning is not None:
            return stream.meaning.left_out
        other = not_electricity(stream.service)
        if other is None and self._constant_channel is None:
            raise BadFile(
                self._name,
                "the block's reading type is not in the file, so that its unit is not known",
                "have the sender add it, or declare unit and scale of the curve and a constant channel in the feed",
                line=block.line,
            )
        return other

    def _series_of_blocks(self) -> None:
        """Numbers what makes one curve, by block, and keeps the texts of each."""
        asked = [c for c in self._columns if c.source in _IDENTITY]
        numbers: dict[tuple[object, ...], int] = {}
        curves: dict[tuple[object, ...], int] = {}
        of_block = np.zeros(len(self._streams), np.int64)
        held: list[dict[str, str | None]] = []
        kept = np.unique(self._block[self.is_kept])
        for place in kept:
            stream, line = self._streams[place], self._espi.blocks[place].line
            assert stream is not None
            texts = _texts(stream)
            self._check_identity(asked, texts, line)
            meaning, channel = stream.meaning, texts["channel"] or self._constant_channel
            what = (meaning.unit, meaning.direction, meaning.phase) if meaning else None
            identity = (stream.usage_point, *(texts[str(c.source)] for c in asked), channel)
            number = numbers.setdefault((*identity, what), len(numbers))
            if number == len(held):
                held.append(texts)
            if channel != OTHER and curves.setdefault(identity, number) != number:
                raise BadFile(
                    self._name,
                    "a second reading type, of another unit or phase, has the same usage point and channel",
                    "declare meter_reading as the source of meter_id, or have one of them left out",
                    line=line,
                )
            of_block[place] = number
        self._of_block = of_block
        self._held = {source: pa.array([texts[source] for texts in held], pa.string()) for source in held[0]}

    def _check_identity(self, asked: list[FeedColumn], texts: dict[str, str | None], line: int) -> None:
        for column in asked:
            if texts[str(column.source)] is None and column.constant is None and not column.optional:
                raise BadFile(
                    self._name,
                    f"no link leads from the block to its {column.source}",
                    f"ask the sender for the whole feed, or declare another source of {column.target}",
                    line=line,
                )

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _lengths(self, is_curve: Bools) -> Lengths:
        espi, block = self._espi, self._block
        intervals = [s.meaning.interval if s and s.meaning else None for s in self._streams]
        usual = np.array([interval or UNSTATED for interval in intervals], np.int64)[block]
        duration = np.frombuffer(espi.duration, np.int64)
        duration = np.where(duration == UNSTATED, usual, duration)
        start = np.frombuffer(espi.start, np.int64)
        if (start == UNSTATED).any():
            # readings of a block which name no time follow each other from its start
            first = np.array([b.first_reading for b in espi.blocks], np.int64)[block]
            begin = np.array([b.start for b in espi.blocks], np.int64)[block]
            step = np.minimum(duration, _LONGEST_STEP)
            follow = np.where(begin == UNSTATED, UNSTATED, begin + (np.arange(block.size) - first) * step)
            start = np.where(start == UNSTATED, follow, start)
        return lengths_of(start, duration, is_curve, np.frombuffer(espi.line, np.int64), self._name, self._zone)

    # -- days ---------------------------------------------------------------------------------------------------------

    def days(self, minutes: int) -> Iterator[Days]:
        """Meter days of the intervals of that length."""
        mine = np.flatnonzero(self.is_kept & (self.lengths.minutes == minutes))
        by_instant = 60 % minutes == 0
        starts = self.lengths.start[mine]
        intervals = Intervals(
            series=self._of_block[self._block[mine]],
            starts_at=starts if by_instant else clock_of(starts, self._zone),
            kwh=self._values.kwh[mine],
            quality=self._values.quality[mine],
            row=mine + 1,
        )
        try:
            yield from (
                days_by_instant(intervals, minutes, self._zone) if by_instant else days_by_clock(intervals, minutes)
            )
        except ValueError:
            raise BadFile(
                self._name,
                f"intervals of {minutes} minutes do not fit into the dates of {self._zone}",
                "declare another time zone in the feed's file",
            ) from None

    def table(self, days: Days, minutes: int) -> pa.Table:
        """Meter days with the declared columns, the curve, and where they stood."""
        count = days.ordinal.size
        texts = {source: values.take(pa.array(days.series)) for source, values in self._held.items()}
        dates = pa.array((days.ordinal - EPOCH).astype(np.int32)).cast(pa.date32())
        texts["read_date"] = dates.cast(pa.string())
        columns: dict[str, pa.Array] = {}
        unreadable: dict[str, Bools] = {}
        for column in self._columns:
            values, bad = typed_column(column, texts, count, self._zone)
            if column.source:
                unreadable[column.source] = unreadable.get(column.source, False) | bad
                if column.constant is not None:
                    constant, _ = typed_column(replace(column, source=None), {}, count, self._zone)
                    values = pc.if_else(pc.is_null(texts[column.source]), constant, values)
            columns[column.target] = values
        flags, raw = self._unreadable(days, minutes)
        texts = {source: texts[source] for source in unreadable} | raw
        counts = Counts(days.conflict_count, np.zeros(count, np.int64), days.source_rows)
        columns |= curve_columns(days.kwh, minutes, counts, days.quality)
        origin = provenance(
            self._name,
            days.first_row,
            unreadable | flags,
            lambda places: shown_raw(pa.table(texts).take(pa.array(places)).combine_chunks(), self._feed),
        )
        return pa.table(columns | origin)

    def _unreadable(self, days: Days, minutes: int) -> tuple[dict[str, Bools], dict[str, pa.Array]]:
        """Which days hold a value or a quality that cannot be read, and the first such text of each."""
        flags, raw = {}, {}
        order = np.argsort(keys := days.series * _DATES + days.ordinal)
        for what, is_bad in self._values.bad.items():
            mine = np.flatnonzero(is_bad & self.is_kept & (self.lengths.minutes == minutes))
            ordinal = clock_of(self.lengths.start[mine], self._zone) // 86_400 + EPOCH
            wanted = self._of_block[self._block[mine]] * _DATES + ordinal
            at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), keys.size - 1)]
            is_here = keys[at] == wanted
            flags[what] = np.zeros(days.ordinal.size, np.bool_)
            flags[what][at[is_here]] = True
            shown: dict[int, str] = {}
            for day, reading in zip(at[is_here].tolist(), mine[is_here].tolist(), strict=True):
                shown.setdefault(day, text_of(self._espi, what, reading))
            raw[what] = pa.array([shown.get(day) for day in range(days.ordinal.size)], pa.string())
        return flags, raw


def _texts(stream: Stream) -> dict[str, str | None]:
    point = stream.usage_point
    return {
        "usage_point": point,
        "usage_point_id": point.rpartition("/")[2] if point else None,
        "usage_point_uuid": stream.usage_point_uuid,
        "meter_reading": stream.meter_reading,
        "channel": stream.meaning.channel if stream.meaning else None,
    }


def _instead(espi: Espi) -> str:
    """What a file holds, in words."""
    if not espi.kinds:
        return " and nothing else of Green Button"
    most = espi.kinds.most_common(5)
    return " but " + ", ".join(f"{count} {kind}" for kind, count in most) + (" …" if len(espi.kinds) > 5 else "")
