"""Segments of the slice before, which hold a customer in its place."""

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.transforms.segment_history import segments_before
from schemas.features import SEGMENT_SCORES
from tests.frames import frame, rows_of


@pytest.fixture(scope="module")
def scores(spark: SparkSession) -> DataFrame:
    return frame(
        spark,
        SEGMENT_SCORES.struct,
        """
        customer_key | as_of_date | segment_id | model_version
        a            | 2025-06-14 | 3          | segments/1
        a            | 2025-06-15 | 1          | segments/1
        b            | 2025-06-15 |            | segments/1
        a            | 2025-06-16 | 2          | segments/2
        """,
    )


def test_customers_are_held_where_the_slice_of_the_date_has_them(scores: DataFrame) -> None:
    held = segments_before(scores, date(2025, 6, 15), "segments/1")
    assert rows_of(held, "customer_key", "held_segment_id") == [("a", 1), ("b", None)]


def test_ids_of_another_model_hold_nobody(scores: DataFrame) -> None:
    assert segments_before(scores, date(2025, 6, 16), "segments/1").count() == 0


def test_without_an_earlier_slice_nobody_is_held(scores: DataFrame) -> None:
    assert segments_before(scores, None, "segments/1").count() == 0
