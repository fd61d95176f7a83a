"""Reader `nem12`: interval readings as the Australian market sends them (AEMO, meter data file format NEM12).

A 200 record begins a data stream (NMI and suffix) with its unit and interval length, a 300 record holds a day of it,
400 records say which of a day's intervals are of which quality. What breaks this structure refuses the whole file, with
the line. Records are handled by kind, all at once.

What a feed may name as `source` of a column; `meter_id`, `read_date` and `channel` must be among its targets:

- of the 200 record NMI, NMIConfiguration, RegisterID, NMISuffix, MDMDataStreamIdentifier, MeterSerialNumber, UOM,
  IntervalLength, NextScheduledReadDate
- of the 300 record IntervalDate (a local date where days are cut anew), QualityMethod (V: it differs by interval),
  ReasonCode, UpdateDateTime, MSATSLoadDateTime
- DataStream: NMI and suffix as one name, `NEM1201002-E1`. The lake keeps one curve a meter and date: where a NMI has a
  second register of one direction (E2, controlled load) `meter_id` must be this, or one register replaces the other
- Channel: E import, B export, Q reactive_import, K reactive_export by the suffix's letter; `other` for all else: check
  meters, averages, net, apparent energy, volts. (The market looks from its own side: what a customer draws it calls
  export.)

The file states unit and interval length of each stream: `unit`, `interval_minutes` and `label` of the feed's curve are
not looked at, `scale` is. Times are market time, UTC+10 all year. `day: clock` leaves days as they are sent;
`day: elapsed` cuts them anew into dates of the feed's time zone, of which the first and the last hold only what the
file reaches of them: with a file a day, each date would come in two parts of which the lake keeps the later.

Quality: A measured; E, F, S (estimate, final substitute, substitute) estimated by the source; N no value, whatever
number stands there. A field with nothing in it is no value either. A stream that is no energy has days and no values.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.clock import EPOCH
from jobs.kernels.curve_columns import Counts, curve_columns
from jobs.kernels.files import BadFile
from jobs.kernels.interval_rows import Days, Intervals, days_by_clock, days_by_instant
from jobs.kernels.mdff import open_records
from jobs.kernels.mdff_fields import (
    MARKET_OFFSET_SECONDS,
    STAMPS,
    check_columns,
    column_of,
    iso_stamps,
    joined,
    typed_columns,
)
from jobs.kernels.nem12_records import (
    AFTER,
    MINUTES_A_DAY,
    STREAM_FIELDS,
    Block,
    DayReader,
    check_services,
    read_streams,
)
from schemas.feed import Feed

Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# a reason's description is free text and stays where it is
SOURCES = (*STREAM_FIELDS, "IntervalDate", "QualityMethod", "ReasonCode", *STAMPS, "DataStream", "Channel")
_TARGETS = ("meter_id", "read_date", "channel")

# what is parsed, measured and handed on at once
_PIECE_INTERVALS = 2_000_000
_DAY = 86_400


def iter_nem12(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Meter days of the file, by interval length and in pieces of whole streams; columns not declared: none.

    Grain: meter_id, data stream and date. 300 records of the same one are joined: an interval without a value takes
    none away, of two values the later one holds. Columns: the declared targets; those of `curve_columns`, where
    source_rows counts 300 records; unreadable, raw_values, source_file, source_row (the line of the first 300 record).
    """
    check_columns(feed, SOURCES, _TARGETS)
    file = _File(data, name, feed)
    for minutes in np.unique(file.minutes):
        for places in file.parts(minutes):
            for rows in file.read(places, int(minutes)):
                yield rows, []


class _File:
    """A file whose structure is sound, made into meter days."""

    def __init__(self, data: bytes, name: str, feed: Feed) -> None:
        self._name, self._feed = name, feed
        self._records = open_records(data, name, "NEM12", AFTER)
        streams = read_streams(self._records)
        self._streams = replace(streams, factor=streams.factor * feed.curve.scale)
        check_services(self._records)
        self._reader = DayReader(self._records, self._streams)
        texts = self._streams.texts
        texts["DataStream"] = joined(texts["NMI"], texts["NMISuffix"])
        meter = texts.get(column_of(feed, "meter_id").source or "", texts["NMI"])
        curve = pc.binary_join_element_wise(texts["DataStream"], texts["IntervalLength"], pc.fill_null(meter, ""), ",")
        # number of what makes one curve, by 200 record, in the order of first appearance
        self._series = curve.dictionary_encode().indices.to_numpy().astype(np.int64)
        self._places = self._records.places(300)
        self.minutes = self._streams.minutes[self._streams.of(self._places)]

    def parts(self, minutes: int) -> Iterator[Ints]:
        """The 300 records of an interval length in groups of whole series; in a group in the order of the file."""
        places = self._places[self.minutes == minutes]
        series = self._series[self._streams.of(places)]
        order = np.argsort(series, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(series[order])) + 1, len(places))
        most = _PIECE_INTERVALS * minutes // MINUTES_A_DAY
        begin = 0
        for end, next_end in zip(ends, np.append(ends[1:], np.iinfo(np.int64).max), strict=True):
            if next_end - begin > most:
                yield np.sort(places[order[begin:end]])
                begin = end

    def read(self, places: Ints, minutes: int) -> Iterator[pa.Table]:
        """Meter days of these 300 records, all of them of one interval length."""
        block = self._reader.read(places, minutes)
        series = self._series[block.stream]
        if self._feed.curve.day == "elapsed":
            yield from self._local_days(block, series, minutes)
            return
        _, key, count = np.unique(series * 100_000 + block.day, return_inverse=True, return_counts=True)
        again = count[key] > 1
        alone = np.flatnonzero(~again)
        if alone.size:
            kwh, quality = block.kwh[alone].T, block.quality[alone].T
            yield self._table(block, alone, block.day[alone], kwh, quality, Counts.one_row_each(len(alone)), minutes)
        for days in days_by_clock(self._intervals(block, np.flatnonzero(again), series, minutes, 0), minutes):
            yield self._of_days(block, days, minutes)

    def _local_days(self, block: Block, series: Ints, minutes: int) -> Iterator[pa.Table]:
        """Days cut anew into dates of the feed's time zone."""
        zone = self._feed.time_zone or "UTC"
        intervals = self._intervals(block, np.arange(len(series)), series, minutes, MARKET_OFFSET_SECONDS)
        try:
            parts = list(days_by_instant(intervals, minutes, zone))
        except ValueError:
            raise BadFile(
                self._name,
                f"intervals of {minutes} minutes in market time do not fit into the dates of {zone}",
                "declare the day as clock, or another time zone, in the feed's file",
                line=int(self._records.line[block.places[0]]),
            ) from None
        for days in parts:
            yield self._of_days(block, days, minutes)

    def _intervals(self, block: Block, rows: Ints, series: Ints, minutes: int, offset: int) -> Intervals:
        """Single intervals of some of the records; `row` is the record's place in the file, from 1."""
        points = block.kwh.shape[1]
        midnight = block.day[rows] * _DAY - offset
        return Intervals(
            series=np.repeat(series[rows], points),
            starts_at=(midnight[:, np.newaxis] + np.arange(points) * 60 * minutes).ravel(),
            kwh=block.kwh[rows].ravel(),
            quality=block.quality[rows].ravel(),
            row=np.repeat(block.places[rows] + 1, points),
        )

    def _of_days(self, block: Block, days: Days, minutes: int) -> pa.Table:
        counts = Counts(days.conflict_count, np.zeros_like(days.source_rows), days.source_rows)
        first = np.searchsorted(block.places, days.first_row - 1)
        return self._table(block, first, days.ordinal - EPOCH, days.kwh, days.quality, counts, minutes)

    def _table(
        self, block: Block, first: Ints, day: Ints, kwh: Floats, quality: Codes, counts: Counts, minutes: int
    ) -> pa.Table:
        """Meter days of these dates; `first`: the record of the block which each of them begins in."""
        stream, record = pa.array(block.stream[first]), pa.array(first)
        texts = {source: text.take(stream) for source, text in self._streams.texts.items()}
        texts |= {source: text.take(record) for source, text in block.texts.items()}
        texts |= {source: iso_stamps(texts[source]) for source in STAMPS}
        texts["IntervalDate"] = pa.array(day, pa.int32()).cast(pa.date32()).cast(pa.string())
        columns, origin = typed_columns(self._feed, self._name, texts, self._records.line[block.places[first]])
        # measured in place
        curves = curve_columns(kwh.copy(order="C"), minutes, counts, quality)
        return pa.table(columns | curves | origin)
