from datetime import date, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.transforms.scores import REASONS, customer_forecasts, customer_scores, publication, slice_of
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, SEGMENT_SCORES, USAGE_FORECASTS
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_SCORES
from schemas.metering_points import METERING_POINTS
from tests.frames import frame, rows_of

AS_OF = date(2025, 6, 15)


def customers(spark: SparkSession) -> DataFrame:
    return frame(
        spark,
        CUSTOMERS.struct,
        """
        customer_key | valid_from | supply_start_date | received_at
        full         | 2024-01-01 | 2024-01-01        | 2024-01-01 00:00:00
        half         | 2024-01-01 | 2024-01-01        | 2024-01-01 00:00:00
        poor         | 2024-01-01 | 2024-01-01        | 2024-01-01 00:00:00
        bare         | 2025-06-01 | 2025-06-01        | 2025-06-01 00:00:00
        later        | 2025-06-16 | 2025-06-16        | 2025-06-16 00:00:00
        """,
    )


def days(spark: SparkSession) -> DataFrame:
    drawn = spark.sql(
        "SELECT customer_key, explode(sequence(date_sub(DATE'2025-06-15', n - 1), DATE'2025-06-15')) AS usage_date, "
        "1D AS kwh, 0D AS kwh_valley, 1D AS peak_kw, completeness, estimated_share, sum_check "
        "FROM VALUES ('full', 30, 1D, 0D, 'ok'), ('half', 20, 1D, 0.5D, 'failed'), ('poor', 3, 1D, 0D, 'ok') "
        "AS t(customer_key, n, completeness, estimated_share, sum_check)"
    )
    lacking = [f.name for f in CUSTOMER_DAYS.struct if f.name not in drawn.columns]
    return drawn.select("*", *(F.lit(None).cast(CUSTOMER_DAYS.type_of(n)).alias(n) for n in lacking)).withColumn(
        "available_at", F.to_timestamp("usage_date")
    )


def forecasts(spark: SparkSession) -> DataFrame:
    text = ["customer_key | origin_date | forecast_date | p10_kwh | p50_kwh | p90_kwh | sufficiency | model_version"]
    kinds = (("full", "sufficient", 16), ("half", "partial", 14), ("poor", "not_enough_data", 14))
    for key, sufficiency, ahead in kinds:
        for day in range(1, ahead + 1):
            at = AS_OF + timedelta(days=day)
            text.append(f"{key} | {AS_OF} | {at} | 0.1 | 0.2 | 0.3 | {sufficiency} | usage_forecast/3")
    text.append("full | 2025-06-14 | 2025-06-16 | 9 | 9 | 9 | sufficient | usage_forecast/2")
    return frame(spark, USAGE_FORECASTS.struct, "\n".join(text))


def segments(spark: SparkSession) -> DataFrame:
    return frame(
        spark,
        SEGMENT_SCORES.struct,
        """
        customer_key | as_of_date | segment_id | segment_name | sufficiency     | model_version
        full         | 2025-06-15 | 2          | Night users  | sufficient      | segments/1
        poor         | 2025-06-15 |            |              | not_enough_data | segments/1
        half         | 2025-06-14 | 1          | Day users    | sufficient      | segments/1
        """,
    )


def scored(spark: SparkSession, *, champions: bool = True) -> DataFrame:
    made = segments(spark), forecasts(spark)
    by_segment, by_forecast = made if champions else (frame.limit(0) for frame in made)
    return customer_scores(
        AS_OF,
        customers=customers(spark),
        points=frame(
            spark,
            METERING_POINTS.struct,
            """
            point_id | installed_from | meter_id | customer_key
            p1       | 2024-01-01     | m1       | full
            p2       | 2024-01-01     | m2       | half
            p3       | 2025-06-13     | m3       | poor
            """,
        ),
        days=days(spark),
        segments=by_segment,
        forecasts=by_forecast,
        has_segments=champions,
        has_forecasts=champions,
        time_zone="Asia/Shanghai",
    )


@pytest.fixture(scope="module")
def scores(spark: SparkSession) -> DataFrame:
    return scored(spark).cache()


def test_every_customer_known_on_the_date_has_one_row_and_says_how_sure_it_is(scores: DataFrame) -> None:
    assert rows_of(scores, "customer_key", "segment_id", "next_14d_p50_kwh", "sufficiency") == [
        ("bare", None, None, "not_enough_data"),
        ("full", 2, 2.8, "sufficient"),
        ("half", None, 2.8, "partial"),
        ("poor", None, None, "not_enough_data"),
    ]


def test_reasons_say_why(scores: DataFrame) -> None:
    assert {row.customer_key: row.reasons for row in scores.collect()} == {
        "bare": ["NO_SEGMENT", "NO_FORECAST", "NO_METER", "NEW_CUSTOMER"],
        "full": ["SEGMENT_FROM_FULL_HISTORY", "FORECAST_FROM_FULL_HISTORY"],
        "half": [
            "NO_SEGMENT", "FORECAST_FROM_SHORT_HISTORY", "LOW_COMPLETENESS", "HIGH_ESTIMATED_SHARE", "SUM_CHECK_FAILED",
        ],
        "poor": ["NO_SEGMENT", "NO_FORECAST", "FEW_KNOWN_DAYS", "NEW_CUSTOMER"],
    }  # fmt: skip
    assert all(reason in REASONS for row in scores.collect() for reason in row.reasons)


def test_a_missing_champion_is_named_as_the_reason(spark: SparkSession) -> None:
    (full,) = scored(spark, champions=False).where("customer_key = 'full'").collect()
    assert full.sufficiency == "not_enough_data"
    assert full.reasons == ["SEGMENT_CHAMPION_MISSING", "FORECAST_CHAMPION_MISSING"]


def test_scores_are_as_of_the_end_of_the_local_date(scores: DataFrame) -> None:
    names = ("customer_key", "completeness", "scored_at", "data_as_of")
    found = {row[0]: (row[1], str(row[2]), str(row[3])) for row in rows_of(scores, *names)}
    assert found["half"] == (0.666667, "2025-06-15 16:00:00", "2025-06-15 00:00:00")
    assert found["poor"] == (1.0, "2025-06-15 16:00:00", "2025-06-15 00:00:00")
    assert found["bare"] == (0.0, "2025-06-15 16:00:00", "2025-06-01 00:00:00")


def test_only_forecasts_made_on_the_date_are_published(spark: SparkSession) -> None:
    published = customer_forecasts(AS_OF, forecasts(spark), "Asia/Shanghai")
    assert published.columns == CUSTOMER_FORECASTS.column_names
    assert rows_of(published.groupBy("model_version").count(), "model_version", "count") == [("usage_forecast/3", 44)]


def test_a_publication_counts_what_is_in_place_and_what_should_be(spark: SparkSession, scores: DataFrame) -> None:
    mine = slice_of(scores, CUSTOMER_SCORES, AS_OF)
    slices = {"mart.customer_scores": mine, "mart.customer_profiles": mine.limit(0)}
    made = slice_of(forecasts(spark), USAGE_FORECASTS, AS_OF)
    (row,) = publication(AS_OF, slices, made, customers(spark), "Asia/Shanghai").collect()
    assert row.table_rows == {"mart.customer_scores": 4, "mart.customer_profiles": 0}
    assert (row.forecasts_made, row.customers_known) == (44, 4)
    assert row.model_versions == ["segments/1", "usage_forecast/3"]
