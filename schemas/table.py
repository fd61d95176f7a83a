"""What a table is: its columns, key, meaning, and how it is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pyspark.sql.types import DataType, StructField, StructType

WriteMethod = Literal["upsert", "append", "replace"]


@dataclass(frozen=True)
class Column:
    """One column: its name, type and meaning (unit, allowed values, the Chinese term where there is one)."""

    name: str
    type: DataType
    comment: str


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    `name` is `layer.noun_plural`, which is also the folder under the lake's root. `key` identifies a row. `write` says
    how rows get in: *upsert* (keyed merge, the later received wins), *append* (idempotent by delivery) or *replace*
    (the slice of the run's date, atomically). `deletion_vectors` is for tables of which few rows of large files change:
    a scan of such a table lists all its files, and readers without them cannot read it.
    """

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    write: WriteMethod
    partitioned_by: tuple[str, ...] = ()
    deletion_vectors: bool = False

    @property
    def layer(self) -> str:
        """The folder under the lake's root."""
        return self.name.split(".")[0]

    @property
    def noun(self) -> str:
        """The table's own name, without its layer."""
        return self.name.split(".")[1]

    @property
    def column_names(self) -> list[str]:
        """Names in the order in which they are stored."""
        return [column.name for column in self.columns]

    @property
    def struct(self) -> StructType:
        """The Spark type of a row; every field may be null, because null-ness is a rule and not a type."""
        return StructType(list(self._fields()))

    def _fields(self) -> Iterator[StructField]:
        for column in self.columns:
            yield StructField(column.name, column.type, nullable=True, metadata={"comment": column.comment})

    def type_of(self, name: str) -> DataType:
        """The type of one column; KeyError where there is none of that name."""
        return self.struct[name].dataType
