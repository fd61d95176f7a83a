"""The books of the suite (layer `ops`): small append-only tables, written and read without Spark.

Kept by delta-rs, so that a job which finds nothing new needs no Spark session to know it, and read by its query engine,
which opens only those files of which the log does not tell that they hold nothing of what is asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from pyspark.sql.pandas.types import to_arrow_schema
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from schemas.table import Table

Row = Mapping[str, Any]


class Books:
    """Reads and appends to the tables of `ops` under the lake's root."""

    def __init__(self, root: Path) -> None:
        """`root` is the lake's."""
        self._root = root

    def path(self, table: Table) -> Path:
        """Folder of a table."""
        return self._root / table.layer / table.noun

    # -- write ----------------------------------------------------------------------------------------------------

    def append(self, table: Table, rows: Sequence[Row]) -> None:
        """Append rows whose key is not there yet; rows already there (a retry) are left out."""
        keys = {_key(row, table.key) for row in self._alike(table, rows, table.key)}
        self._write(table, [row for row in rows if _key(row, table.key) not in keys])

    def revise(self, table: Table, rows: Sequence[Row]) -> None:
        """Append the rows which say something else than the latest one of their key, each as its next `revision`.

        The same once more (a rerun) adds nothing, and what holds is the highest revision, also where an earlier one
        said the same. No clock is needed to tell which came later.
        """
        names = table.key[:-1]
        told = [name for name in table.column_names if name != table.key[-1]]
        held: dict[tuple[Any, ...], list[Row]] = {}
        for one in self._alike(table, rows, names):
            held.setdefault(_key(one, names), []).append(one)
        new = []
        for row in rows:
            before = held.get(_key(row, names), [])
            # rows of before there were revisions are the first, and may be several
            last = max((one["revision"] or 0 for one in before), default=0)
            latest = {_key(one, told) for one in before if (one["revision"] or 0) == last}
            if latest != {_key(row, told)}:
                new.append({**row, "revision": last + 1})
        self._write(table, new)

    def _alike(self, table: Table, rows: Sequence[Row], names: Iterable[str]) -> list[dict[str, Any]]:
        """Held rows which have the values that all the given rows have in common, as far as the log knows them."""
        if not rows:
            return []
        common = {
            name: rows[0][name]
            for name in names
            if type(rows[0].get(name)) in (str, date) and len({row.get(name) for row in rows}) == 1
        }
        return self.read(table, **common)

    # whoever makes the table or adds a column comes first, and all who write at that moment have to begin again
    @retry(
        retry=retry_if_exception_type(CommitFailedError),
        stop=stop_after_attempt(8),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        reraise=True,
    )
    def _write(self, table: Table, rows: Sequence[Row]) -> None:
        if not rows:
            return
        schema = arrow_schema(table)
        data = pa.Table.from_pylist([{n: row.get(n) for n in schema.names} for row in rows], schema=schema)
        path = self.path(table)
        path.parent.mkdir(parents=True, exist_ok=True)
        # a column that was declared after the table had been made is added to it
        write_deltalake(path, data, mode="append", schema_mode="merge", description=table.comment, name=table.name)

    # -- read -----------------------------------------------------------------------------------------------------

    def read(self, table: Table, **equal: Any) -> list[dict[str, Any]]:
        """Rows whose columns equal the given values; none when the table is not there yet."""
        return self.find(table, " AND ".join(f'"{name}" = {literal(value)}' for name, value in equal.items()) or "true")

    def find(self, table: Table, condition: str) -> list[dict[str, Any]]:
        """Rows for which an SQL condition holds, in no order; what a table of an earlier release lacks is null."""
        held = self._query(table, f"SELECT * FROM books WHERE {condition}")
        return [{name: row.get(name) for name in table.column_names} for row in held]

    def values(self, table: Table, column: str, **equal: Any) -> set[Any]:
        """Distinct values of one column."""
        return {row[column] for row in self.read(table, **equal)}

    def latest_values(self, table: Table, column: str, of: str, count: int) -> dict[Any, list[Any]]:
        """The highest `count` values of a column for each value of another one, ascending.

        A file of the books was written by one run and so holds one value of each, which the log tells: none is opened.
        Only where files were compacted are those of their range read.
        """
        try:
            files = pa.table(DeltaTable(self.path(table)).get_add_actions(flatten=True)).to_pylist()
        except TableNotFoundError:
            return {}
        spans = [tuple(file.get(f"{end}.{name}") for name in (of, column) for end in ("min", "max")) for file in files]
        pairs = {(group, value) for group, same, value, end in spans if group == same and value == end}
        if wide := [span for span in spans if span[0] != span[1] or span[2] != span[3] or None in span]:
            pairs |= self._pairs(table, column, of, wide)
        found: dict[Any, list[Any]] = {}
        for group, value in sorted(pair for pair in pairs if None not in pair):
            found.setdefault(group, []).append(value)
        return {group: held[-count:] for group, held in found.items()}

    def _pairs(self, table: Table, column: str, of: str, spans: Sequence[tuple[Any, ...]]) -> set[tuple[Any, Any]]:
        where = ""
        if not any(None in span for span in spans):
            low, high = min(span[2] for span in spans), max(span[3] for span in spans)
            where = f' WHERE "{column}" BETWEEN {literal(low)} AND {literal(high)}'
        rows = self._query(table, f'SELECT DISTINCT "{of}", "{column}" FROM books{where}')
        return {(row[of], row[column]) for row in rows}

    def _query(self, table: Table, sql: str) -> list[dict[str, Any]]:
        try:
            held = DeltaTable(self.path(table))
        except TableNotFoundError:
            return []
        return pa.table(QueryBuilder().register("books", held).execute(sql).read_all()).to_pylist()


def literal(value: str | date) -> str:
    """A value as it is written in SQL."""
    if type(value) is date:
        return f"DATE '{value.isoformat()}'"
    if type(value) is str:
        return "'" + value.replace("'", "''") + "'"
    raise TypeError(f"books are searched by texts and dates, not by {value!r}")


def _key(row: Row, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in names)


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow type of a table's rows, instants in UTC."""
    return pa.schema(to_arrow_schema(table.struct, timezone="UTC"))
