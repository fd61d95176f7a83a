"""Part files of a delivery: rows are collected and written out before they grow large."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from jobs.province.calendar_days import SLOTS
from jobs.province.deliveries import csv_columns, csv_rows, curve_columns, write_file
from jobs.province.draws import Dials, Ints

ROWS_IN_PART = 40_000
_CLOCKS = [f"{(slot + 1) // 4:02d}{(slot + 1) % 4 * 15:02d}" for slot in range(SLOTS)]
CURVE_HEADER = ("电表编号", "数据日期", "数据类型", *_CLOCKS)
READING_HEADER = ("电表编号", "数据日期", "冻结时间", "总示值", "尖示值", "峰示值", "平示值", "谷示值")
# added to an ordinal date to say: written with the stamp 24:00:00
STAMPED = 10_000_000


@dataclass
class Parts:
    """Numbered files of one writer in one delivery folder; `files` are their lines of the manifest."""

    folder: Path
    group: int
    files: list[dict[str, str | int]] = field(default_factory=list)
    pending: int = 0

    @property
    def current(self) -> str:
        """Name of the file in which the next row will be."""
        return f"part-{self.group:05d}-{len(self.files):03d}.csv"

    def flush(self) -> None:
        """Write what is pending, if anything is."""
        if self.pending:
            content = self.content()
            self.files.append(write_file(self.folder / self.current, content, self.pending))
            self.pending = 0

    def content(self) -> bytes:
        """The CSV of the pending rows, which are dropped."""
        raise NotImplementedError

    def grew(self, rows: int) -> None:
        """Count rows just added; write when they are many."""
        self.pending += rows
        if self.pending >= ROWS_IN_PART:
            self.flush()


@dataclass
class CurveParts(Parts):
    """Curves: meter ids, ordinal dates (plus STAMPED), curves (rows, 96)."""

    blocks: list[tuple[Ints, Ints, Dials]] = field(default_factory=list)

    def add(self, meter_id: Ints, ordinal: Ints, curves: Dials) -> None:
        """Add rows."""
        self.blocks.append((meter_id, ordinal, curves))
        self.grew(len(meter_id))

    def content(self) -> bytes:
        """The CSV of the pending rows."""
        meter_id, ordinal, curves = (np.concatenate(column) for column in zip(*self.blocks, strict=True))
        self.blocks.clear()
        channel = pa.array(["正向有功"]).take(pa.array(np.zeros(len(meter_id), dtype=np.int64)))
        columns = [pa.array(meter_id).cast(pa.string()), date_texts(ordinal), channel, *curve_columns(curves)]
        return csv_columns(CURVE_HEADER, columns)


@dataclass
class ReadingParts(Parts):
    """Register readings: meter ids, ordinal dates, readings (rows, 5) in hundredths of a kWh."""

    blocks: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)

    def add(self, meter_id: Ints, ordinal: Ints, readings: Ints) -> None:
        """Add rows."""
        self.blocks.append((meter_id, ordinal, readings))
        self.grew(len(meter_id))

    def content(self) -> bytes:
        """The CSV of the pending rows."""
        meter_id, ordinal, readings = (np.concatenate(column) for column in zip(*self.blocks, strict=True))
        self.blocks.clear()
        columns = [pa.array(meter_id).cast(pa.string()), date_texts(ordinal), date_texts(ordinal + STAMPED)]
        columns += [pa.array(readings[:, register] / 100) for register in range(5)]
        return csv_columns(READING_HEADER, columns)


@dataclass
class RowParts(Parts):
    """Rows of any text."""

    header: Sequence[str] = ()
    rows: list[Sequence[object]] = field(default_factory=list)

    def extend(self, rows: Iterable[Sequence[object]]) -> None:
        """Add rows."""
        before = len(self.rows)
        self.rows.extend(rows)
        self.grew(len(self.rows) - before)

    def content(self) -> bytes:
        """The CSV of the pending rows."""
        content = csv_rows(self.header, self.rows)
        self.rows.clear()
        return content


def date_texts(ordinals: Ints) -> pa.Array:
    """ISO dates; with "24:00:00" after it where STAMPED was added."""
    distinct, place = np.unique(ordinals, return_inverse=True)
    texts = [
        f"{date.fromordinal(value % STAMPED).isoformat()}{' 24:00:00' if value >= STAMPED else ''}"
        for value in distinct.tolist()
    ]
    return pa.array(texts, pa.string()).take(pa.array(place))
