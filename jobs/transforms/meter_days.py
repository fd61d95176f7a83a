"""What the rules of meter days and channel days need to know beside the curve itself."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def with_installation(rows: DataFrame, points: DataFrame) -> DataFrame:
    """Grain of `rows`: adds is_known_meter and is_installed (on read_date).

    A meter that changed places has several installations, of which any may hold: they are looked for and not joined, so
    that a row stays one row.
    """
    if "channel" not in rows.columns:
        # a source with one channel does not name it
        rows = rows.withColumn("channel", F.lit("import"))
    # a name without its frame would be looked for among the points first
    rows = rows.alias("of_rows")
    of_meter = points.where(F.col("meter_id") == F.col("of_rows.meter_id").outer())
    read_date, until = F.col("of_rows.read_date").outer(), F.col("installed_to")
    holds = (F.col("installed_from") <= read_date) & (until.isNull() | (read_date < until))
    return rows.withColumns({"is_known_meter": of_meter.exists(), "is_installed": of_meter.where(holds).exists()})
