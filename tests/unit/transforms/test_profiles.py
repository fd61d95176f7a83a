from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.transforms.profiles import customer_profiles
from schemas.complaints import COMPLAINTS
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, CUSTOMER_MONTHS
from schemas.metering_points import METERING_POINTS
from schemas.reference import TARIFFS
from tests.frames import frame, rows_of

AS_OF = date(2025, 6, 15)


@pytest.fixture(scope="module")
def profiles(spark: SparkSession) -> DataFrame:
    return customer_profiles(
        AS_OF,
        customers=frame(
            spark,
            CUSTOMERS.struct,
            """
            customer_key | valid_from | usage_class | tariff_code
            c1           | 2024-01-01 | residential | TIERED
            c1           | 2025-06-16 | residential | LATER
            idle         | 2025-06-15 | residential | FLAT
            later        | 2025-06-16 | residential | FLAT
            """,
        ),
        points=frame(
            spark,
            METERING_POINTS.struct,
            """
            point_id | installed_from | installed_to | meter_id | customer_key | county | prefecture
            p1       | 2024-01-01     |              | m1       | c1           | Hill   | North
            p2       | 2024-01-01     | 2025-06-15   | m2       | c1           | Bay    | East
            """,
        ),
        days=frame(
            spark,
            CUSTOMER_DAYS.struct,
            """
            customer_key | usage_date | kwh  | kwh_valley | peak_kw | completeness | estimated_share | sum_check
            c1           | 2024-06-15 | 1000 | 0          | 9       | 1            | 0               | ok
            c1           | 2024-06-16 | 1    | 0          | 9       | 1            | 0               | ok
            c1           | 2025-05-16 | 2    | 0          | 9       | 1            | 0               | ok
            c1           | 2025-05-17 | 10   | 1          | 5       | 1            | 0.5             | ok
            c1           | 2025-06-15 | 30   | 1          | 7       | 0.5          | 0               | ok
            c1           | 2025-06-16 | 99   | 9          | 99      | 1            | 0               | ok
            """,
        ),
        months=frame(
            spark,
            CUSTOMER_MONTHS.struct,
            """
            customer_key | month   | kwh  | bill_yuan | unpaid_yuan | due_date
            c1           | 2024-05 | 5000 | 7         | 7           | 2024-07-01
            c1           | 2024-06 | 1001 | 8         | 0           |
            c1           | 2024-07 | 100  | 10        | 0           |
            c1           | 2024-12 | 500  | 20        | 0           |
            c1           | 2025-01 | 1000 | 30        | 5           | 2025-06-14
            c1           | 2025-05 | 200  | 40        | 40          | 2025-06-15
            c1           | 2025-06 | 129  |           |             |
            """,
        ),
        complaints=frame(
            spark,
            COMPLAINTS.struct,
            """
            work_order_id | customer_key | category     | accepted_at
            w0            | c1           | praise       | 2023-01-01 00:00:00
            w1            | c1           | complaint    | 2025-01-01 00:00:00
            w2            | c1           | fault_repair | 2025-06-15 15:59:59
            w3            | c1           | enquiry      | 2025-06-15 16:00:00
            """,
        ),
        tariffs=frame(
            spark,
            TARIFFS.struct,
            """
            tariff_code | valid_from | line_no | tariff_kind | tier_from_kwh
            TIERED      | 2023-01-01 | 1       | tiered      |
            TIERED      | 2023-01-01 | 2       | tiered      | 1
            TIERED      | 2024-01-01 | 1       | tiered      |
            TIERED      | 2024-01-01 | 2       | tiered      | 1200
            TIERED      | 2024-01-01 | 3       | tiered      | 2000
            FLAT        | 2024-01-01 | 1       | flat        |
            """,
        ),
        time_zone="Asia/Shanghai",
    ).cache()


def of(profiles: DataFrame, customer: str, *names: str) -> tuple[object, ...]:
    (row,) = rows_of(profiles.where(f"customer_key = '{customer}'"), *names)
    return row


def test_every_customer_known_on_the_date_has_one_row(profiles: DataFrame) -> None:
    assert rows_of(profiles, "customer_key", "tariff_code") == [("c1", "TIERED"), ("idle", "FLAT")]


def test_energy_is_that_of_exactly_the_days_in_the_window(profiles: DataFrame) -> None:
    # the year runs from 16 June 2024; May's own days count for the month and not twice
    assert of(profiles, "c1", "kwh_30d", "peak_kw_30d") == (40.0, 7.0)
    assert of(profiles, "c1", "kwh_365d") == (1 + 100 + 500 + 1000 + 200 + 30,)
    assert of(profiles, "c1", "kwh_year_to_date") == (1000 + 200 + 30,)


def test_dates_without_a_reading_count_as_not_known(profiles: DataFrame) -> None:
    assert of(profiles, "c1", "completeness_30d", "estimated_share_30d", "valley_share_30d") == (0.05, 0.016667, 0.05)


def test_arrears_are_what_is_past_its_due_date(profiles: DataFrame) -> None:
    assert of(profiles, "c1", "arrears_yuan", "bill_yuan_12m") == (Decimal(12), Decimal(100))


def test_the_step_of_the_tiered_price_follows_the_energy_of_the_year(profiles: DataFrame) -> None:
    assert of(profiles, "c1", "tier_no") == (2,)
    assert of(profiles, "idle", "tier_no") == (None,)


def test_contacts_are_those_of_a_year_up_to_the_end_of_the_local_date(profiles: DataFrame) -> None:
    names = ("contact_count_12m", "complaint_count_12m", "last_contact_category")
    assert of(profiles, "c1", *names) == (2, 1, "fault_repair")


def test_place_and_meters_are_those_of_the_date(profiles: DataFrame) -> None:
    assert of(profiles, "c1", "prefecture", "county", "meter_count") == ("North", "Hill", 1)


def test_who_has_no_data_is_there_with_nothing(profiles: DataFrame) -> None:
    names = ("kwh_30d", "kwh_365d", "completeness_30d", "arrears_yuan", "contact_count_12m", "meter_count")
    assert of(profiles, "idle", *names) == (None, None, 0.0, Decimal(0), 0, 0)
