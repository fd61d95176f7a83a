"""Frames which the models are given."""

from datetime import date

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.types import BooleanType, DateType, LongType, StringType, StructField, StructType

from jobs.transforms.model_frames import in_chunks, in_periods
from tests.frames import frame, rows_of

DAYS = StructType([StructField("unique_id", StringType()), StructField("ds", DateType())])
COUNTS = StructType(
    [StructField("unique_id", StringType()), StructField("is_after", BooleanType()), StructField("days", LongType())]
)


def days_each(chunk: pd.DataFrame) -> pd.DataFrame:
    """Days of each customer, said to be of the period of the chunk's first row."""
    counted = chunk.groupby("unique_id", as_index=False).agg(days=("ds", "size"))
    return counted.assign(is_after=bool(chunk["is_after"].iloc[0]))


def test_the_days_to_fit_on_and_the_days_to_judge_by_never_share_a_chunk(spark: SparkSession) -> None:
    days = frame(
        spark,
        DAYS,
        """
        unique_id | ds
        a         | 2025-06-13
        a         | 2025-06-14
        a         | 2025-06-15
        b         | 2025-06-14
        c         | 2025-06-15
        c         | 2025-06-16
        """,
    )
    made = in_chunks(in_periods(days, date(2025, 6, 14)), 3, days_each, COUNTS, "is_after")
    assert rows_of(made, "unique_id", "is_after", "days") == [
        ("a", False, 2),
        ("a", True, 1),
        ("b", False, 1),
        ("c", True, 2),
    ]
