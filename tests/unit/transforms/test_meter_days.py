"""Where meters are installed on a date."""

from pyspark.sql import SparkSession
from pyspark.sql.types import DateType, StringType, StructType

from jobs.transforms.meter_days import with_installation
from tests.frames import frame

POINTS = StructType().add("meter_id", StringType()).add("installed_from", DateType()).add("installed_to", DateType())
ROWS = StructType().add("meter_id", StringType()).add("read_date", DateType())


def test_a_meter_is_installed_where_any_of_its_installations_holds_on_the_date(spark: SparkSession) -> None:
    points = frame(
        spark,
        POINTS,
        """
        meter_id | installed_from | installed_to
        stays    | 2025-01-01     |
        ended    | 2025-01-01     | 2025-03-01
        moved    | 2025-01-01     | 2025-02-01
        moved    | 2025-03-01     | 2025-04-01
        moved    | 2025-05-01     |
        moved    | 2025-06-01     |
        """,
    )
    rows = frame(
        spark,
        ROWS,
        """
        meter_id | read_date
        stays    | 2024-12-31
        stays    | 2025-01-01
        stays    |
        ended    | 2025-02-28
        ended    | 2025-03-01
        moved    | 2025-01-31
        moved    | 2025-02-01
        moved    | 2025-03-31
        moved    | 2025-04-01
        moved    | 2025-06-01
        nobody's | 2025-06-01
                 | 2025-06-01
        """,
    )
    found = with_installation(rows, points)
    assert set(found.columns) == {"meter_id", "read_date", "channel", "is_known_meter", "is_installed"}
    told = {(r.meter_id, str(r.read_date)): (r.is_known_meter, r.is_installed) for r in found.collect()}
    assert len(told) == found.count() == 12
    assert told == {
        ("stays", "2024-12-31"): (True, False),
        ("stays", "2025-01-01"): (True, True),
        ("stays", "None"): (True, False),
        ("ended", "2025-02-28"): (True, True),
        ("ended", "2025-03-01"): (True, False),
        ("moved", "2025-01-31"): (True, True),
        ("moved", "2025-02-01"): (True, False),
        ("moved", "2025-03-31"): (True, True),
        ("moved", "2025-04-01"): (True, False),
        ("moved", "2025-06-01"): (True, True),
        ("nobody's", "2025-06-01"): (False, False),
        (None, "2025-06-01"): (False, False),
    }
