"""What the rules of meter days need to know beside the curve itself."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window


def with_installation(rows: DataFrame, points: DataFrame, customers: DataFrame) -> DataFrame:
    """Grain of `rows`: adds is_known_meter, is_installed (on read_date), multiplier, capacity_kva of the customer.

    A meter that changed places has several installations; the one that holds on the date counts, and where two do
    (master data corrected by a row that overlaps) the one that began later.
    """
    by_customer = Window.partitionBy("customer_key").orderBy(F.desc("valid_from"))
    capacity = (
        customers.withColumn("rank", F.row_number().over(by_customer))
        .where("rank = 1")
        .select("customer_key", F.col("contract_capacity_kva").alias("capacity_kva"))
    )
    installation = F.struct("installed_from", "installed_to", "multiplier", "capacity_kva")
    by_meter = (
        points.join(capacity, "customer_key", "left")
        .groupBy("meter_id")
        .agg(F.sort_array(F.collect_list(installation), asc=False).alias("installations"))
    )
    if "channel" not in rows.columns:
        # a source with one channel does not name it
        rows = rows.withColumn("channel", F.lit("import"))
    held = (
        "filter(installations, i -> i.installed_from <= read_date "
        "AND (i.installed_to IS NULL OR read_date < i.installed_to))"
    )
    return (
        rows.join(by_meter, "meter_id", "left")
        .withColumn("installation", F.expr(f"get({held}, 0)"))
        .withColumns(
            {
                "is_known_meter": F.col("installations").isNotNull(),
                "is_installed": F.col("installation").isNotNull(),
                "multiplier": F.coalesce("installation.multiplier", F.lit(1.0)),
                "capacity_kva": F.col("installation.capacity_kva"),
            }
        )
        .drop("installations", "installation")
    )
