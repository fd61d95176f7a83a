"""The report of injected faults says what the tables say: right, wrong, mixed with another fault, or silent."""

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, DateType, DoubleType, StringType, StructField, StructType

from jobs.province import FAULT_CLASSES
from jobs.runtime.summary import print_fault_table
from jobs.transforms.fault_report import (
    AWAITED,
    COUNTS_AS_DETECTED,
    SLIGHT,
    YOUNG,
    Recorded,
    as_delivered,
    awaited_corrections,
    counted,
    customers_of,
    duplicated_deliveries,
    events,
    fault_table,
    findings,
    flagged,
    late_readings,
    thefts,
    truncated_files,
    wrong_multipliers,
    wrongly_flagged,
)
from schemas import QUARANTINES, TABLES
from tests.frames import frame

_TEXTS = [
    StructField(name, StringType()) for name in ("fault", "feed", "delivery_id", "meter_id", "customer_no", "detail")
]
NOTES = StructType([*_TEXTS, StructField("read_date", DateType()), StructField("true_kwh", ArrayType(DoubleType()))])
TRUTH = StructType(
    [
        StructField("customer_no", StringType()),
        StructField("usage_date", DateType()),
        StructField("kwh", DoubleType()),
    ]
)
SCHEMAS = {
    "meter_days": TABLES["core.meter_days"].struct,
    "validated": TABLES["features.validated_days"].struct,
    "levels": TABLES["features.meter_levels"].struct,
    "profiles": TABLES["features.meter_profiles"].struct,
    "versions": TABLES["core.meter_day_versions"].struct,
    "quarantined": QUARANTINES["core.meter_days"].struct,
    "readings": TABLES["core.register_readings"].struct,
    "points": TABLES["core.metering_points"].struct,
    "customer_days": TABLES["features.customer_days"].struct,
    "deliveries": TABLES["ops.deliveries"].struct,
    "reconciliation": TABLES["ops.reconciliation"].struct,
}
POINTS = """
    point_id | meter_id | customer_key | installed_from | point_kind
    p1       | m1       | k1           | 2025-01-01     | customer
    p1b      | m1b      | k1           | 2025-01-01     | customer
    p2       | m2       | k2           | 2025-01-01     |
    p3       | m3       | k3           | 2025-01-01     | customer
    d        | d        |              | 2025-01-01     | district
    """

SEARCHED_ON = date(2025, 6, 29)


def drawn_notes(spark: SparkSession, text: str) -> DataFrame:
    return frame(spark, NOTES, text)


def recorded(spark: SparkSession, **drawn: str) -> Recorded:
    """The tables of a lake, empty where they are not drawn."""
    text = {"points": POINTS, **drawn}
    empty = {name: spark.createDataFrame([], schema) for name, schema in SCHEMAS.items() if name not in text}
    return Recorded(**empty, **{name: frame(spark, SCHEMAS[name], told) for name, told in text.items()})


def counts(outcomes: DataFrame) -> dict[str, tuple[int, int, int, int | None]]:
    """By class: injected, mixed, detected, named right."""
    rows = counted(outcomes).collect()
    return {row.fault: (row.injected, row.mixed, row.detected, row.named_right) for row in rows}


def test_a_flagged_fault_is_detected_by_any_rule_and_named_by_its_own(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault         | feed       | meter_id | customer_no | read_date
        spike         | meter_days | m1       | c1          | 2025-06-01
        spike         | meter_days | m1       | c1          | 2025-06-02
        spike         | meter_days | m1       | c1          | 2025-06-02
        spike         | meter_days | m1       | c1          | 2025-06-03
        identical_curves | meter_days | m2    | c2          | 2025-06-01
        shifted_clock | meter_days | m2       | c2          | 2025-06-02
        negative      | meter_days | m3       | c3          | 2025-06-02
        """,
    )
    held = recorded(
        spark,
        validated="""
        meter_id | read_date  | flags
        m1       | 2025-06-01 | MD-08 MD-12
        m1       | 2025-06-02 | MD-08
        m1       | 2025-06-03 |
        m2       | 2025-06-01 | MD-21
        m2       | 2025-06-02 |
        """,
        quarantined="""
        meter_id | read_date  | broken_rules
        m3       | 2025-06-02 | MD-06
        """,
    )
    assert counts(flagged(notes, findings(held))) == {
        "spike": (3, 0, 2, 1),
        "identical_curves": (1, 0, 1, 1),
        "negative": (1, 0, 1, 1),
        "shifted_clock": (1, 0, 0, 0),
    }


def test_wrongly_flagged_are_days_on_which_nothing_is_wrong_with_the_customer(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault            | feed       | meter_id | customer_no | read_date
        zero_run         | meter_days | m1       | c1          | 2025-06-01
        wrong_multiplier | meter_days | m2       | c2          | 2025-06-02
        kw_as_kwh        | meter_days | m3       | c3          | 2025-06-09
        register_jump    | readings   | m1       | c1          | 2025-06-03
        """,
    )
    held = recorded(
        spark,
        # beside the fault's own day: the customer's other meter, another day, before and since a wrong multiplier, the
        # day after a misread dial, the meter of a district
        meter_days="""
        meter_id | read_date
        m1       | 2025-06-01
        m1b      | 2025-06-01
        m1       | 2025-06-02
        m2       | 2025-06-01
        m2       | 2025-06-02
        m2       | 2025-06-03
        m1       | 2025-06-04
        d        | 2025-06-02
        """,
        validated="""
        meter_id | read_date  | flags
        m1       | 2025-06-01 | MD-11
        m1b      | 2025-06-01 | MD-11
        m1       | 2025-06-02 | MD-11
        m2       | 2025-06-01 | MD-13
        m2       | 2025-06-02 | MD-11
        m2       | 2025-06-03 | MD-13
        m1       | 2025-06-04 | MD-11
        d        | 2025-06-02 | MD-11
        """,
    )
    said = findings(held).cache()
    wrongly = wrongly_flagged(notes, said, held, customers_of(notes, held)).collect()
    assert {row.clean for row in wrongly} == {2}
    assert {row.fault: row.wrongly_flagged for row in wrongly if row.wrongly_flagged} == {
        "zero_run": 1,
        "wrong_multiplier": 1,
        YOUNG: 1,
        "above_capacity": 1,
        "spike": 1,
    }
    # the rule speaks on the day after it began
    assert counts(wrong_multipliers(notes, said, SEARCHED_ON)) == {"wrong_multiplier": (1, 0, 1, 1)}


def test_what_lasts_is_found_by_a_break_of_level_dated_at_most_three_days_before_it(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault            | feed       | meter_id | customer_no | read_date
        theft            | meter_days | m1       | c1          | 2025-06-05
        theft            | meter_days | m1       | c1          | 2025-06-06
        theft            | meter_days | m2       | c2          | 2025-06-05
        theft            | meter_days | m3       | c3          | 2025-06-05
        wrong_multiplier | meter_days | m1b      | c1          | 2025-06-05
        """,
    )
    held = recorded(
        spark,
        # the third is told as something else, the second long before
        levels="""
        meter_id | since      | flags
        m1       | 2025-06-02 | MD-27
        m2       | 2025-06-01 | MD-27
        m3       | 2025-06-05 | MD-26
        m1b      | 2025-06-07 | MD-26
        """,
    )
    said = findings(held)
    assert counts(thefts(notes, said, SEARCHED_ON)) == {"theft": (3, 0, 1, 1)}
    assert counts(wrong_multipliers(notes, said, SEARCHED_ON)) == {"wrong_multiplier": (1, 0, 1, 1)}


def test_a_moved_clock_is_named_on_the_dates_of_the_profile_and_nothing_else_is_found_by_it(
    spark: SparkSession,
) -> None:
    notes = drawn_notes(
        spark,
        """
        fault          | feed       | meter_id | customer_no | read_date  | detail
        shifted_clock  | meter_days | m1       | c1          | 2025-06-08 | 2 hours late
        shifted_clock  | meter_days | m1       | c1          | 2025-06-09 | 2 hours late
        shifted_clock  | meter_days | m1       | c1          | 2025-06-15 | 2 hours late, slight
        shifted_clock  | meter_days | m1       | c1          | 2025-06-16 | 2 hours late
        missing_points | meter_days | m2       | c2          | 2025-06-03 |
        missing_points | meter_days | m2       | c2          | 2025-06-04 |
        missing_points | meter_days | m2       | c2          | 2025-06-05 |
        shifted_clock  | meter_days | m2       | c2          | 2025-06-05 | 1 hours late
        correction     | meter_days | m2       | c2          | 2025-06-06 | wrong
        """,
    )
    held = recorded(
        spark,
        profiles="""
        meter_id | week_start | clock_shift_minutes | clock_shift_days | flags
        m1       | 2025-06-16 | 120                 | 7                | MD-29
        m2       | 2025-06-16 | -60                 | 14               | MD-29
        m3       | 2025-06-16 | 0                   | 0                |
        """,
        validated="meter_id | read_date | flags\nm2 | 2025-06-03 | MD-08",
        # the first customer has another meter, the second a day before the fourteen and one among them
        meter_days="""
        meter_id | read_date
        m1       | 2025-06-10
        m1b      | 2025-06-10
        m2       | 2025-06-01
        m2       | 2025-06-02
        m3       | 2025-06-10
        """,
    )
    said = findings(held).cache()
    # a day of another fault on which only MD-29 speaks is not found by it; one of two faults is to be named for neither
    assert counts(flagged(notes, said)) == {
        "shifted_clock": (4, 0, 2, 1),
        SLIGHT: (1, 0, 1, 1),
        "missing_points": (3, 0, 1, 1),
    }
    rows = counted(flagged(notes, said)).collect()
    assert {row.fault: row.to_name for row in rows} == {"shifted_clock": 3, SLIGHT: 1, "missing_points": 2}
    assert counts(awaited_corrections(notes, said)) == {AWAITED: (1, 0, 0, None)}
    wrongly = wrongly_flagged(notes, said, held, customers_of(notes, held)).collect()
    assert {row.clean for row in wrongly} == {5}
    assert {row.fault: row.wrongly_flagged for row in wrongly if row.wrongly_flagged} == {"shifted_clock": 2, SLIGHT: 2}


def test_a_break_younger_than_eight_days_when_levels_were_last_searched_is_a_class_of_its_own(
    spark: SparkSession,
) -> None:
    notes = drawn_notes(
        spark,
        """
        fault            | feed       | meter_id | customer_no | read_date
        theft            | meter_days | m1       | c1          | 2025-06-21
        theft            | meter_days | m2       | c2          | 2025-06-22
        wrong_multiplier | meter_days | m3       | c3          | 2025-06-22
        """,
    )
    said = findings(recorded(spark, levels="meter_id | since | flags\nm3 | 2025-06-22 | MD-26"))
    assert counts(thefts(notes, said, SEARCHED_ON)) == {"theft": (1, 0, 0, 0), YOUNG: (1, 0, 0, 0)}
    assert counts(wrong_multipliers(notes, said, SEARCHED_ON)) == {YOUNG: (1, 0, 1, 1)}


def test_a_day_of_two_faults_is_detected_for_both_and_to_be_named_for_neither(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault            | feed       | meter_id | customer_no | read_date
        identical_curves | meter_days | m1       | c1          | 2025-06-01
        missing_points   | meter_days | m1       | c1          | 2025-06-01
        missing_points   | meter_days | m1       | c1          | 2025-06-02
        """,
    )
    validated = "meter_id | read_date | flags\nm1 | 2025-06-01 | MD-14\nm1 | 2025-06-02 | MD-08"
    rows = counted(flagged(notes, findings(recorded(spark, validated=validated)))).collect()
    assert {row.fault: (row.injected, row.detected, row.to_name, row.named_right) for row in rows} == {
        "identical_curves": (1, 1, 0, 0),
        "missing_points": (2, 2, 1, 1),
    }


def test_a_stamp_of_24_00_is_right_under_its_own_date_with_the_true_energy(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault      | feed       | delivery_id           | meter_id | customer_no | read_date  | true_kwh
        stamp_2400 | meter_days | meter_days-20250602-01 | m1      | c1          | 2025-06-01 | 1 2
        stamp_2400 | meter_days | meter_days-20250602-01 | m2      | c2          | 2025-06-01 | 1 2
        stamp_2400 | meter_days | meter_days-20250602-01 | m3      | c3          | 2025-06-01 | 1 2
        stamp_2400 | meter_days | meter_days-20250602-01 | m1b     | c1          | 2025-06-01 | 1 2
        spike      | meter_days | meter_days-20250602-01 | m1b     | c1          | 2025-06-01 | 1 2
        """,
    )
    held = recorded(
        spark,
        # the second is on the day after, the third has lost something, the last is a spike's
        meter_days="""
        meter_id | read_date  | total_kwh | delivery_id
        m1       | 2025-06-01 | 3         | meter_days-20250602-02
        m2       | 2025-06-02 | 3         | meter_days-20250602-01
        m3       | 2025-06-01 | 2         | meter_days-20250602-01
        m1b      | 2025-06-01 | 99        | meter_days-20250602-01
        """,
    )
    assert counts(as_delivered(notes, held)) == {"stamp_2400": (4, 1, 1, None)}


@pytest.mark.parametrize(("duplicates", "right"), [(2, 2), (1, 0)])
def test_rows_sent_twice_are_right_where_the_books_count_them(spark: SparkSession, duplicates: int, right: int) -> None:
    notes = drawn_notes(
        spark,
        """
        fault          | feed       | delivery_id            | meter_id | customer_no | read_date  | true_kwh
        duplicated_row | meter_days | meter_days-20250602-01 | m1       | c1          | 2025-06-01 | 1 2
        duplicated_row | meter_days | meter_days-20250602-01 | m2       | c2          | 2025-06-01 | 1 2
        """,
    )
    held = recorded(
        spark,
        meter_days="""
        meter_id | read_date  | total_kwh | delivery_id
        m1       | 2025-06-01 | 3         | meter_days-20250602-01
        m2       | 2025-06-01 | 3         | meter_days-20250602-01
        """,
        reconciliation=f"""
        feed       | delivery_id            | rows_duplicate
        meter_days | meter_days-20250602-01 | {duplicates}
        """,
    )
    assert counts(as_delivered(notes, held)) == {"duplicated_row": (2, 0, right, None)}


def test_what_comes_late_is_right_where_it_is_held_and_what_is_corrected_where_the_row_before_it_is_kept(
    spark: SparkSession,
) -> None:
    notes = drawn_notes(
        spark,
        """
        fault      | feed              | delivery_id                   | meter_id | customer_no | read_date | true_kwh | detail
        late       | meter_days        | meter_days-20250605-01        | m1 | c1 | 2025-06-01 | 1 2 | 4 days
        late       | meter_days        | meter_days-20250605-01        | m2 | c2 | 2025-06-01 | 1 2 | 4 days
        late       | register_readings | register_readings-20250605-01 | m1 | c1 | 2025-06-03 |     | 2 days
        late       | register_readings | register_readings-20250605-01 | m3 | c3 | 2025-06-03 |     | 2 days
        correction | meter_days        | meter_days-20250602-01        | m1 | c1 | 2025-06-02 | 1 2 | wrong
        correction | meter_days        | meter_days-20250605-01        | m1 | c1 | 2025-06-02 | 1 2 | corrected
        correction | meter_days        | meter_days-20250605-01        | m2 | c2 | 2025-06-02 | 1 2 | corrected
        correction | meter_days        | meter_days-20250605-01        | m3 | c3 | 2025-06-05 | 1   | wrong
        correction | meter_days        | meter_days-20250605-01        | m2 | c2 | 2025-06-05 | 1   | wrong
        """,  # noqa: E501 - a row of a drawn table is a line
    )
    held = recorded(
        spark,
        meter_days="""
        meter_id | read_date  | total_kwh | delivery_id
        m1       | 2025-06-01 | 3         | meter_days-20250605-01
        m1       | 2025-06-02 | 3         | meter_days-20250605-01
        m2       | 2025-06-02 | 3         | meter_days-20250605-01
        m3       | 2025-06-05 | 9         | meter_days-20250605-01
        """,
        validated="""
        meter_id | read_date  | flags
        m3       | 2025-06-05 | MD-08
        """,
        versions="""
        meter_id | read_date  | total_kwh | delivery_id            | replaced_by
        m1       | 2025-06-02 | 9         | meter_days-20250602-01 | meter_days-20250605-01
        """,
        readings="""
        meter_id | read_date  | register_code | delivery_id
        m1       | 2025-06-03 | total         | register_readings-20250605-01
        m3       | 2025-06-03 | peak          | register_readings-20250605-01
        """,
    )
    assert counts(as_delivered(notes, held)) == {"late": (2, 0, 1, None), "correction": (2, 0, 1, None)}
    assert counts(late_readings(notes, held)) == {"late": (2, 0, 1, None)}
    # of the two that wait for their correction a rule speaks of one
    assert counts(awaited_corrections(notes, findings(held))) == {AWAITED: (2, 0, 1, None)}


def test_an_event_is_right_where_the_customers_energy_is_the_true_one(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault             | feed              | meter_id | customer_no | read_date
        swapped_meter     | metering_points   | m1       | c1          | 2025-06-01
        swapped_meter     | metering_points   | m2       | c2          | 2025-06-01
        swapped_meter     | metering_points   | m3       | c3          | 2025-06-01
        roll_over         | register_readings | m1       | c1          | 2025-06-03
        multiplier_change | metering_points   | m2       | c2          | 2025-06-04
        wrong_multiplier  | meter_days        | m2       | c2          | 2025-06-03
        """,
    )
    truth = frame(
        spark,
        TRUTH,
        """
        customer_no | usage_date | kwh
        c1          | 2025-06-01 | 1000
        c2          | 2025-06-01 | 1000
        c3          | 2025-06-01 | 1000
        c1          | 2025-06-03 | 1000
        c2          | 2025-06-04 | 1000
        """,
    )
    held = recorded(
        spark,
        # the second counts half, the third is not to be judged yet, the roll-over is taken for a failure
        customer_days="""
        customer_key | usage_date | kwh      | sum_check
        k1           | 2025-06-01 | 1000.002 | ok
        k2           | 2025-06-01 | 500      | ok
        k3           | 2025-06-01 | 1000     | not_checked
        k1           | 2025-06-03 | 1000     | failed
        k2           | 2025-06-04 | 1000     | ok
        """,
    )
    assert counts(events(notes, truth, held, customers_of(notes, held))) == {
        "swapped_meter": (3, 1, 1, None),
        "roll_over": (1, 0, 0, None),
        "multiplier_change": (1, 1, 0, None),
    }


def test_a_delivery_which_repeats_or_came_cut_is_right_where_the_ledger_says_so(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault               | feed  | delivery_id       | detail
        duplicated_delivery | bills | bills-20250602-02 | repeats bills-20250602-01
        duplicated_delivery | bills | bills-20250603-02 | repeats bills-20250603-01
        duplicated_delivery | bills | bills-20250604-02 | repeats bills-20250604-01
        truncated_file      | bills | bills-20250605-01 | sent whole as bills-20250605-02
        truncated_file      | bills | bills-20250606-01 | sent whole as bills-20250606-02
        truncated_file      | bills | bills-20250607-01 | sent whole as bills-20250607-02
        """,
    )
    held = recorded(
        spark,
        # once as it should be, once read again with nothing new, once taken; refused and whole, not whole, not refused
        deliveries="""
        feed  | delivery_id       | status    | reason
        bills | bills-20250602-02 | duplicate | same content as bills-20250602-01
        bills | bills-20250603-02 | loaded    |
        bills | bills-20250604-02 | loaded    |
        bills | bills-20250605-01 | refused   | its checksum is not the manifest's
        bills | bills-20250605-02 | loaded    |
        bills | bills-20250606-01 | refused   | its checksum is not the manifest's
        bills | bills-20250607-01 | loaded    |
        bills | bills-20250607-02 | loaded    |
        """,
        reconciliation="""
        feed  | delivery_id       | rows_read | rows_accepted | rows_superseding | rows_duplicate
        bills | bills-20250602-02 | 5         | 0             | 0                | 5
        bills | bills-20250603-02 | 5         | 0             | 0                | 5
        bills | bills-20250604-02 | 5         | 0             | 5                | 0
        """,
    )
    assert counts(duplicated_deliveries(notes, held)) == {"duplicated_delivery": (3, 0, 2, 1)}
    assert counts(truncated_files(notes, held)) == {"truncated_file": (3, 0, 1, 2)}


def test_the_table_has_all_classes_which_were_injected(spark: SparkSession) -> None:
    notes = drawn_notes(
        spark,
        """
        fault               | feed       | delivery_id            | meter_id | customer_no | read_date  | true_kwh
        spike               | meter_days | meter_days-20250602-01 | m1       | c1          | 2025-06-01 | 1
        stamp_2400          | meter_days | meter_days-20250602-01 | m2       | c2          | 2025-06-01 | 1
        duplicated_delivery | bills      | bills-20250602-02      |          |             |            |
        """,
    )
    held = recorded(
        spark,
        meter_days="""
        meter_id | read_date  | total_kwh | delivery_id
        m1       | 2025-06-01 | 9         | meter_days-20250602-01
        m2       | 2025-06-01 | 1         | meter_days-20250602-01
        m3       | 2025-06-01 | 1         | meter_days-20250602-01
        """,
        validated="""
        meter_id | read_date  | flags
        m1       | 2025-06-01 | MD-12
        m3       | 2025-06-01 | MD-13
        """,
    )
    truth = spark.createDataFrame([], TRUTH)
    rows = fault_table(notes, truth, held, findings(held), customers_of(notes, held), SEARCHED_ON).collect()
    assert [tuple(row) for row in rows] == [
        ("duplicated_delivery", 1, 0, 0, 1, 0, None, None),
        ("spike", 1, 0, 1, 1, 1, 1, 1),
        ("stamp_2400", 1, 0, 1, None, None, None, None),
    ]


def test_the_printed_table_has_every_class_and_names_those_which_are_silently_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert set(COUNTS_AS_DETECTED) == {*FAULT_CLASSES, SLIGHT, YOUNG, AWAITED}
    row = {"injected": 4, "mixed": 1, "detected": 3, "to_name": None, "named_right": None}
    row |= {"wrongly_flagged": None, "clean": None}
    found = {name: row for name in COUNTS_AS_DETECTED if name != "late"}
    found["shifted_clock"] = row | {"injected": 9, "mixed": 0, "detected": 2, "to_name": 8, "named_right": 0}
    found["spike"] = row | {"to_name": 3, "named_right": 3, "wrongly_flagged": 1234, "clean": 5678}
    told = print_fault_table(found, tuple(COUNTS_AS_DETECTED), COUNTS_AS_DETECTED)
    assert told == "33 classes, 5,678 clean meter days; not found in full: shifted_clock (7 of 9); not injected: late"
    lines = capsys.readouterr().out.splitlines()
    assert "| shifted_clock | 9 | 0 | 2 (22.2%) | 0 of 8 | - | any rule speaks on the meter day |" in lines
    assert "| spike | 4 | 1 | 3 (100.0%) | 3 of 3 | 1,234 | any rule speaks on the meter day |" in lines
    assert sum(line.startswith("| stamp_2400 | 4 | 1 | 3 (100.0%) | - | - | right: ") for line in lines) == 1
    assert len(lines) == 2 + 33
