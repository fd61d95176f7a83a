"""To whom a meter belongs on a date, and on which terms."""

from datetime import date

from pyspark.sql import SparkSession

from jobs.transforms.changes import Facts
from jobs.transforms.day_context import connections, with_connection
from schemas import Table
from schemas.customers import CUSTOMERS
from schemas.metering_points import METERING_POINTS
from tests.frames import frame

DRAWN = {
    METERING_POINTS.name: """
        point_id | installed_from | installed_to | meter_id | customer_key | multiplier | feeder_id
        p1       | 2024-01-01     | 2025-06-05   | m1       | c1           | 10         | F1
        p2       | 2025-06-05     |              | m1       | c2           | 20         | F2
        """,
    CUSTOMERS.name: """
        customer_key | valid_from | usage_class        | contract_capacity_kva
        c1           | 2025-06-03 | general_commercial | 50
        c1           | 2025-06-01 | residential        | 8
        c2           | 2025-06-09 | agricultural       | 20
        """,
}


def test_a_meter_has_the_connection_and_the_terms_of_its_date(spark: SparkSession) -> None:
    def read(table: Table) -> object:
        return frame(spark, table.struct, DRAWN.get(table.name, table.key[0]))

    facts = Facts.of(read, "Asia/Shanghai")  # type: ignore[arg-type]
    days = [
        ("m1", date(2025, 5, 31)),
        *(("m1", date(2025, 6, day)) for day in (2, 3, 4, 5, 9)),
        ("m2", date(2025, 6, 2)),
    ]
    given = spark.createDataFrame(days, "meter_id string, read_date date")
    rows = with_connection(given, connections(facts)).collect()
    assert {
        (r.meter_id, r.read_date.day): (r.multiplier, r.feeder_id, r.capacity_kva, r.usage_class) for r in rows
    } == {
        # the first terms which are known also hold before them
        ("m1", 31): (10.0, "F1", 8.0, "residential"),
        ("m1", 2): (10.0, "F1", 8.0, "residential"),
        ("m1", 3): (10.0, "F1", 50.0, "general_commercial"),
        ("m1", 4): (10.0, "F1", 50.0, "general_commercial"),
        ("m1", 5): (20.0, "F2", 20.0, "agricultural"),
        ("m1", 9): (20.0, "F2", 20.0, "agricultural"),
        ("m2", 2): (1.0, None, None, None),
    }
