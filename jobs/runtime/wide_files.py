"""Wide rows into their table: the workers write the files, one commit makes them part of it.

The rows go from the staged Arrow files to Parquet in the table's folders without a way through Spark. Left out are
those which broke an error rule, and of those which meet others of their key all that are not new to the table
(meeting.py).
Each attempt writes files of its own names: those of one that was killed belong to no table and go with the next vacuum.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import StructType

from jobs.runtime.errors import DataError
from jobs.runtime.lake import stats_columns
from jobs.runtime.wide_rows import EXCEPTIONS, OUTCOMES, SUMMARY, row_id_of, wide_file

if TYPE_CHECKING:
    from jobs.runtime.batch import Judged
    from schemas.table import Table

# few enough that the cores of a machine share a date, many enough that a date is not many files
_ROWS_A_FILE = 60_000
# so many rows wait in memory until they are written
_ROWS_A_GROUP = 30_000
# a page is read whole by whoever reads a row of it (held_rows.py): about twenty curves
_PAGE_BYTES, _ROWS_AT_ONCE = 16_384, 64
_WRITTEN = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("modified", pa.int64()),
        ("on_date", pa.date32()),
        ("rows", pa.int64()),
        ("stats", pa.string()),
    ]
)


def append_wide(judged: "Judged", table: "Table") -> None:
    """Append what is new of the staged rows, once for all time. DataError where it is not as many as planned."""
    received, lake = judged.received, judged.received.ctx.lake
    app_id = judged.app_id("append")
    lake.create(table)
    if lake.has_happened(table, app_id):
        return
    groups = _groups(judged)
    if groups.num_rows:
        session = received.ctx.spark
        frame = session.createDataFrame(groups)
        write = _write_each(_Target.of(table, lake.path(table)), str(received.staging))
        files = frame.repartition(groups.num_rows).mapInArrow(write, from_arrow_schema(_WRITTEN)).toArrow().to_pylist()
    else:
        files = []
    written = sum(file["rows"] for file in files)
    if written != judged.plan.to_append:
        raise DataError(
            f"{table.name}: {written} rows were written where {judged.plan.to_append} were to be. Nothing of them is "
            "in the table: run the job again, and report it when it happens twice."
        )
    if files:
        lake.append_files(table, files, app_id)


# -- who writes what --------------------------------------------------------------------------------------------------


def _groups(judged: "Judged") -> pa.Table:
    """A row a task: `dates` whose rows it writes, each to files of its own, and the staged `pieces` it finds them in.

    A date of many rows is shared by several tasks; dates of few rows, late ones, are one task's together.
    """
    is_left_out = {*judged.plan.refused, *judged.plan.cancelled}
    pieces: dict[date | None, list[tuple[int, int]]] = {}
    for row in pq.read_table(judged.received.staging / SUMMARY).to_pylist():
        if row["file_error"] is None and row["delivery_id"] not in is_left_out:
            pieces.setdefault(row["on_date"], []).append((_piece_id(row["number"], row["piece"]), row["row_count"]))
    groups: list[tuple[list[date | None], set[int]]] = []
    few: tuple[list[date | None], set[int], int] = ([], set(), 0)
    for day in sorted(pieces, key=str):
        found = sorted(pieces[day])
        rows = sum(count for _, count in found)
        if rows < _ROWS_A_FILE:
            few = ([*few[0], day], {*few[1], *(piece for piece, _ in found)}, few[2] + rows)
            if few[2] >= _ROWS_A_FILE:
                groups.append(few[:2])
                few = ([], set(), 0)
            continue
        shares, begun = max(1, round(rows / _ROWS_A_FILE)), 0
        parts: list[set[int]] = [set() for _ in range(shares)]
        for piece, count in found:
            parts[min(shares - 1, begun * shares // rows)].add(piece)
            begun += count
        groups += [([day], part) for part in parts if part]
    if few[0]:
        groups.append(few[:2])
    return pa.table(
        {
            "dates": pa.array([dates for dates, _ in groups], pa.list_(pa.date32())),
            "pieces": pa.array([sorted(part) for _, part in groups], pa.list_(pa.int64())),
        }
    )


def _piece_id(number: int, piece: int) -> int:
    return number << 32 | piece


# -- at the workers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """Where the files go, and what they hold."""

    folder: str
    schema: pa.Schema
    dated: str
    measured: tuple[str, ...]

    @classmethod
    def of(cls, table: "Table", folder: Path) -> "_Target":
        (dated,) = table.partitioned_by
        stored = StructType([f for f in table.struct.fields if f.name != dated])
        return cls(str(folder), to_arrow_schema(stored, timezone="UTC"), dated, tuple(stats_columns(table)))


def _write_each(target: _Target, staging: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for group in batch.to_pylist():
                files = _write_group(group, target, Path(staging))
                yield pa.RecordBatch.from_pylist(files, schema=_WRITTEN)

    return write


def _write_group(group: Mapping[str, Any], target: _Target, staging: Path) -> list[dict[str, Any]]:
    """Write the files of one task; what is to be known of each for the commit."""
    pieces: dict[int, set[int]] = {}
    for piece in group["pieces"]:
        pieces.setdefault(piece >> 32, set()).add(piece & 0xFFFFFFFF)
    odd = _Exceptions.of(staging, sorted(pieces))
    name = uuid.uuid4().hex
    files: dict[date | None, _File] = {}
    with ExitStack() as stack:
        for number, wanted in sorted(pieces.items()):
            source = stack.enter_context(pa.memory_map(str(wide_file(staging, number))))
            staged, first = pa.ipc.open_file(source), 0
            for piece in range(staged.num_record_batches):
                batch = staged.get_batch(piece)
                if piece in wanted:
                    rows = odd.left(batch, number, first)
                    for day in group["dates"]:
                        mine = _of_date(rows, target.dated, day)
                        if mine.num_rows and day not in files:
                            files[day] = stack.enter_context(_File(target, day, name))
                        if mine.num_rows:
                            files[day].add(mine)
                first += batch.num_rows
        for file in files.values():
            file.write()
    return [file.facts() for file in files.values()]


def _of_date(rows: pa.Table, dated: str, day: date | None) -> pa.Table:
    dates = rows.column(dated)
    is_it = pc.is_null(dates) if day is None else pc.equal(dates, pa.scalar(day, pa.date32()))
    count = pc.sum(is_it).as_py() or 0
    # most pieces are of one date
    return rows if count == rows.num_rows else rows.filter(is_it)


@dataclass(frozen=True, eq=False)
class _Exceptions:
    """Rows which are not written, and flags of those which are, in the order of row_id."""

    left_out: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.int64]
    flags: pa.ListArray

    @classmethod
    def of(cls, staging: Path, numbers: Sequence[int]) -> "_Exceptions":
        """What is known of the rows of these files."""
        odd = _rows_of(staging / EXCEPTIONS, ["row_id", "broken_rules", "flags"], numbers)
        left_out = odd.filter(_has_any(odd, "broken_rules")).column("row_id").to_numpy()
        flagged = odd.filter(_has_any(odd, "flags")).select(["row_id", "flags"])
        if (staging / OUTCOMES).exists():
            met = _rows_of(staging / OUTCOMES, ["row_id", "is_held", "is_new", "key_flags"], numbers)
            others = met.filter(pc.invert(pc.or_(met.column("is_held"), met.column("is_new"))))
            left_out = np.concatenate([left_out, others.column("row_id").to_numpy()])
            flagged = _joined(flagged, met.filter(_has_any(met, "key_flags")).select(["row_id", "key_flags"]))
        flagged = flagged.sort_by("row_id")
        return cls(np.sort(left_out), flagged.column("row_id").to_numpy(), flagged.column("flags").combine_chunks())

    def left(self, batch: pa.RecordBatch, number: int, first: int) -> pa.Table:
        """The rows to be written of a staged piece which begins at this place of its file, with flags."""
        low = row_id_of(number, first)
        begin, end = np.searchsorted(self.flagged, [low, low + batch.num_rows])
        counts = np.zeros(batch.num_rows + 1, np.int64)
        mine = self.flags.slice(begin, end - begin)
        counts[self.flagged[begin:end] - low + 1] = pc.list_value_length(mine).to_numpy(zero_copy_only=False)
        flags = pa.ListArray.from_arrays(pa.array(np.cumsum(counts).astype(np.int32)), mine.flatten())
        rows = pa.table(batch).append_column("flags", flags)
        begin, end = np.searchsorted(self.left_out, [low, low + batch.num_rows])
        if end > begin:
            keep = np.ones(batch.num_rows, np.bool_)
            keep[self.left_out[begin:end] - low] = False
            rows = rows.filter(pa.array(keep))
        return rows


def _has_any(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.greater(pc.list_value_length(rows.column(name)), 0)


def _joined(flagged: pa.Table, more: pa.Table) -> pa.Table:
    """A row_id with the flags of both tables, in the order of their ids."""
    if not more.num_rows:
        return flagged
    parts = []
    for table in (flagged, more.rename_columns(["row_id", "flags"])):
        lists = table.column("flags").combine_chunks()
        ids = table.column("row_id").combine_chunks().take(pc.list_parent_indices(lists))
        parts.append(pa.table({"row_id": ids, "flag": lists.flatten()}))
    each = (
        pa.concat_tables(parts)
        .group_by(["row_id", "flag"])
        .aggregate([])
        .sort_by([("row_id", "ascending"), ("flag", "ascending")])
    )
    both = each.group_by("row_id", use_threads=False).aggregate([("flag", "list")])
    return both.rename_columns(["row_id", "flags"]).cast(flagged.schema)


def _rows_of(folder: Path, columns: list[str], numbers: Sequence[int]) -> pa.Table:
    low, high = row_id_of(numbers[0], 0), row_id_of(numbers[-1] + 1, 0)
    is_it = (ds.field("row_id") >= low) & (ds.field("row_id") < high)
    return ds.dataset(folder, format="parquet").to_table(columns=columns, filter=is_it, use_threads=False)


class _File:
    """A file of the table while it is written: rows of one date, row groups of some size, statistics."""

    def __init__(self, target: _Target, day: date | None, name: str) -> None:
        value = "__HIVE_DEFAULT_PARTITION__" if day is None else day.isoformat()
        # below the table's folder, as the log writes it
        self._path = f"{target.dated}={value}/part-{name}.zstd.parquet"
        self._target, self._day = target, day
        self._waiting: list[pa.Table] = []
        self._rows, self._rows_waiting = 0, 0
        self._stats = {name: _Span() for name in target.measured}

    def __enter__(self) -> "_File":
        whole = Path(self._target.folder, self._path)
        whole.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            whole,
            self._target.schema,
            compression="zstd",
            compression_level=1,
            write_statistics=list(self._target.measured),
            write_page_index=True,
            data_page_size=_PAGE_BYTES,
            write_batch_size=_ROWS_AT_ONCE,
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.close()

    def add(self, rows: pa.Table) -> None:
        """Take rows in; they are written when there are enough for a row group."""
        for name, span in self._stats.items():
            span.add(rows.column(name))
        self._waiting.append(
            pa.Table.from_arrays([_column(rows, field) for field in self._target.schema], schema=self._target.schema)
        )
        self._rows += rows.num_rows
        self._rows_waiting += rows.num_rows
        if self._rows_waiting >= _ROWS_A_GROUP:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=2 * _ROWS_A_GROUP)
        self._waiting, self._rows_waiting = [], 0

    def facts(self) -> dict[str, Any]:
        """What the commit says of the file, which is closed."""
        found = Path(self._target.folder, self._path).stat()
        stats = {
            "numRecords": self._rows,
            "minValues": {name: span.low for name, span in self._stats.items() if span.low is not None},
            "maxValues": {name: span.high for name, span in self._stats.items() if span.high is not None},
            "nullCount": {name: span.nulls for name, span in self._stats.items()},
            "tightBounds": True,
        }
        return {
            "path": self._path,
            "size": found.st_size,
            "modified": int(found.st_mtime * 1000),
            "on_date": self._day,
            "rows": self._rows,
            "stats": json.dumps(stats),
        }


def _column(rows: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in rows.column_names:
        return pa.nulls(rows.num_rows, field.type)
    column = rows.column(field.name)
    return column if column.type == field.type else column.cast(field.type)


@dataclass
class _Span:
    """Smallest and largest value of a column, as the log writes them, and how many are null."""

    low: str | None = None
    high: str | None = None
    nulls: int = 0

    def add(self, column: pa.ChunkedArray) -> None:
        """Look at some more values."""
        self.nulls += column.null_count
        ends = pc.min_max(column)
        if not ends["min"].is_valid:
            return
        low, high = _written(ends["min"].as_py(), up=False), _written(ends["max"].as_py(), up=True)
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


def _written(value: str | datetime, *, up: bool) -> str:
    """Instants are written in whole milliseconds, so that what is between is inside."""
    if isinstance(value, str):
        return value
    if up and value.microsecond % 1000:
        value += timedelta(milliseconds=1)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
