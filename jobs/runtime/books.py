"""The books of the suite (layer `ops`): small append-only tables, written and read without Spark.

Kept by delta-rs, so that a job which finds nothing new needs no Spark session to know it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyspark.sql.pandas.types import to_arrow_schema

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

    def append(self, table: Table, rows: Sequence[Row]) -> None:
        """Append rows whose key is not there yet; rows already there (a retry) are left out."""
        new = self._not_there(table, rows)
        if not new:
            return
        schema = arrow_schema(table)
        data = pa.Table.from_pylist([{n: row.get(n) for n in schema.names} for row in new], schema=schema)
        path = self.path(table)
        path.parent.mkdir(parents=True, exist_ok=True)
        # a column that was declared after the table had been made is added to it
        write_deltalake(path, data, mode="append", description=table.comment, name=table.name, schema_mode="merge")

    def read(self, table: Table, **equal: Any) -> list[dict[str, Any]]:
        """Rows whose columns equal the given values; none when the table is not there yet."""
        try:
            data = DeltaTable(self.path(table)).to_pyarrow_table(
                filters=[(k, "=", v) for k, v in equal.items()] or None
            )
        except TableNotFoundError:
            return []
        return data.to_pylist()

    def values(self, table: Table, column: str, **equal: Any) -> set[Any]:
        """Distinct values of one column."""
        return {row[column] for row in self.read(table, **equal)}

    def _not_there(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        if not rows:
            return []
        try:
            held = DeltaTable(self.path(table)).to_pyarrow_dataset()
        except TableNotFoundError:
            return list(rows)
        anchor = table.key[0]
        wanted = list({row[anchor] for row in rows})
        known = held.to_table(columns=list(table.key), filter=pc.field(anchor).isin(wanted)).to_pylist()
        keys = {_key(row, table.key) for row in known}
        return [row for row in rows if _key(row, table.key) not in keys]


def _key(row: Row, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in names)


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow type of a table's rows, instants in UTC."""
    return pa.schema(to_arrow_schema(table.struct, timezone="UTC"))
