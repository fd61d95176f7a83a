"""Test data drawn as text."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, BooleanType, DataType, StringType, StructField, StructType


def frame(spark: SparkSession, schema: StructType, text: str) -> DataFrame:
    """A frame of the schema from a table drawn as text: `|` between cells, the first line names the columns.

    An empty cell is null, as is a column which is not drawn. An array is written `1 2 3 -` with `-` for null inside,
    and repeats as `0.25*96`.
    """
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    names, rows = lines[0], lines[1:]
    drawn = StructType([StructField(name, StringType()) for name in names])
    raw = spark.createDataFrame([[cell or None for cell in row] for row in rows], drawn)
    return raw.selectExpr(*(_cell(f.name, f.dataType, names) for f in schema.fields))


def _cell(name: str, kind: DataType, drawn: list[str]) -> str:
    sql = kind.simpleString()
    if name not in drawn:
        return f"CAST(NULL AS {sql}) AS `{name}`"
    if isinstance(kind, ArrayType):
        element = kind.elementType.simpleString()
        pieces = f"flatten(transform(split(`{name}`, ' +'), p -> array_repeat(split(p, '[*]')[0], " \
                 f"CAST(coalesce(get(split(p, '[*]'), 1), '1') AS INT))))"
        return f"transform({pieces}, v -> CAST(nullif(v, '-') AS {element})) AS `{name}`"
    if isinstance(kind, BooleanType):
        return f"CAST(`{name}` IN ('yes', 'true') AS BOOLEAN) AS `{name}`"
    return f"CAST(`{name}` AS {sql}) AS `{name}`"


def rows(frame: DataFrame, *names: str) -> list[tuple[Any, ...]]:
    """The rows of some columns, sorted."""
    return sorted((tuple(row) for row in frame.select(*names).collect()), key=str)
