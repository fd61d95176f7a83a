"""Single rows of a table of wide rows, found in its files by the workers, which decode next to nothing else.

Spark decodes all curves of a file to look at a few of them. Here the column of the key is decoded alone, and of the
others the pages which hold a row that is asked for (DataFusion, late materialisation); the files are written with small
pages for it (wide_files.py). Which rows of a file are deleted is not looked at: who asks has found the key among the
rows that live, and in that file, in which no commit writes a key twice.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from jobs.runtime.lake import same_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from schemas.table import Table

# the URL of the file in which a row is held, beside its key
HELD_FILE = "held_file"
# files are shared by so many tasks
_TASKS = 16
# of a file of which more is asked for, all is read
_FEW = 2_000
_SETTINGS = {
    # of the other columns nothing but the rows which are asked for
    "datafusion.execution.parquet.pushdown_filters": "true",
    "datafusion.execution.target_partitions": "1",
}

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def with_file(rows: "DataFrame") -> "DataFrame":
    """The rows of a table which was just read, with `HELD_FILE`."""
    return rows.withColumn(HELD_FILE, F.col("_metadata.file_path"))


def rows_in_files(keys: "DataFrame", table: "Table") -> "DataFrame":
    """The rows of the table with the keys of `keys`, held in its `HELD_FILE`; of a table partitioned by one column."""
    (dated,) = table.partitioned_by
    named = keys.where(F.col(HELD_FILE).isNotNull()).repartition(_TASKS, HELD_FILE)
    sought = next(name for name in table.key if name != dated)
    files = named.groupBy(HELD_FILE, dated).agg(F.collect_set(sought).alias(sought))
    wanted = StructType([*table.struct.fields, StructField(HELD_FILE, StringType())])
    found = files.mapInArrow(_fetch(sought, dated, to_arrow_schema(wanted, timezone="UTC")), wanted)
    # a key of several columns has been looked for by one of them
    return same_key(found, named, (HELD_FILE, *table.key), "left_semi").drop(HELD_FILE)


def _fetch(sought: str, dated: str, schema: pa.Schema) -> Batches:
    def fetch(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        stored = pa.schema([field for field in schema if field.name not in (dated, HELD_FILE)])
        for batch in batches:
            for file in batch.to_pylist():
                rows = _rows_with(Path(unquote(urlparse(file[HELD_FILE]).path)), sought, file[sought], stored)
                same = {name: pa.scalar(file[name], schema.field(name).type) for name in (dated, HELD_FILE)}
                columns = [
                    pa.repeat(same[f.name], rows.num_rows) if f.name in same else rows.column(f.name) for f in schema
                ]
                yield from pa.table(columns, schema=schema).to_batches()

    return fetch


def _rows_with(path: Path, column: str, values: list[str], schema: pa.Schema) -> pa.Table:
    """The rows of a Parquet file whose column has one of the values; columns which the file lacks are null."""
    if len(values) > _FEW:
        held = pq.read_table(path, use_threads=False)
        found = held.filter(pc.is_in(held.column(column), pa.array(values)))
    else:
        found = _picked(path, column, values)
    return pa.table(
        [
            found.column(field.name).cast(field.type)
            if field.name in found.column_names
            else pa.nulls(found.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


def _picked(path: Path, column: str, values: list[str]) -> pa.Table:
    # workers need it; every ingest job imports this module and would wait for it
    from datafusion import SessionConfig, SessionContext, col, lit
    from datafusion.functions import in_list

    session = SessionContext(SessionConfig(_SETTINGS))
    rows = session.read_parquet(str(path)).filter(in_list(col(column), [lit(value) for value in values]))
    return pa.Table.from_batches(rows.collect(), schema=rows.schema())
