from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from jobs.kernels import nem12
from jobs.kernels.curve_columns import METRIC_COLUMNS
from jobs.kernels.files import BadFile
from jobs.kernels.nem12 import iter_nem12
from schemas.feed import Curve, Feed, FeedColumn

FEED = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="nem12",
    columns=(
        FeedColumn("meter_id", "NMI"),
        FeedColumn("read_date", "IntervalDate", "date"),
        FeedColumn("channel", "Channel"),
        FeedColumn("suffix", "NMISuffix"),
    ),
    time_zone="Australia/Brisbane",
)
SYDNEY = replace(FEED, time_zone="Australia/Sydney", curve=Curve(day="elapsed"))
# four intervals a day keep the records readable
STREAM = "200,NMI0000001,E1B1,1,E1,N1,SERIAL1,kWh,360,"
DAY = "300,20240701,1,2,3,4,A,,,20240702010203,"


def file_of(*records: str) -> str:
    return "\n".join(["100,NEM12,202407020102,MDP,RETAILER", *records, "900", ""])


def tables(data: str, feed: Feed = FEED) -> list[pa.Table]:
    pieces = list(iter_nem12(data.encode(), "n.csv", feed))
    assert all(extra == [] for _, extra in pieces)
    return [rows for rows, _ in pieces]


def read(data: str, feed: Feed = FEED) -> list[dict[str, Any]]:
    return [row for rows in tables(data, feed) for row in rows.to_pylist()]


def row_of(*records: str, feed: Feed = FEED) -> dict[str, Any]:
    (row,) = read(file_of(*records), feed)
    return row


def problem(data: str, feed: Feed = FEED) -> str:
    """What is said of the file, without its name and without what to do."""
    with pytest.raises(BadFile) as caught:
        read(data, feed)
    said = str(caught.value)
    assert "\n" not in said
    return said.removeprefix("n.csv, ").rpartition(": ")[0]


# -- values -----------------------------------------------------------------------------------------------------------


def test_a_record_is_a_meter_day_with_its_line() -> None:
    row = row_of(STREAM, DAY)
    assert (row["meter_id"], row["read_date"], row["channel"], row["suffix"]) == (
        "NMI0000001",
        date(2024, 7, 1),
        "import",
        "E1",
    )
    assert (row["interval_minutes"], row["kwh"], row["quality"], row["total_kwh"]) == (360, [1, 2, 3, 4], [1] * 4, 10)
    assert (row["source_file"], row["source_row"], row["source_rows"], row["unreadable"]) == ("n.csv", 3, 1, [])
    assert {name for name, _ in METRIC_COLUMNS} <= set(row)


def test_five_minutes_make_288_values_and_thirty_make_48_in_one_file() -> None:
    five = ",".join(str(n) for n in range(288))
    thirty = ",".join(str(n) for n in range(48))
    rows = read(
        file_of(
            "200,NMI0000001,E1,1,E1,N1,,kWh,30,", f"300,20240701,{thirty},A,,,,",
            "200,NMI0000002,E1,1,E1,N1,,kWh,5,", f"300,20240701,{five},A,,,,",
        )
    )  # fmt: skip
    assert [(row["meter_id"], row["interval_minutes"], row["kwh"]) for row in rows] == [
        ("NMI0000002", 5, [float(n) for n in range(288)]),
        ("NMI0000001", 30, [float(n) for n in range(48)]),
    ]


def test_what_is_fed_in_and_reactive_energy_are_kept_apart_from_what_is_drawn() -> None:
    suffixes = {"E2": "kWh", "B1": "kWh", "Q1": "kVArh", "K1": "kVArh", "F1": "kWh", "D1": "kWh"}
    records = [
        record
        for suffix, unit in suffixes.items()
        for record in (f"200,NMI0000001,E2B1,1,{suffix},N1,,{unit},360,", DAY)
    ]
    rows = read(file_of(*records))
    assert {row["suffix"]: row["channel"] for row in rows} == {
        "E2": "import",
        "B1": "export",
        "Q1": "reactive_import",
        "K1": "reactive_export",
        # a check meter and a net stream say again what others say
        "F1": "other",
        "D1": "other",
    }


@pytest.mark.parametrize(
    ("suffix", "unit", "factor"),
    [
        ("E1", "kWh", 1), ("E1", "KWH", 1), ("E1", "Wh", 0.001), ("E1", "MWh", 1000), ("B1", "WH", 0.001),
        ("Q1", "VARH", 0.001), ("K1", "kVArh", 1), ("E1", "kW", 6),
    ],
)  # fmt: skip
def test_units_become_kwh_whatever_their_case(suffix: str, unit: str, factor: float) -> None:
    row = row_of(f"200,NMI0000001,E1,1,{suffix},N1,,{unit},360,", DAY)
    assert row["kwh"] == pytest.approx([factor * n for n in (1, 2, 3, 4)])


def test_volts_are_no_energy_and_leave_no_value() -> None:
    row = row_of("200,NMI0000001,E1V1,,V1,,,V,360,", DAY)
    assert (row["channel"], row["kwh"], row["total_kwh"], row["missing_count"]) == ("other", [None] * 4, None, 4)


def test_the_scale_of_the_feed_holds() -> None:
    row = row_of(STREAM, DAY, feed=replace(FEED, curve=Curve(scale=2)))
    assert row["kwh"] == [2, 4, 6, 8]


def test_a_value_which_is_not_there_is_missing_and_not_zero() -> None:
    row = row_of(STREAM, "300,20240701,1,,3,4,A,,,,")
    assert (row["kwh"], row["quality"], row["missing_count"]) == ([1, None, 3, 4], [1, 0, 1, 1], 1)


# -- quality ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "quality"), [("A", 1), ("E52", 2), ("F14", 2), ("S14", 2), ("E", 2), ("A00", 1)]
)  # fmt: skip
def test_the_quality_of_a_record_is_that_of_its_values(method: str, quality: int) -> None:
    row = row_of(STREAM, f"300,20240701,1,2,3,4,{method},32,,,")
    assert (row["quality"], row["estimated_count"]) == ([quality] * 4, 4 * (quality == 2))


def test_null_is_no_value_whatever_number_stands_there() -> None:
    row = row_of(STREAM, "300,20240701,0,0,0,7,N,,,,")
    assert (row["kwh"], row["quality"], row["total_kwh"], row["missing_count"]) == ([None] * 4, [0] * 4, None, 4)


def test_a_variable_quality_is_that_of_the_400_records() -> None:
    row = row_of(STREAM, "300,20240701,1,2,0,4,V,,,,", "400,1,1,A,,", "400,2,2,F14,76,", "400,3,3,N,,", "400,4,4,S11,,")
    assert (row["kwh"], row["quality"]) == ([1, 2, None, 4], [1, 2, 0, 2])
    assert (row["measured_count"], row["estimated_count"], row["missing_count"]) == (1, 2, 1)


def test_days_of_one_and_of_variable_quality_do_not_mix() -> None:
    rows = read(
        file_of(
            STREAM,
            "300,20240701,1,2,3,4,V,,,,", "400,1,3,A,,", "400,4,4,E52,,",
            "300,20240702,1,2,3,4,A,,,,", "500,O,S01,20240702010203,000123",
            "300,20240703,1,2,3,4,V,,,,", "400,1,4,S14,,",
        )
    )  # fmt: skip
    assert [row["quality"] for row in rows] == [[1, 1, 1, 2], [1] * 4, [2] * 4]
    assert [row["source_row"] for row in rows] == [3, 6, 8]


# -- columns ----------------------------------------------------------------------------------------------------------


def test_a_feed_may_ask_for_the_fields_of_the_records() -> None:
    feed = replace(
        FEED,
        columns=(
            FeedColumn("meter_id", "DataStream"),
            FeedColumn("read_date", "IntervalDate", "date"),
            FeedColumn("channel", "Channel"),
            FeedColumn("meter_serial_number", "MeterSerialNumber"),
            FeedColumn("interval_length", "IntervalLength", "integer"),
            FeedColumn("next_read_date", "NextScheduledReadDate", "date"),
            FeedColumn("reason_code", "ReasonCode"),
            FeedColumn("updated_at", "UpdateDateTime", "timestamp"),
            FeedColumn("loaded_at", "MSATSLoadDateTime", "timestamp"),
        ),
    )
    row = row_of(STREAM + "20240801", "300,20240701,1,2,3,4,S14,32,,20240702010203,202407020405", feed=feed)
    assert row["meter_id"] == "NMI0000001-E1"
    assert (row["meter_serial_number"], row["interval_length"], row["reason_code"]) == ("SERIAL1", 360, "32")
    assert row["next_read_date"] == date(2024, 8, 1)
    # market time is ten hours ahead
    assert row["updated_at"] == datetime(2024, 7, 1, 15, 2, 3, tzinfo=UTC)
    assert row["loaded_at"] == datetime(2024, 7, 1, 18, 5, tzinfo=UTC)


def test_a_value_that_is_not_what_it_is_declared_to_be_is_told_with_its_row() -> None:
    feed = replace(FEED, columns=(*FEED.columns, FeedColumn("updated_at", "UpdateDateTime", "timestamp")))
    row = row_of(STREAM, "300,20240701,1,2,3,4,A,,,2024,", feed=feed)
    assert (row["unreadable"], dict(row["raw_values"])["UpdateDateTime"]) == (["UpdateDateTime"], "2024")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (FEED.columns[:2], "needs a column with the target channel"),
        ((*FEED.columns, FeedColumn("x", "ReasonDescription")), "'ReasonDescription' is no source"),
        ((*FEED.columns, FeedColumn("x", "NMI", personal="name")), "no personal columns"),
    ],
)
def test_a_declaration_that_cannot_be_met_is_no_fault_of_the_file(columns: tuple[FeedColumn, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(file_of(STREAM, DAY), replace(FEED, columns=columns))


# -- several records of a day -----------------------------------------------------------------------------------------


def test_a_meter_exchanged_during_the_day_leaves_one_day_of_both_meters() -> None:
    row = row_of(
        STREAM, "300,20240701,1,2,0,0,V,,,,", "400,1,2,A,,", "400,3,4,N,,",
        STREAM.replace("SERIAL1", "SERIAL2"), "300,20240701,0,0,3,4,V,,,,", "400,1,2,N,,", "400,3,4,A,,",
    )  # fmt: skip
    assert (row["kwh"], row["quality"], row["conflict_count"]) == ([1, 2, 3, 4], [1] * 4, 0)
    assert (row["source_row"], row["source_rows"]) == (3, 2)


def test_of_two_values_of_an_interval_the_later_holds_and_the_conflict_is_counted() -> None:
    rows = read(file_of(STREAM, DAY, "300,20240702,5,6,7,8,A,,,,", "300,20240701,1,2,3,9,E52,,,,"))
    by_date = {row["read_date"].day: row for row in rows}
    assert (by_date[1]["kwh"], by_date[1]["quality"], by_date[1]["conflict_count"]) == ([1, 2, 3, 9], [2] * 4, 1)
    assert (by_date[2]["kwh"], by_date[2]["conflict_count"]) == ([5, 6, 7, 8], 0)
    assert sum(row["source_rows"] for row in rows) == 3


def test_two_registers_of_a_meter_are_not_one() -> None:
    rows = read(file_of(STREAM, DAY, STREAM.replace(",E1,N1", ",E2,N2"), DAY))
    assert [(row["suffix"], row["source_rows"]) for row in rows] == [("E1", 1), ("E2", 1)]


def test_pieces_hold_whole_streams_with_their_qualities(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of(
        *(
            record
            for day in (1, 2, 3)
            for n in (1, 2, 3)
            for record in (
                f"200,N{n},E1,,E1,,,kWh,360,",
                f"300,2024070{day},1,2,3,4,V",
                f"400,1,{n},A",
                f"400,{n + 1},4,S14,32",
            )
        )
    )
    whole = read(data)
    monkeypatch.setattr(nem12, "_PIECE_INTERVALS", 24)
    pieces = tables(data)
    assert [rows.column("meter_id").unique().to_pylist() for rows in pieces] == [["N1", "N2"], ["N3"]]
    by_line = sorted((row for rows in pieces for row in rows.to_pylist()), key=lambda row: row["source_row"])
    assert by_line == whole
    assert [row["quality"] for row in whole[:3]] == [[1, 2, 2, 2], [1, 1, 2, 2], [1, 1, 1, 2]]


# -- local dates ------------------------------------------------------------------------------------------------------


def half_hours(*days: str) -> str:
    """Days of half hours numbered from 0 through all of them."""
    records = ["200,NMI0000001,E1,1,E1,N1,,kWh,30,"]
    for n, day in enumerate(days):
        records.append(f"300,{day}," + ",".join(str(48 * n + slot) for slot in range(48)) + ",A,,,,")
    return file_of(*records)


def numbers(first: int, end: int) -> list[float]:
    return [float(n) for n in range(first, end)]


def test_where_clocks_do_not_change_days_are_as_they_are_sent() -> None:
    data = half_hours("20241005", "20241006")
    elapsed = replace(FEED, curve=Curve(day="elapsed"))
    assert [(row["read_date"], row["kwh"]) for row in read(data, elapsed)] == [
        (row["read_date"], row["kwh"]) for row in read(data)
    ]


def test_the_day_on_which_clocks_go_forward_has_46_half_hours() -> None:
    days = {row["read_date"]: row for row in read(half_hours("20241005", "20241006", "20241007"), SYDNEY)}
    assert {day.day: len(row["kwh"]) for day, row in days.items()} == {5: 48, 6: 46, 7: 48, 8: 48}
    assert days[date(2024, 10, 5)]["kwh"] == numbers(0, 48)
    assert days[date(2024, 10, 6)]["kwh"] == numbers(48, 94)
    # from then on local midnight is at 23:00 market time
    assert days[date(2024, 10, 7)]["kwh"] == numbers(94, 142)
    assert days[date(2024, 10, 8)]["kwh"] == [142, 143, *[None] * 46]
    assert [days[day]["source_row"] for day in sorted(days)] == [3, 4, 4, 5]
    assert sum(row["source_rows"] for row in days.values()) == 3


def test_the_day_on_which_clocks_go_back_has_50_half_hours() -> None:
    days = {row["read_date"]: row for row in read(half_hours("20240406", "20240407", "20240408"), SYDNEY)}
    assert {day.day: len(row["kwh"]) for day, row in days.items()} == {6: 48, 7: 50, 8: 48}
    # the file begins an hour after the local date does
    assert days[date(2024, 4, 6)]["kwh"] == [None, None, *numbers(0, 46)]
    assert days[date(2024, 4, 7)]["kwh"] == numbers(46, 96)
    assert days[date(2024, 4, 8)]["kwh"] == numbers(96, 144)


def test_quality_goes_with_its_interval_over_local_midnight() -> None:
    values = ",".join(["1"] * 48)
    data = file_of(
        "200,NMI0000001,E1,1,E1,N1,,kWh,30,", f"300,20240115,{values},V,,,,", "400,1,46,A,,", "400,47,48,S14,,"
    )
    today, tomorrow = read(data, SYDNEY)
    assert today["quality"] == [0, 0, *[1] * 46]
    assert tomorrow["quality"] == [2, 2, *[0] * 46]


def test_intervals_that_do_not_fit_into_local_dates_are_refused() -> None:
    hours = "300,20240115," + ",".join(["1"] * 24) + ",A"
    adelaide = replace(SYDNEY, time_zone="Australia/Adelaide")
    said = problem(file_of("200,NMI0000001,E1,1,E1,N1,,kWh,60,", hours), adelaide)
    assert said == "line 3: intervals of 60 minutes in market time do not fit into the dates of Australia/Adelaide"
