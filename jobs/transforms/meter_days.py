"""What the rules of meter days need to know beside the curve itself."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_HOLDS = "{0}installed_from <= read_date AND ({0}installed_to IS NULL OR read_date < {0}installed_to)"


def moved_meters(points: DataFrame) -> DataFrame:
    """Meters that were installed more than once, each with all its `installations`; few of all."""
    moved = points.groupBy("meter_id").count().where("count > 1").select("meter_id")
    # found by counting first: lists of all meters cost more than reading the points twice
    return (
        points.join(moved, "meter_id", "left_semi")
        .groupBy("meter_id")
        .agg(F.collect_list(F.struct("installed_from", "installed_to")).alias("installations"))
    )


def with_installation(rows: DataFrame, points: DataFrame, moved: DataFrame) -> DataFrame:
    """Grain of `rows`: adds is_known_meter and is_installed (on read_date). `moved` is of `moved_meters`."""
    if "channel" not in rows.columns:
        # a source with one channel does not name it
        rows = rows.withColumn("channel", F.lit("import"))
    settled = (
        points.select("meter_id", "installed_from", "installed_to")
        .join(moved.select("meter_id"), "meter_id", "left_anti")
        .withColumn("is_settled", F.lit(True))
    )
    is_held = f"CASE WHEN is_settled THEN {_HOLDS.format('')} ELSE exists(installations, i -> {_HOLDS.format('i.')}) END"
    return (
        rows.join(settled, "meter_id", "left")
        .join(moved, "meter_id", "left")
        .withColumns(
            {
                "is_known_meter": F.expr("is_settled IS NOT NULL OR installations IS NOT NULL"),
                "is_installed": F.expr(f"coalesce({is_held}, false)"),
            }
        )
        .drop("installed_from", "installed_to", "is_settled", "installations")
    )
