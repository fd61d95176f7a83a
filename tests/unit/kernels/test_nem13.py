from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from jobs.kernels.files import BadFile
from jobs.kernels.nem13 import iter_nem13
from schemas.feed import Feed, FeedColumn

FEED = Feed(
    name="register_readings",
    table="core.register_readings",
    reader="nem13",
    columns=(
        FeedColumn("meter_id", "DataStream"),
        FeedColumn("read_date", "ReadDate", "date"),
        FeedColumn("register_code", "Channel", values={"import": "total", "export": "export"}),
        FeedColumn("reading_kwh", "RegisterRead", "double"),
        FeedColumn("day_kwh", "DayQuantity", "double"),
        FeedColumn("quality_method", "QualityMethod"),
    ),
    time_zone="Australia/Brisbane",
)
HEADER = "100,NEM13,202407020102,MDP,RETAILER"


def register(
    previous: str = "00100.5,20240630000000,A,,",
    current: str = "00130.5,20240731000000,A,,",
    *,
    quantity: str = "30",
    suffix: str = "11",
    direction: str = "E",
    unit: str = "kWh",
) -> str:
    readings = f"{direction},{previous},{current},{quantity},{unit}"
    return f"250,NMI0000001,11,1,{suffix},{suffix},SERIAL1,{readings},20241001,20240801010203,"


def read(*records: str, feed: Feed = FEED, end: str = "900\n") -> list[dict[str, Any]]:
    data = "\n".join([HEADER, *records, end])
    ((rows, extra),) = iter_nem13(data.encode(), "n.csv", feed)
    assert extra == []
    return list(rows.to_pylist())


def problem(*records: str, end: str = "900\n") -> str:
    """What is said of the file, without its name and without what to do."""
    with pytest.raises(BadFile) as caught:
        read(*records, end=end)
    return str(caught.value).removeprefix("n.csv, ").rpartition(": ")[0]


def test_a_record_is_two_readings_each_at_the_midnight_that_ends_its_date() -> None:
    rows = read(register(), "550,N,,O,")
    shown = [(row["meter_id"], row["read_date"], row["register_code"], row["reading_kwh"]) for row in rows]
    assert shown == [
        ("NMI0000001-11", date(2024, 6, 29), "total", 100.5),
        ("NMI0000001-11", date(2024, 7, 30), "total", 130.5),
    ]
    assert [(row["source_row"], row["source_rows"], row["unreadable"]) for row in rows] == [(2, 0, []), (2, 1, [])]


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("20240701000000", date(2024, 6, 30)),
        ("20240701000001", date(2024, 6, 30)),
        ("20240701000059", date(2024, 6, 30)),
        ("20240701235900", date(2024, 7, 1)),
        ("20240701235959", date(2024, 7, 1)),
        ("20240701000100", None),
        ("20240701235859", None),
        ("20240701093055", None),
    ],
)
def test_only_a_reading_within_a_minute_of_midnight_belongs_to_a_date(at: str, ends: date | None) -> None:
    _, row = read(register(current=f"00130.5,{at},A,,"))
    assert row["read_date"] == ends
    # a reading by day is kept with its value and its time, in quarantine
    assert row["unreadable"] == ([] if ends else ["ReadDate"])
    assert row["reading_kwh"] == 130.5
    if not ends:
        assert dict(row["raw_values"])["ReadDate"] == at


def test_the_quantity_is_that_of_a_day_only_where_the_readings_begin_and_end_it() -> None:
    day = read(register("1,20240701000000,A,,", "31,20240702000000,A,,", unit="Wh"))
    assert [(row["read_date"].day, row["reading_kwh"], row["day_kwh"]) for row in day] == [
        (30, 0.001, None),
        (1, 0.031, 0.03),
    ]
    month = read(register())
    assert [row["day_kwh"] for row in month] == [None, None]
    by_day = read(register("1,20240701093000,A,,", "31,20240702093000,A,,"))
    assert [row["day_kwh"] for row in by_day] == [None, None]


def test_what_is_fed_in_does_not_pass_for_what_is_drawn() -> None:
    rows = read(register(), register(direction="I", suffix="12", quantity="-30"))
    assert [(row["meter_id"], row["register_code"]) for row in rows] == [
        ("NMI0000001-11", "total"),
        ("NMI0000001-11", "total"),
        ("NMI0000001-12", "export"),
        ("NMI0000001-12", "export"),
    ]


def test_reactive_energy_which_a_feed_does_not_list_is_no_reading_of_it() -> None:
    row, _ = read(register(unit="KVARH"))
    assert (row["register_code"], row["unreadable"]) == (None, ["Channel"])


def test_each_reading_has_its_own_quality_and_null_leaves_none() -> None:
    rows = read(register("00100.5,20240630000000,S61,45,Locked Gate", "0,20240731000000,N,,"))
    assert [(row["quality_method"], row["reading_kwh"]) for row in rows] == [("S61", 100.5), ("N", None)]


def test_records_come_in_the_order_of_the_file_the_previous_reading_first() -> None:
    rows = read(register(), "550,N,,O,", register("130.5,20240731000000,A,,", "140,20240831000000,E64,,"))
    assert [(row["reading_kwh"], row["source_row"]) for row in rows] == [(100.5, 2), (130.5, 2), (130.5, 4), (140, 4)]


def test_a_feed_may_ask_for_the_fields_of_the_records() -> None:
    feed = replace(
        FEED,
        columns=(
            FeedColumn("meter_id", "MeterSerialNumber"),
            FeedColumn("read_date", "ReadDate", "date"),
            FeedColumn("register_code", "RegisterID", values={"1": "total"}),
            FeedColumn("read_at", "RegisterReadDateTime", "timestamp"),
            FeedColumn("updated_at", "UpdateDateTime", "timestamp"),
        ),
    )
    _, row = read(register(current="00130.5, 20240731093000,A,,"), feed=feed)
    assert (row["meter_id"], row["register_code"]) == ("SERIAL1", "total")
    assert row["read_at"] == datetime(2024, 7, 30, 23, 30, tzinfo=UTC)
    assert row["updated_at"] == datetime(2024, 7, 31, 15, 2, 3, tzinfo=UTC)


def test_a_declaration_that_cannot_be_met_is_no_fault_of_the_file() -> None:
    with pytest.raises(ValueError, match="needs a column with the target register_code"):
        read(register(), feed=replace(FEED, columns=FEED.columns[:2]))


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "line 2: the file holds no readings: its end follows its header"),
        (["550,N,,O,"], "line 2: a 550 record cannot follow a 100 record, only 250 or 550"),
        (["200,NMI0000001,E1,1,E1,N1,,kWh,30,"], "line 2: the line does not begin with the number of a record of NEM13 "
            "(100, 250, 550, 900): a broken line?"),
        ([register(), "550,no,,O,"], "line 3: PreviousTransCode of the 550 record is not a capital letter"),
        ([register(), "550,N,,O,,,x"], "line 3: the 550 record has 7 fields where it can have 5"),
        ([register().replace("NMI0000001", "")], "line 2: the 250 record has no NMI"),
        ([register(suffix="")], "line 2: the 250 record has no NMISuffix"),
        ([register(direction="X")], "line 2: DirectionIndicator is neither E (export) nor I (import)"),
        ([register(unit="kW")], "line 2: UOM is not Wh, kWh, MWh, varh, kvarh or Mvarh"),
        ([register(unit="")], "line 2: UOM is not Wh, kWh, MWh, varh, kvarh or Mvarh"),
        ([register(), register(previous="x,20240630000000,A,,")], "line 3: PreviousRegisterRead is no number"),
        ([register(previous=",20240630000000,A,,")], "line 2: PreviousRegisterRead is missing"),
        ([register(current="1,20240731,A,,")], "line 2: CurrentRegisterReadDateTime is no time (CCYYMMDDhhmmss)"),
        ([register(current="1,20240731250000,A,,")], "line 2: CurrentRegisterReadDateTime is no time (CCYYMMDDhhmmss)"),
        ([register(current="1,20240731000000,V,,")],
            "line 2: CurrentQualityMethod is none of A, E, F, S and N with their methods"),
        ([register(current="1,20240629235900,A,,")], "line 2: the current reading is older than the previous one"),
        ([register(quantity="many")], "line 2: Quantity is no number"),
        ([register() + ",,x"], "line 2: the 250 record has 25 fields where it can have 23"),
    ],
)  # fmt: skip
def test_a_broken_structure_refuses_the_file_with_its_line(records: list[str], said: str) -> None:
    assert problem(*records) == said


def test_a_file_that_is_cut_or_goes_on_is_refused() -> None:
    assert problem(register(), end="") == "line 2: the file is cut: it does not end with a 900 record"
    assert problem(register(), "550,N", end="90") == "line 4: the file is cut: it does not end with a 900 record"
    assert problem(register(), "900", register()) == "line 4: the file goes on after the 900 record that ends it"
