"""In which segment customers were before."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def segments_before(scores: DataFrame, as_of: date, model_version: str) -> DataFrame:
    """One row per customer of the latest slice before the date made by the same model: customer_key, held_segment_id.

    Ids of another model version mean other segments, and say nothing.
    """
    earlier = scores.where((F.col("as_of_date") < F.lit(as_of)) & (F.col("model_version") == model_version))
    latest = earlier.agg(F.max("as_of_date").alias("as_of_date"))
    return earlier.join(latest, "as_of_date").select("customer_key", F.col("segment_id").alias("held_segment_id"))
