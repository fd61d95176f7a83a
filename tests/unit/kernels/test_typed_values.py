from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from jobs.kernels.typed_values import ARROW_TYPES, parse, trimmed
from schemas.feed import FieldType


def read(text: str, kind: FieldType, time_zone: str = "Asia/Shanghai") -> Any:
    """The value, or the word UNREADABLE."""
    values, unreadable = parse(pa.array([text, None]), kind, time_zone)
    assert values.type == ARROW_TYPES[kind]
    assert values[1].as_py() is None
    assert not unreadable[1]
    assert not (unreadable[0] and values[0].is_valid)
    return "UNREADABLE" if unreadable[0] else values[0].as_py()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("+3", 3.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1E-05", 0.00001),
        *((word, "UNREADABLE") for word in ("--", "N/A", "1.5kWh", "1 5", "0x10", "1e", ".", "1e400")),
        *((word, "UNREADABLE") for word in ("nan", "NaN", "inf", "-inf", "Infinity")),
        *((word, "UNREADABLE") for word in ("1,5", "1,234.5", "1.234,5", "１２")),
    ],
)
def test_a_number_is_digits_with_a_point(text: str, value: object) -> None:
    assert read(text, "double") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5283", Decimal("0.528300")),
        ("-12", Decimal("-12.000000")),
        ("0.1234565", Decimal("0.123457")),
        ("-0.1234565", Decimal("-0.123457")),
        ("1E-5", Decimal("0.000010")),
        ("999999999999.999999", Decimal("999999999999.999999")),
        ("999999999999.9999999", "UNREADABLE"),
        ("1000000000000", "UNREADABLE"),
        ("1,5", "UNREADABLE"),
        ("nan", "UNREADABLE"),
    ],
)
def test_money_keeps_its_decimals(text: str, value: object) -> None:
    assert read(text, "decimal") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("5.0", 5),
        ("-7", -7),
        ("+7", 7),
        ("5.5", "UNREADABLE"),
        ("5 ", "UNREADABLE"),
        ("9" * 19, "UNREADABLE"),
        ("2147483647", 2147483647),
        ("-2147483648.0", -2147483648),
        ("2147483648", "UNREADABLE"),
        ("-2147483649", "UNREADABLE"),
        ("13800000000", "UNREADABLE"),
    ],
)
def test_a_whole_number_has_no_part(text: str, value: object) -> None:
    assert read(text, "integer") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("FALSE", False), ("0", False), ("是", "UNREADABLE"), ("2", "UNREADABLE")],
)
def test_a_yes_or_no(text: str, value: object) -> None:
    assert read(text, "boolean") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2025-06-30", date(2025, 6, 30)),
        ("2025/06/30", date(2025, 6, 30)),
        ("2025/6/3", date(2025, 6, 3)),
        ("20250630", date(2025, 6, 30)),
        ("2024-02-29", date(2024, 2, 29)),
        ("1969-12-31", date(1969, 12, 31)),
        ("2025-06-30 24:00:00", date(2025, 6, 30)),
        ("2025-12-31 24:00", date(2025, 12, 31)),
        ("2025-06-30 00:00:00", date(2025, 6, 30)),
        *(
            (text, "UNREADABLE")
            for text in (
                "2025-02-29", "2025-06-31", "2025-13-01", "2025-00-10", "2025-06-00", "20250631", "30.06.2025",
                "06/30/2025", "2025-06/30", "2025630", "45838", "2025-06-30 24:01:00", "2025-06-30 25:00", "N/A",
            )
        ),
    ],
)  # fmt: skip
def test_a_date_exists(text: str, value: object) -> None:
    assert read(text, "date") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2025-06-30 08:00:00", datetime(2025, 6, 30, 0, tzinfo=UTC)),
        ("2025/6/30 8:05", datetime(2025, 6, 30, 0, 5, tzinfo=UTC)),
        ("2025-06-30T08:00:00.25", datetime(2025, 6, 30, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("2025-06-30 24:00:00", datetime(2025, 6, 30, 16, tzinfo=UTC)),
        ("2025-07-01 00:00:00", datetime(2025, 6, 30, 16, tzinfo=UTC)),
        ("2025-06-30T08:00:00Z", datetime(2025, 6, 30, 8, tzinfo=UTC)),
        ("2025-06-30T08:00:00-03:30", datetime(2025, 6, 30, 11, 30, tzinfo=UTC)),
        ("2025-06-30 08:00:00+0800", datetime(2025, 6, 30, 0, tzinfo=UTC)),
        *(
            (t, "UNREADABLE")
            for t in ("2025-06-30", "08:00", "2025-06-31 08:00", "2025-06-30 08:60", "2025-06-30 24:00:01")
        ),
    ],
)
def test_a_time_is_on_the_clock_of_the_feed_unless_it_says_otherwise(text: str, value: object) -> None:
    assert read(text, "timestamp") == value


@pytest.mark.parametrize(
    ("zone", "text", "value"),
    [
        # London: 01:00 to 02:00 is skipped on 2025-03-30 and shown twice on 2025-10-26
        ("Europe/London", "2025-03-30 00:59:59", datetime(2025, 3, 30, 0, 59, 59, tzinfo=UTC)),
        ("Europe/London", "2025-03-30 01:00:00", "UNREADABLE"),
        ("Europe/London", "2025-03-30 01:30:00", "UNREADABLE"),
        ("Europe/London", "2025-03-30 02:00:00", datetime(2025, 3, 30, 1, tzinfo=UTC)),
        ("Europe/London", "2025-03-30 01:30:00Z", datetime(2025, 3, 30, 1, 30, tzinfo=UTC)),
        ("Europe/London", "2025-10-26 01:30:00", datetime(2025, 10, 26, 0, 30, tzinfo=UTC)),
        ("Europe/London", "2025-10-26 02:00:00", datetime(2025, 10, 26, 2, tzinfo=UTC)),
        ("Europe/London", "2025-10-26 24:00:00", datetime(2025, 10, 27, 0, tzinfo=UTC)),
        # Sydney: skipped from 02:00 on 2025-10-05, twice from 02:00 on 2025-04-06
        ("Australia/Sydney", "2025-10-05 02:30", "UNREADABLE"),
        ("Australia/Sydney", "2025-10-05 03:00", datetime(2025, 10, 4, 16, tzinfo=UTC)),
        ("Australia/Sydney", "2025-04-06 02:30", datetime(2025, 4, 5, 15, 30, tzinfo=UTC)),
        ("Australia/Sydney", "2025-04-06 03:00", datetime(2025, 4, 5, 17, tzinfo=UTC)),
    ],
)
def test_where_clocks_change_the_earlier_of_two_times_counts_and_a_skipped_one_is_none(
    zone: str, text: str, value: object
) -> None:
    assert read(text, "timestamp", zone) == value


def test_blanks_around_a_value_are_no_part_of_it() -> None:
    assert trimmed(pa.chunked_array([["  a b\t", "\u3000x\u3000"], ["", " "]])).to_pylist() == ["a b", "x", None, None]


@pytest.mark.parametrize("kind", list(ARROW_TYPES))
def test_no_rows_are_no_fault(kind: FieldType) -> None:
    values, unreadable = parse(pa.array([], pa.string()), kind)
    assert values.type == ARROW_TYPES[kind]
    assert len(values) == len(unreadable) == 0
