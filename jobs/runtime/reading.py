"""Files of deliveries -> one lazy frame of typed rows, read by the Spark workers file by file.

A file that cannot be read becomes one row with `file_error`, so that it stops neither the other files nor the job
before everything that is wrong with them is known.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.runtime.identities import Keys
from jobs.runtime.landing import Delivery
from schemas.feed import CURVE_READERS, CURVE_TARGETS, Feed, Selection

_TYPES: dict[str, DataType] = {
    "string": StringType(),
    "date": DateType(),
    "timestamp": TimestampType(),
    "double": DoubleType(),
    "decimal": DecimalType(18, 6),
    "integer": LongType(),
    "boolean": BooleanType(),
}

_SOURCE_FIELDS = [
    StructField("unreadable", ArrayType(StringType())),
    StructField("raw_values", MapType(StringType(), StringType())),
    StructField("source_file", StringType()),
    StructField("source_row", LongType()),
]

_DELIVERY_FIELDS = [
    StructField("delivery_id", StringType()),
    StructField("business_date", DateType()),
    StructField("received_at", TimestampType()),
    StructField("file_error", StringType()),
    StructField("extra_columns", ArrayType(StringType())),
]

_CURVE_FIELDS = [
    StructField("interval_minutes", IntegerType()),
    StructField("kwh", ArrayType(FloatType())),
    StructField("quality", ArrayType(ByteType())),
    StructField("total_kwh", DoubleType()),
    StructField("measured_count", IntegerType()),
    StructField("estimated_count", IntegerType()),
    StructField("missing_count", IntegerType()),
]


# of the row which stands for those of a file that are other feeds': how many rows of the file they were made from
LEFT_OUT = "left_out_rows"


class Readers(Protocol):
    """What the kernels offer for reading files; handed in by the job, which alone sees both."""

    def metric_columns(self, reader: str) -> Sequence[tuple[str, str]]:
        """Columns (name, "int" or "float") which a reader adds to the declared ones for the rules."""

    def read(
        self, data: bytes, name: str, feed: Feed, pseudonym_key: bytes, vault_key: bytes
    ) -> Iterator[tuple[pa.Table, list[str]]]:
        """Rows of a file in pieces, each with the names of columns which are not declared."""

    def edited(self, rows: pa.Table, feed: Feed, kwh: Mapping[int, float | None]) -> pa.Table:
        """Meter days with intervals (from 0) as a person entered them, None for missing, and all that follows."""

    def problem(self, error: Exception) -> str | None:
        """What is wrong with the file, for a person; None when the error is not the file's fault."""


def read_deliveries(
    session: SparkSession, deliveries: Sequence[Delivery], feed: Feed, readers: Readers, keys: Keys
) -> DataFrame:
    """Rows of all files of the deliveries, with provenance; one row with `file_error` where a file is unreadable.

    Of a feed which shares its deliveries its own rows, and one row with `left_out_rows` for the others of a file.
    """
    wanted = row_type(feed, readers)
    tables = tables_of_file(feed, readers, keys, to_arrow_schema(wanted, timezone="UTC"))

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch.to_pylist():
                for rows in tables(file):
                    yield from rows.to_batches()

    return files_of(session, deliveries).mapInArrow(read, wanted)


def files_of(session: SparkSession, deliveries: Sequence[Delivery]) -> DataFrame:
    """A row a file of the deliveries, each in a task of its own: number (from 0, in their order), path and facts."""
    files = [(d, f) for d in deliveries for f in d.files]
    facts = pa.table(
        {
            "number": pa.array(range(len(files)), pa.int64()),
            "path": pa.array([str((d.folder / f.name).resolve()) for d, f in files], pa.string()),
            "name": pa.array([f.name for _, f in files], pa.string()),
            "sha256": pa.array([f.sha256 for _, f in files], pa.string()),
            "delivery_id": pa.array([d.delivery_id for d, _ in files], pa.string()),
            "business_date": pa.array([d.business_date for d, _ in files], pa.date32()),
            "received_at": pa.array([d.received_at for d, _ in files], pa.timestamp("us", "UTC")),
        }
    )
    frame = session.createDataFrame(facts)
    # in turn and not by a hash, which would give two files to one task and none to another
    return frame.repartition(len(files)) if len(files) > 1 else frame


def row_type(feed: Feed, readers: Readers) -> StructType:
    """Spark type of the rows which `read_deliveries` gives for a feed."""
    fields: list[StructField] = []
    is_curve = feed.reader in CURVE_READERS
    for column in feed.columns:
        if is_curve and column.target in CURVE_TARGETS:
            continue
        if column.personal == "customer_no":
            fields += [StructField("customer_key", StringType()), StructField("customer_no_encrypted", StringType())]
        elif column.personal in {"name", "phone", "address"}:
            fields.append(StructField(f"{column.target}_encrypted", StringType()))
        else:
            fields.append(StructField(column.target, _TYPES[column.type]))
    if feed.unpivot_key and feed.unpivot_value:
        fields += [StructField(feed.unpivot_key, StringType()), StructField(feed.unpivot_value, DoubleType())]
    if is_curve:
        if all(column.target != "read_date" for column in feed.columns):
            fields.append(StructField("read_date", DateType()))
        fields += _CURVE_FIELDS
    for name, kind in readers.metric_columns(feed.reader):
        fields.append(StructField(name, LongType() if kind == "int" else DoubleType()))
    left_out = [StructField(LEFT_OUT, LongType())] if feed.shares_rows else []
    return StructType([*fields, *_SOURCE_FIELDS, *_DELIVERY_FIELDS, *left_out])


def tables_of_file(
    feed: Feed, readers: Readers, keys: Keys, wanted: pa.Schema
) -> Callable[[dict[str, Any]], Iterator[pa.Table]]:
    """What gives a worker the rows of a file in pieces; a piece of one row with `file_error` where it cannot be read.

    What other feeds take of the file is one piece more, of one row, which says how many rows of the file that were.
    The keys travel to the workers inside the pickled function, so that no plan, log or page shows them.
    """
    pseudonym_key, vault_key = keys.pseudonym, keys.vault

    def tables(file: dict[str, Any]) -> Iterator[pa.Table]:
        facts = {name: file[name] for name in ("delivery_id", "business_date", "received_at")}
        try:
            data = _checked_bytes(file)
            left_out = 0
            for rows, extra in readers.read(data, file["name"], feed, pseudonym_key, vault_key):
                own, others = own_rows(_as(wanted, rows, {**facts, "extra_columns": extra}), feed)
                yield own
                left_out += others
            if left_out:
                yield _as(wanted, pa.table({"source_file": [file["name"]]}), {**facts, LEFT_OUT: left_out})
        except Exception as error:
            problem = str(error) if isinstance(error, _BrokenFileError) else readers.problem(error)
            if problem is None:
                raise
            refusal = pa.table({"source_file": [file["name"]]})
            yield _as(wanted, refusal, {**facts, "file_error": problem})

    return tables


def own_rows(rows: pa.Table, feed: Feed) -> tuple[pa.Table, int]:
    """Rows which are the feed's, and how many rows of the file the others were made from.

    A row is another feed's only by a value which says so: one without value stays, for a rule to judge it.
    """
    if not feed.shares_rows:
        return rows, 0
    if feed.takes:
        is_own = _selected(rows, feed.takes)
    else:
        is_own = pc.invert(reduce(pc.or_, (_selected(rows, selection) for selection in feed.leaves)))
    others = rows.filter(pc.invert(is_own))
    return rows.filter(is_own), pc.sum(others.column("source_rows")).as_py() or 0


def _selected(rows: pa.Table, selection: Selection) -> pa.ChunkedArray:
    """Which rows have one of the values in each of the columns; never null."""
    each = (pc.is_in(rows.column(name), pa.array(values, pa.string())) for name, values in selection.items())
    return reduce(pc.and_, each)


class _BrokenFileError(Exception):
    """A file is not what its manifest states."""


def _checked_bytes(file: dict[str, Any]) -> bytes:
    path = Path(file["path"])
    if not path.is_file():
        raise _BrokenFileError(f"{file['name']}: the manifest names this file, and it is not there: deliver it again.")
    data = path.read_bytes()
    if file["sha256"] and hashlib.sha256(data).hexdigest() != file["sha256"]:
        raise _BrokenFileError(
            f"{file['name']}: its checksum is not the manifest's (damaged or cut on the way, or a wrong manifest): "
            "deliver the file and its manifest again."
        )
    return data


def _as(wanted: pa.Schema, rows: pa.Table, constants: dict[str, Any]) -> pa.Table:
    """The rows with exactly the wanted columns: constants for all rows, null for what is not there."""
    columns = []
    for field in wanted:
        if field.name in constants:
            columns.append(
                pa.array([constants[field.name]], field.type).take(pa.array([0] * rows.num_rows, pa.int32()))
            )
        elif field.name in rows.column_names:
            column = rows.column(field.name)
            columns.append(column if column.type == field.type else column.cast(field.type))
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=wanted)
