from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.transforms.metering import customers_on, holds_on, meter_periods
from schemas.customers import CUSTOMERS
from schemas.metering_points import METERING_POINTS
from tests.frames import frame, rows_of


def test_a_meter_counts_where_it_is_installed_and_nowhere_else(spark: SparkSession) -> None:
    points = frame(
        spark,
        METERING_POINTS.struct,
        """
        point_id | installed_from | installed_to | meter_id | customer_key
        swapped  | 2025-01-01     |              | a        | c1
        swapped  | 2025-06-10     |              | b        | c1
        moved    | 2025-01-01     |              | m        | c2
        moved    | 2025-06-10     |              | m        | c3
        gone     | 2025-01-01     | 2025-06-10   | g        | c4
        from     | 2025-01-01     |              | w        | c5
        to       | 2025-06-10     |              | w        | c6
        """,
    )
    days = spark.createDataFrame([(date(2025, 6, 9),), (date(2025, 6, 10),), (date(2025, 6, 11),)], "day date")
    held = meter_periods(points).crossJoin(days).where(holds_on(F.col("day"))).withColumn("d", F.dayofmonth("day"))
    assert sorted(rows_of(held, "customer_key", "meter_id", "d")) == [
        ("c1", "a", 9),
        ("c1", "a", 10),  # what the outgoing meter measured on the date of the swap still counts
        ("c1", "b", 10),
        ("c1", "b", 11),
        ("c2", "m", 9),
        ("c3", "m", 10),
        ("c3", "m", 11),
        ("c4", "g", 9),
        ("c5", "w", 9),
        ("c6", "w", 10),
        ("c6", "w", 11),
    ]


def test_the_meter_of_a_district_and_another_channel_count_for_no_customer(spark: SparkSession) -> None:
    points = frame(
        spark,
        METERING_POINTS.struct,
        """
        point_id | installed_from | meter_id | customer_key | point_kind
        home     | 2025-01-01     | a        | c1           | customer
        unsaid   | 2025-01-01     | b        | c2           |
        bare     | 2025-01-01     | d        |              | district
        of_grid  | 2025-01-01     | e        | grid         | district
        roof     | 2025-01-01     | a-B1     | c1           | channel
        """,
    )
    assert rows_of(meter_periods(points), "customer_key", "meter_id") == [("c1", "a"), ("c2", "b")]


def test_the_latest_row_up_to_the_date_holds(spark: SparkSession) -> None:
    customers = frame(
        spark,
        CUSTOMERS.struct,
        """
        customer_key | valid_from | tariff_code
        c1           | 2025-01-01 | OLD
        c1           | 2025-06-01 | NEW
        c1           | 2025-07-01 | LATER
        c2           | 2025-07-01 | LATER
        """,
    )
    assert rows_of(customers_on(date(2025, 6, 1), customers), "customer_key", "tariff_code") == [("c1", "NEW")]
