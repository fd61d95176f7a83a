"""Test data drawn as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, BooleanType, DataType, StringType, StructField, StructType


def frame(spark: SparkSession, schema: StructType, text: str) -> DataFrame:
    """A frame of the schema from a table drawn as text: `|` between cells, the first line names the columns."""
    names, *cells = ([cell.strip() for cell in line.split("|")] for line in text.strip().splitlines())
    return typed(spark, schema, names, cells)


def typed(spark: SparkSession, schema: StructType, names: Sequence[str], cells: Sequence[Sequence[str]]) -> DataFrame:
    """A frame of the schema from cells of text.

    An empty cell is null, as is a column which is not named. An array is written `1 2 -` with `-` for null in it, and
    values which repeat as `0.25*96`.
    """
    unknown = set(names) - set(schema.fieldNames())
    if unknown:
        raise ValueError(f"columns which the schema does not have: {sorted(unknown)}")
    drawn = StructType([StructField(name, StringType()) for name in names])
    raw = spark.createDataFrame([[cell or None for cell in row] for row in cells], drawn)
    return raw.selectExpr(*(_cell(f.name, f.dataType, names) for f in schema.fields))


def _cell(name: str, kind: DataType, drawn: Sequence[str]) -> str:
    sql = kind.simpleString()
    if name not in drawn:
        return f"CAST(NULL AS {sql}) AS `{name}`"
    if isinstance(kind, ArrayType):
        repeats = "CAST(coalesce(get(split(p, '[*]'), 1), '1') AS INT)"
        pieces = f"flatten(transform(split(`{name}`, ' +'), p -> array_repeat(split(p, '[*]')[0], {repeats})))"
        return f"transform({pieces}, v -> CAST(nullif(v, '-') AS {kind.elementType.simpleString()})) AS `{name}`"
    if isinstance(kind, BooleanType):
        return f"`{name}` = 'yes' AS `{name}`"
    return f"CAST(`{name}` AS {sql}) AS `{name}`"


def rows_like(
    spark: SparkSession, kinds: Mapping[str, str], good: Mapping[str, str], changed: Mapping[str, Mapping[str, str]]
) -> DataFrame:
    """A row for each name of `changed`, as row_name: the good row with some columns changed; values are SQL."""
    selects = []
    for name, changes in changed.items():
        values = {**good, **changes}
        cells = (f"CAST({values.get(column, 'NULL')} AS {kind}) AS `{column}`" for column, kind in kinds.items())
        selects.append(f"SELECT '{name}' AS row_name, {', '.join(cells)}")
    return spark.sql(" UNION ALL ".join(selects))


def rows_of(frame: DataFrame, *names: str) -> list[tuple[Any, ...]]:
    """The rows of some columns, in the order of their text."""
    return sorted((tuple(row) for row in frame.select(*names).collect()), key=str)
