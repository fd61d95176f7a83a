"""Wide rows of a batch (a curve in each), kept out of Spark's rows as long as nobody has to look into them.

The workers write what they read to two files beside the plan for each delivered file: `narrow`, Parquet, with all that
a rule or a key needs, and `wide`, Arrow, with the columns of the table. Spark judges the narrow rows and keeps of them
what is out of the ordinary, the `exceptions`. A row is found again by `row_id`: number of its file and place in it.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import LongType, StructField, StructType

from jobs.runtime.identities import load_keys
from jobs.runtime.lake import date_of
from jobs.runtime.quality import odd_rows
from jobs.runtime.reading import LEFT_OUT, files_of, row_type, tables_of_file
from schemas.feed import CURVE_READERS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from expectations.rule import Suite
    from jobs.runtime.receiving import Received
    from schemas.table import Table

# what no rule looks at: it stays in the wide files
ARRAYS = ("kwh", "quality", "raw_values")
# the same in all rows of a file
_OF_FILE = ("file_error", "extra_columns", LEFT_OUT)
NARROW, WIDE, EXCEPTIONS, SUMMARY = "narrow", "wide", "exceptions", "summary.parquet"
# what became of the rows which meet others of their key (meeting.py)
OUTCOMES = "outcomes"
# places in a file have so many bits of a row_id; the number of the file has the others
_PLACE_BITS = 40
# between the ids of rules, where they are one text
_BETWEEN = ","
# rows, and rows of the file which they were made from, by what they have in common
Counted = dict[tuple[Any, ...], tuple[int, int]]

_SUMMARY = pa.schema(
    [
        ("number", pa.int64()),
        ("piece", pa.int64()),
        ("delivery_id", pa.string()),
        ("source_file", pa.string()),
        ("file_error", pa.string()),
        ("extra_columns", pa.list_(pa.string())),
        ("on_date", pa.date32()),
        ("row_count", pa.int64()),
        ("source_rows", pa.int64()),
        ("last_row", pa.int64()),
        (LEFT_OUT, pa.int64()),
    ]
)


@dataclass(frozen=True)
class Pattern:
    """Rows of one file and date which broke the same rules: how many, of how many rows of the file."""

    delivery_id: str
    source_file: str
    file_error: str | None
    extra_columns: Sequence[str]
    broken_rules: Sequence[str]
    flags: Sequence[str]
    on_date: date | None
    row_count: int
    last_row: int
    source_rows: int
    # rows of the file which other feeds take
    left_out_rows: int

    def with_more(self, other: "Pattern") -> "Pattern":
        """Together with others which broke the same."""
        return replace(
            self,
            row_count=self.row_count + other.row_count,
            last_row=max(self.last_row, other.last_row),
            source_rows=self.source_rows + other.source_rows,
            left_out_rows=self.left_out_rows + other.left_out_rows,
        )


def are_wide(received: "Received", suite: "Suite") -> bool:
    """Whether the rows of a batch are staged as wide ones: many curves, of which the rules know the counts only."""
    is_curve = received.feed.reader in CURVE_READERS
    return is_curve and not received.ctx.are_rows_few and not suite.batch_rules()


# -- stage ------------------------------------------------------------------------------------------------------------


def stage_wide(received: "Received", suite: "Suite", table: "Table") -> list[Pattern]:
    """Write the files' rows and what is out of the ordinary in them; how often every pattern of rules was broken."""
    ctx, folder = received.ctx, received.staging
    for name in (NARROW, WIDE):
        (folder / name).mkdir(parents=True, exist_ok=True)
    keys = load_keys(ctx.settings.secrets, ctx.settings.lake.root)
    wanted = row_type(received.feed, received.readers)
    tables = tables_of_file(received.feed, received.readers, keys, to_arrow_schema(wanted, timezone="UTC"))
    with ctx.step("reading"):
        files = files_of(ctx.spark, received.deliveries)
        written = files.mapInArrow(_write_each(tables, str(folder), _kept(table, wanted)), from_arrow_schema(_SUMMARY))
        summary = written.toArrow().cast(_SUMMARY)
        # where rows are found: what other feeds take is nowhere
        pq.write_table(summary.filter(pc.is_null(summary.column(LEFT_OUT))), folder / SUMMARY)
    with ctx.step("rules"):
        rows = narrow_rows(received)
        for step in received.steps:
            rows = step(rows)
        lacking = [c for c in table.columns if c.name not in rows.columns and c.name not in ARRAYS]
        rows = rows.select("*", *(F.lit(None).cast(c.type).alias(c.name) for c in lacking if c.name != "flags"))
        odd = odd_rows(rows, suite)
        facts = ("row_id", "broken_rules", "flags", "delivery_id", "source_file", "source_rows")
        odd.select(*facts, date_of(table).alias("on_date")).write.mode("overwrite").parquet(str(folder / EXCEPTIONS))
        return _patterns(summary, folder / EXCEPTIONS)


def _kept(table: "Table", wanted: StructType) -> list[str]:
    """Columns of the wide files."""
    there = {field.name for field in wanted.fields}
    return [name for name in dict.fromkeys((*table.column_names, "raw_values")) if name in there]


def _write_each(
    tables: Callable[[dict[str, Any]], Iterator[pa.Table]], folder: str, kept: Sequence[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch.to_pylist():
                yield from _write_file(file, tables(file), Path(folder), kept).to_batches()

    return write


def _write_file(file: Mapping[str, Any], tables: Iterator[pa.Table], folder: Path, kept: Sequence[str]) -> pa.Table:
    """Both files of one delivered file; what is in them, piece by piece and date by date."""
    number, place, said, piece = file["number"], 0, [], 0
    with finished(wide_file(folder, number)) as wide, finished(narrow_file(folder, number)) as narrow:
        arrow: pa.ipc.RecordBatchFileWriter | None = None
        parquet: pq.ParquetWriter | None = None
        for rows in tables:
            said.append(_summary(file, piece, rows))
            if not rows.num_rows or rows.column("file_error")[0].is_valid or _left_out(rows) is not None:
                continue
            (whole,) = rows.select(kept).combine_chunks().to_batches()
            thin = rows.drop_columns([n for n in (*ARRAYS, *_OF_FILE) if n in rows.column_names])
            begin = row_id_of(number, place)
            thin = thin.append_column("row_id", pa.array(np.arange(begin, begin + rows.num_rows)))
            arrow = arrow or pa.ipc.new_file(str(wide), whole.schema)
            parquet = parquet or pq.ParquetWriter(narrow, thin.schema, write_statistics=False)
            arrow.write_batch(whole)
            parquet.write_table(thin)
            place += rows.num_rows
            piece += 1
        for writer in (arrow, parquet):
            if writer is not None:
                writer.close()
    return pa.concat_tables(said)


def _summary(file: Mapping[str, Any], piece: int, rows: pa.Table) -> pa.Table:
    dates = rows.column("read_date").combine_chunks()
    counted = rows.select(["source_rows", "source_row"]).append_column("on_date", dates)
    by_date = counted.group_by("on_date", use_threads=False).aggregate(
        [([], "count_all"), ("source_rows", "sum"), ("source_row", "max")]
    )
    first = rows.slice(0, 1).to_pylist()[0] if rows.num_rows else {}
    facts = {
        "number": file["number"],
        "piece": piece,
        "delivery_id": file["delivery_id"],
        "source_file": file["name"],
        "file_error": first.get("file_error"),
        "extra_columns": first.get("extra_columns"),
        LEFT_OUT: _left_out(rows),
    }
    counts = {
        "on_date": "on_date",
        "row_count": "count_all",
        "source_rows": "source_rows_sum",
        "last_row": "source_row_max",
    }
    columns = {name: pa.array([value] * by_date.num_rows, _SUMMARY.field(name).type) for name, value in facts.items()}
    columns |= {name: by_date.column(counted) for name, counted in counts.items()}
    if facts[LEFT_OUT] is not None:
        # the row stands for others and is none
        columns["row_count"] = pa.array([0])
    return pa.table(columns).select(_SUMMARY.names).cast(_SUMMARY)


def _left_out(rows: pa.Table) -> int | None:
    """Of a piece which stands for rows of other feeds, how many rows of the file these were made from."""
    found: int | None = rows.column(LEFT_OUT)[0].as_py() if LEFT_OUT in rows.column_names and rows.num_rows else None
    return found


def _patterns(summary: pa.Table, folder: Path) -> list[Pattern]:
    """All rows of the summary; those which are out of the ordinary by what they broke, the others as good ones."""
    good: dict[tuple[Any, ...], Pattern] = {}
    for row in summary.to_pylist():
        key = (row["delivery_id"], row["source_file"], row["on_date"], row["file_error"])
        last_row, source_rows = row["last_row"] or 0, row["source_rows"] or 0
        extra, left_out = row["extra_columns"] or [], row[LEFT_OUT] or 0
        new = Pattern(*key[:2], key[3], extra, [], [], key[2], row["row_count"], last_row, source_rows, left_out)
        good[key] = new.with_more(good[key]) if key in good else new
    found: list[Pattern] = []
    for (delivery, file, day, broken, flags), (rows, source_rows) in _counted(folder).items():
        of_file = good[delivery, file, day, None]
        odd = replace(of_file, row_count=rows, source_rows=source_rows, left_out_rows=0)
        found.append(replace(odd, broken_rules=_ids(broken), flags=_ids(flags)))
        good[delivery, file, day, None] = replace(
            of_file, row_count=of_file.row_count - rows, source_rows=of_file.source_rows - source_rows
        )
    return found + [pattern for pattern in good.values() if pattern.row_count or pattern.left_out_rows]


def _counted(folder: Path) -> Counted:
    """Rows and source rows of what is out of the ordinary, by delivery, file, date and ids, file by file of it."""
    total: Counted = {}
    keys = ["delivery_id", "source_file", "on_date", "broken_rules", "flags"]
    for path in sorted(folder.glob("*.parquet")):
        odd = pq.read_table(path, columns=[*keys, "source_rows"])
        for n, name in enumerate(keys[3:], start=3):
            odd = odd.set_column(n, name, pc.binary_join(odd.column(name).cast(pa.list_(pa.string())), _BETWEEN))
        by = odd.group_by(keys, use_threads=False).aggregate([([], "count_all"), ("source_rows", "sum")])
        for row in by.to_pylist():
            key = tuple(row[name] for name in keys)
            rows, source_rows = total.get(key, (0, 0))
            total[key] = (rows + row["count_all"], source_rows + (row["source_rows_sum"] or 0))
    return total


def _ids(joined: str) -> list[str]:
    return joined.split(_BETWEEN) if joined else []


# -- find again -------------------------------------------------------------------------------------------------------


def wide_file(folder: Path, number: int) -> Path:
    """Where the wide rows of a delivered file are staged."""
    return folder / WIDE / f"{number:06d}.arrow"


def narrow_file(folder: Path, number: int) -> Path:
    """Where the narrow rows of a delivered file are staged."""
    return folder / NARROW / f"{number:06d}.parquet"


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """A file to be written which gets its name when it is whole; none where nothing was written."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield unfinished
        if unfinished.exists():
            os.replace(unfinished, path)  # noqa: PTH105 - says what it does to a file that is there
    finally:
        unfinished.unlink(missing_ok=True)


def narrow_rows(received: "Received") -> "DataFrame":
    """The staged rows without arrays."""
    fields = [f for f in row_type(received.feed, received.readers).fields if f.name not in (*ARRAYS, *_OF_FILE)]
    schema = StructType([*fields, StructField("row_id", LongType())])
    return received.ctx.spark.read.schema(schema).parquet(str(received.staging / NARROW))


def judged_rows(received: "Received") -> "DataFrame":
    """The staged rows without arrays, with what they broke."""
    nothing = F.expr("CAST(array() AS array<string>)")
    return (
        narrow_rows(received)
        .join(_exceptions(received), "row_id", "left")
        .withColumns({name: F.coalesce(name, nothing) for name in ("broken_rules", "flags")})
    )


def broken_rows(received: "Received") -> "DataFrame":
    """The staged rows which broke an error rule, with all their columns."""
    broken = _exceptions(received).where("size(broken_rules) > 0")
    return with_arrays(received, narrow_rows(received).join(F.broadcast(broken), "row_id"))


def _exceptions(received: "Received") -> "DataFrame":
    schema = "row_id long, broken_rules array<string>, flags array<string>"
    return received.ctx.spark.read.schema(schema).parquet(str(received.staging / EXCEPTIONS))


def with_arrays(received: "Received", rows: "DataFrame") -> "DataFrame":
    """The given rows, few of the staged ones, with their arrays."""
    there = row_type(received.feed, received.readers)
    arrays = [field for field in there.fields if field.name in ARRAYS]
    wanted = StructType([*rows.schema.fields, *arrays])
    schema, folder = to_arrow_schema(wanted, timezone="UTC"), str(received.staging)

    def fetch(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield from _fetched(batch, Path(folder), schema).to_batches()

    return rows.mapInArrow(fetch, wanted)


def _fetched(batch: pa.RecordBatch, folder: Path, schema: pa.Schema) -> pa.Table:
    ids = batch.column("row_id").to_numpy(zero_copy_only=False)
    numbers, places = ids >> _PLACE_BITS, ids & ((1 << _PLACE_BITS) - 1)
    names = [name for name in schema.names if name not in batch.schema.names]
    parts, order = [], []
    for number in np.unique(numbers):
        mine = np.flatnonzero(numbers == number)
        first = 0
        with pa.memory_map(str(wide_file(folder, int(number)))) as source:
            file = pa.ipc.open_file(source)
            for piece in range(file.num_record_batches):
                rows = file.get_batch(piece)
                inside = mine[(places[mine] >= first) & (places[mine] < first + rows.num_rows)]
                if inside.size:
                    parts.append(pa.table(rows.select(names).take(pa.array(places[inside] - first))))
                    order.append(inside)
                first += rows.num_rows
    arrays = pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))
    whole = [batch.column(n) if n in batch.schema.names else arrays.column(n).combine_chunks() for n in schema.names]
    return pa.table([pc.cast(c, f.type) for c, f in zip(whole, schema, strict=True)], schema=schema)


def row_id_of(number: int, place: int) -> int:
    """row_id of the row at a place, from 0, of a file."""
    return number << _PLACE_BITS | place
