# ruff: noqa: E501 - a drawn table is as wide as its row
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.kernels.month_sums import MONTH_SUMS, month_sums
from jobs.transforms.changes import Delivered, Facts, Touched
from jobs.transforms.customer_months import MonthFacts, customer_months, customer_months_touched, months_of
from schemas import Table
from schemas.bills import BILLS, PAYMENTS
from schemas.complaints import COMPLAINTS
from schemas.features import CUSTOMER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.reference import WEATHER_HOURS
from schemas.versions import VERSIONS
from tests.frames import frame, rows_of

KEYS = "customer_key string, month string"

DRAWN = {
    METERING_POINTS.name: """
        point_id | installed_from | meter_id | customer_key | prefecture | received_at
        p1       | 2024-01-01     | m1       | c1           | North      | 2024-01-01 00:00:00
        p2       | 2025-06-21     | m2       | new          | North      | 2025-06-21 00:00:00
        """,
    CUSTOMER_DAYS.name: """
        customer_key | usage_date | kwh | kwh_peak | peak_kw | completeness | estimated_share | sum_check | available_at
        c1           | 2025-06-01 | 1.1 | 0.1      | 2       | 1            | 0.5             | ok        | 2025-06-02 00:00:00
        c1           | 2025-06-02 | 2.2 | 0.2      | 3       | 0.5          | 0               | failed    | 2025-06-09 00:00:00
        c1           | 2025-06-03 |     |          |         | 0            | 0               | failed    | 2025-06-04 00:00:00
        c1           | 2025-07-01 | 9   | 9        | 9       | 1            | 0               | ok        | 2025-07-02 00:00:00
        new          | 2025-06-21 | 5   | 5        | 5       | 1            | 0               | ok        | 2025-06-22 00:00:00
        """,
    BILLS.name: """
        bill_id | bill_version | customer_key | bill_month | status    | read_kind | total_kwh | total_yuan | due_date   | issued_at           | received_at         | delivery_id
        b1      | 1            | c1           | 2025-06    | issued    | estimated | 100       | 50         | 2025-07-20 | 2025-07-01 00:00:00 | 2025-07-01 00:00:00 | old
        b1      | 2            | c1           | 2025-06    | issued    | actual    | 120       | 60         | 2025-07-25 | 2025-07-01 00:00:00 | 2025-07-08 00:00:00 | again
        b2      | 1            | c1           | 2025-06    | issued    | actual    | 10        | 5          | 2025-07-20 | 2025-07-01 00:00:00 | 2025-07-01 00:00:00 | old
        b3      | 1            | c2           | 2025-06    | issued    | actual    | 10        | 5          | 2025-07-20 | 2025-07-01 00:00:00 | 2025-07-01 00:00:00 | old
        b4      | 1            | c8           | 2025-04    | issued    | actual    | 10        | 5          | 2025-07-20 | 2025-07-01 00:00:00 | 2025-07-10 00:00:00 | moved
        b3      | 2            | c2           | 2025-06    | cancelled | actual    | 10        | 5          | 2025-07-20 | 2025-07-01 00:00:00 | 2025-07-09 00:00:00 | cancelled
        """,
    PAYMENTS.name: """
        payment_id | bill_id | customer_key | paid_at             | amount_yuan | received_at         | delivery_id
        y1         | b1      | c1           | 2025-08-02 00:00:00 | 20          | 2025-08-03 00:00:00 | paid
        y2         | b2      | c1           | 2025-07-11 00:00:00 | 7           | 2025-07-12 00:00:00 | old
        y3         | b2      | c1           | 2025-07-11 00:00:00 | 0           | 2025-08-04 00:00:00 | of another bill
        """,
    VERSIONS[BILLS.name].name: """
        bill_id | bill_version | customer_key | bill_month | received_at         | delivery_id | replaced_by
        b4      | 1            | c9           | 2025-05    | 2025-07-01 00:00:00 | wrong       | moved
        """,
    VERSIONS[PAYMENTS.name].name: """
        payment_id | bill_id | customer_key | received_at         | delivery_id | replaced_by
        y3         | b3      | c2           | 2025-08-03 00:00:00 | wrong       | of another bill
        """,
    VERSIONS[COMPLAINTS.name].name: """
        work_order_id | customer_key | accepted_at         | received_at         | delivery_id | replaced_by
        w4            | c1           | 2025-05-30 16:00:00 | 2025-06-02 00:00:00 | wrong       | of another customer
        """,
    COMPLAINTS.name: """
        work_order_id | customer_key | category     | accepted_at         | satisfaction | received_at         | delivery_id
        w1            | c1           | complaint    | 2025-05-31 16:00:00 | 1            | 2025-06-02 00:00:00 | called
        w2            | c1           | fault_repair | 2025-06-30 15:59:59 | 4            | 2025-07-02 00:00:00 | old
        w3            | c1           | enquiry      | 2025-06-30 16:00:00 |              | 2025-07-02 00:00:00 | old
        """,
    WEATHER_HOURS.name: """
        place | hour_at             | temperature_c | received_at
        North | 2025-06-01 00:00:00 | 30            | 2025-06-02 00:00:00
        North | 2025-06-02 00:00:00 | 10            | 2025-06-03 00:00:00
        North | 2025-06-02 01:00:00 | 20            | 2025-06-03 00:00:00
        North | 2025-06-03 00:00:00 | 20            | 2025-06-04 00:00:00
        """,
}


def _reader(spark: SparkSession) -> Callable[[Table], DataFrame]:
    return lambda table: frame(spark, table.struct, DRAWN.get(table.name, table.key[0]))


@pytest.fixture(scope="module")
def facts(spark: SparkSession) -> MonthFacts:
    return MonthFacts.of(_reader(spark), "Asia/Shanghai")


@pytest.fixture(scope="module")
def months(spark: SparkSession, facts: MonthFacts) -> DataFrame:
    keys = spark.createDataFrame([("c1", "2025-06"), ("c2", "2025-06"), ("new", "2025-06")], KEYS)
    return customer_months(keys, facts.of_months(months_of(keys)), month_sums, MONTH_SUMS).cache()


def test_a_month_adds_up_its_days_and_expects_all_dates_with_a_meter(months: DataFrame) -> None:
    usage = months.where("customer_key <> 'c2'")
    names = ("customer_key", "days_known", "kwh", "kwh_peak", "peak_kw", "completeness", "estimated_share")
    assert rows_of(usage, *names, "sum_check_failed_days") == [
        ("c1", 2, 3.3, 0.3, 3.0, 0.05, 0.016667, 2),
        ("new", 1, 5.0, 5.0, 5.0, 0.1, 0.0, 0),
    ]


def test_the_highest_version_of_a_bill_holds_and_overpaying_one_does_not_pay_another(months: DataFrame) -> None:
    names = ("bill_count", "bill_kwh", "bill_yuan", "is_estimated_bill", "paid_yuan", "unpaid_yuan", "days_to_pay")
    assert rows_of(months.where("customer_key = 'c1'"), *names) == [
        (2, 130.0, Decimal(65), False, Decimal(27), Decimal(40), 10.0)
    ]
    assert str(months.where("customer_key = 'c1'").first()["due_date"]) == "2025-07-25"  # type: ignore[index]


def test_a_cancelled_bill_is_owed_by_nobody_and_yet_a_fact(months: DataFrame) -> None:
    (row,) = months.where("customer_key = 'c2'").collect()
    assert (row.bill_count, row.bill_yuan, row.unpaid_yuan, str(row.available_at)) == (
        0,
        None,
        None,
        "2025-07-09 00:00:00",
    )


def test_work_orders_belong_to_the_local_month_of_their_acceptance(months: DataFrame) -> None:
    names = ("complaint_count", "fault_repair_count", "enquiry_count", "contact_count", "satisfaction_mean")
    assert rows_of(months.where("customer_key = 'c1'"), *names) == [(1, 1, 0, 2, 2.5)]


def test_degree_days_come_from_daily_means(months: DataFrame) -> None:
    # 30 and (10 + 20) / 2 degrees, and a mild day
    assert rows_of(months.where("customer_key = 'c1'"), "cooling_degree_days", "heating_degree_days") == [(4.0, 3.0)]


@pytest.mark.parametrize(
    ("feed", "delivery", "expected"),
    [
        ("payments", "paid", [("c1", "2025-06")]),
        ("bills", "cancelled", [("c2", "2025-06")]),
        ("complaints", "called", [("c1", "2025-06")]),
        # what a correction took away from a customer or a month changes those as well
        ("bills", "moved", [("c8", "2025-04"), ("c9", "2025-05")]),
        ("payments", "of another bill", [("c1", "2025-06"), ("c2", "2025-06")]),
        ("complaints", "of another customer", [("c1", "2025-05")]),
    ],
)
def test_a_delivery_touches_the_month_it_belongs_to(
    spark: SparkSession, facts: MonthFacts, feed: str, delivery: str, expected: list[tuple[str, str]]
) -> None:
    day_facts = Facts.of(_reader(spark), "Asia/Shanghai")
    touched = Touched({feed: Delivered((delivery,))})
    keys = customer_months_touched(touched, facts, day_facts, date(2025, 8, 31))
    assert rows_of(keys, "customer_key", "month") == expected
