"""What has to be written so that a table holds what was made, and nothing of it is written twice."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas import Table


def changed_rows(made: DataFrame, held: DataFrame, table: Table) -> DataFrame:
    """Rows of `made` which are not held, or held with other values."""
    said = F.xxhash64(*(F.col(name).cast(table.type_of(name)) for name in table.column_names))
    before = held.select(*table.key, said.alias("said_before"))
    return made.join(before, list(table.key), "left").where(~said.eqNullSafe(F.col("said_before"))).drop("said_before")


def differences(made: DataFrame, held: DataFrame, table: Table) -> DataFrame:
    """Rows of `made` which are not held, or held with other values, and keys of `held` which are not made any more.

    With `keep`, true for the former. `held` are the rows which could have been made now.
    """
    key = list(table.key)
    changed = changed_rows(made, held, table)
    gone = held.select(*key).join(made.select(*key), key, "left_anti")
    return changed.withColumn("keep", F.lit(True)).unionByName(gone.withColumn("keep", F.lit(False)), True)
