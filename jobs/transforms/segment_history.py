"""In which segment customers were before."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def segments_before(scores: DataFrame, as_of: date | None, model_version: str) -> DataFrame:
    """One row per customer of the slice of a date, if the same model made it: customer_key, held_segment_id.

    Ids of another model version mean other segments, and say nothing. No date: no row.
    """
    # an equality with a literal reads the files of that one slice, however many there are
    return scores.where((F.col("as_of_date") == F.lit(as_of)) & (F.col("model_version") == model_version)).select(
        "customer_key", F.col("segment_id").alias("held_segment_id")
    )
