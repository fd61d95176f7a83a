from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels import curve_wide
from jobs.kernels.curve_columns import METRIC_COLUMNS
from jobs.kernels.curve_wide import iter_curves, point_columns, read_curves
from jobs.kernels.files import BadFile
from schemas.feed import Curve, Feed, FeedColumn

# four intervals a day keep the curves readable; the readers know no other difference
FEED = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="curve_wide",
    columns=(
        FeedColumn("meter_id", "电表编号"),
        FeedColumn("read_date", "数据日期", "date"),
        FeedColumn("channel", "数据类型", values={"正向有功": "import"}, optional=True),
    ),
    curve=Curve(interval_minutes=360),
    time_zone="Asia/Shanghai",
)
HEADER = "电表编号,数据日期,0600,1200,1800,2400\n"


def read(data: str, feed: Feed = FEED) -> pa.Table:
    return read_curves(data.encode(), "m.csv", feed)[0]


def row_of(points: str, feed: Feed = FEED, header: str = HEADER) -> dict[str, Any]:
    """The only row of a file with these points."""
    (row,) = read(f"{header}M1,2025-06-30,{points}\n", feed).to_pylist()
    return dict(row)


def curve_of(points: str, feed: Feed = FEED, header: str = HEADER) -> list[float | None]:
    return list(row_of(points, feed, header)["kwh"])


def problem(data: str, feed: Feed = FEED) -> str:
    with pytest.raises(BadFile) as caught:
        read(data, feed)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- points -----------------------------------------------------------------------------------------------------------


def test_points_labelled_by_their_end_run_to_2400() -> None:
    points = point_columns(Curve())
    assert (points[0], points[1], points[-2], points[-1], len(points)) == ("0015", "0030", "2345", "2400", 96)


def test_points_labelled_by_their_start_run_from_midnight_and_may_be_half_hours() -> None:
    points = point_columns(Curve(interval_minutes=30, label="start", point_format="%H:%M:%S"))
    assert (points[0], points[1], points[-1], len(points)) == ("00:00:00", "00:30:00", "23:30:00", 48)


def test_a_day_that_does_not_divide_is_a_fault_of_the_declaration() -> None:
    with pytest.raises(ValueError, match="7 minutes"):
        point_columns(Curve(interval_minutes=7))


def test_points_are_found_by_name_in_any_order_and_come_in_the_order_of_time() -> None:
    header = "2400,数据日期,1200,电表编号,0600,1800\n"
    (row,) = read(header + "4,2025-06-30,2,M1,1,3\n").to_pylist()
    assert row["kwh"] == [1, 2, 3, 4]
    assert (row["meter_id"], row["read_date"]) == ("M1", date(2025, 6, 30))


def test_missing_points_are_named() -> None:
    message = problem("电表编号,数据日期,0600,2400\nM1,2025-06-30,1,2\n")
    assert "the header has 2 point columns where intervals of 360 minutes labelled by their end make 4" in message
    assert "missing 1200, 1800" in message


def test_points_too_many_are_named() -> None:
    assert "unexpected 0030" in problem(HEADER.replace("2400", "2400,0030"))


def test_labels_of_the_other_end_are_refused() -> None:
    assert "missing 2400; unexpected 0000" in problem(HEADER.replace("2400", "0000"))


def test_half_hours_where_quarters_are_declared_are_refused() -> None:
    half_hours = ",".join(point_columns(Curve(interval_minutes=30)))
    message = problem(f"电表编号,数据日期,{half_hours}\n", replace(FEED, curve=Curve()))
    assert "the header has 48 point columns where intervals of 15 minutes" in message
    assert "missing 0015, 0045, 0115 … 2345 (48 columns)" in message


def test_an_extra_column_is_named_and_does_no_harm() -> None:
    data = HEADER.replace("2400", "2400,台区") + "M1,2025-06-30,1,2,3,4,T1\n"
    rows, extra = read_curves(data.encode(), "m.csv", FEED)
    assert extra == ["台区"]
    assert rows.column("kwh").to_pylist() == [[1, 2, 3, 4]]


def test_a_missing_declared_column_is_named() -> None:
    assert "the header lacks 数据日期" in problem("电表编号,0600,1200,1800,2400\n")


# -- values -----------------------------------------------------------------------------------------------------------


def test_a_row_is_a_meter_day_with_counts_and_quality() -> None:
    row = row_of("0.1,,0.3,0.2")
    assert row["kwh"] == pytest.approx([0.1, None, 0.3, 0.2])
    assert row["quality"] == [1, 0, 1, 1]
    assert row["total_kwh"] == 0.6
    assert (row["measured_count"], row["estimated_count"], row["missing_count"]) == (3, 0, 1)
    assert (row["unreadable"], row["raw_values"], row["source_file"], row["source_row"]) == ([], None, "m.csv", 1)
    assert row["interval_minutes"] == 360


def test_the_columns_have_the_types_of_the_table() -> None:
    kinds = {field.name: str(field.type) for field in read(HEADER + "M1,2025-06-30,1,2,3,4\n").schema}
    assert kinds["kwh"] == "list<item: float>"
    assert kinds["quality"] == "list<item: int8>"
    assert kinds["read_date"] == "date32[day]"
    assert {kinds[name] for name in ("measured_count", "estimated_count", "missing_count", "interval_minutes")} == {
        "int32"
    }
    assert {name for name, _ in METRIC_COLUMNS} <= set(kinds)


def test_a_day_without_any_value_has_no_total() -> None:
    row = row_of(",,,")
    assert row["kwh"] == [None] * 4
    assert row["total_kwh"] is None
    assert row["missing_count"] == 4


def test_power_is_turned_into_energy_of_the_interval() -> None:
    half_hours = Curve(interval_minutes=360, unit="kW", scale=0.001)
    assert curve_of("1000,2000,0,500", replace(FEED, curve=half_hours)) == [6.0, 12.0, 0.0, 3.0]
    assert curve_of("1000,2000,0,500") == [1000.0, 2000.0, 0.0, 500.0]


def test_a_scale_multiplies_what_is_written() -> None:
    assert curve_of("1000,2000,,500", replace(FEED, curve=replace(FEED.curve, scale=0.001))) == [1.0, 2.0, None, 0.5]


@pytest.mark.parametrize("word", ["--", "N/A", "nan", "NaN", "inf", "-Infinity", "1,5", "1.5x", "1e999", "0x1F", '"'])
def test_a_word_in_a_number_becomes_a_gap_that_is_named(word: str) -> None:
    written = '"' + word.replace('"', '""') + '"'
    row = row_of(f"0.1,{written},0.3,")
    assert row["kwh"] == pytest.approx([0.1, None, 0.3, None])
    assert row["quality"] == [1, 0, 1, 0]
    assert row["missing_count"] == 2
    assert row["unreadable"] == ["1200"]
    assert dict(row["raw_values"]) == {
        "电表编号": "M1",
        "数据日期": "2025-06-30",
        "0600": "0.1",
        "1200": word,
        "1800": "0.3",
        "2400": "",
    }


def test_a_person_among_the_points_is_masked() -> None:
    row = row_of("0.1,张晓伟,13812345678,x")
    assert row["unreadable"] == ["1200", "2400"]
    raw = dict(row["raw_values"])
    assert [raw[point] for point in ("0600", "1200", "1800", "2400")] == ["0.1", "[name]", "[phone]", "x"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_words_are_found_in_their_rows_alone(end: str, blank: str) -> None:
    lines = [
        "M1,2025-06-30,1,2,3,4",
        "M2,2025-06-30,1,,3,4",
        "M3,2025-06-30,--,2,,4",
        "M4,2025-06-30,,N/A,--,4" + blank,
    ]
    rows = read(end.join([HEADER.strip(), *lines]))
    assert rows.column("unreadable").to_pylist() == [[], [], ["0600"], ["1200", "1800"]]
    assert rows.column("kwh").to_pylist() == [[1, 2, 3, 4], [1, None, 3, 4], [None, 2, None, 4], [None, None, None, 4]]
    assert [raw and dict(raw)["电表编号"] for raw in rows.column("raw_values").to_pylist()] == [None, None, "M3", "M4"]


def test_an_empty_line_does_not_shift_what_is_read_again() -> None:
    rows = read(HEADER + "M1,2025-06-30,1,,3,4\n\nM2,2025-06-30,--,2,3,4\nM3,2025-06-30,1,2,,4")
    assert rows.column("unreadable").to_pylist() == [[], ["0600"], []]
    assert rows.column("kwh").to_pylist() == [[1, None, 3, 4], [None, 2, 3, 4], [1, 2, None, 4]]


def test_words_of_the_file_before_change_nothing_in_the_next() -> None:
    plain = HEADER + "M1,2025-06-30,1,,3,4\nM2,2025-06-30,1,2,?,4\n"
    alone = read(plain)
    assert read(HEADER + "M1,2025-06-30,--,2,3,4\nM2,2025-06-30,1,N/A,3,4\n").column("kwh").null_count == 0
    assert read(plain).equals(alone)
    assert read(plain.replace("?", "5")).column("unreadable").to_pylist() == [[], []]


def test_more_words_than_are_learned_are_found_all_the_same() -> None:
    rows = read(HEADER + "".join(f"M{n},2025-06-30,word{n},2,3,4\n" for n in range(100)))
    assert rows.column("unreadable").to_pylist() == [["0600"]] * 100
    assert rows.column("total_kwh").to_pylist() == [9.0] * 100


def test_a_date_or_channel_that_cannot_be_read_is_named_beside_the_points() -> None:
    header = HEADER.replace("数据日期", "数据日期,数据类型")
    (row,) = read(header + "M1,2025-06-31,反向,1,x,3,4\n").to_pylist()
    assert row["unreadable"] == ["1200", "数据日期", "数据类型"]
    assert (row["read_date"], row["channel"]) == (None, None)


def test_a_stamp_of_2400_belongs_to_the_day_it_ends() -> None:
    assert read(HEADER + "M1,2025-06-30 24:00:00,1,2,3,4\n").column("read_date").to_pylist() == [date(2025, 6, 30)]


def test_blanks_around_a_number_are_no_part_of_it() -> None:
    row = row_of("1 , ,3,4")
    assert (row["kwh"], row["unreadable"]) == ([1, None, 3, 4], [])


def test_a_header_alone_gives_one_empty_piece_with_all_columns() -> None:
    ((rows, extra),) = iter_curves(HEADER.encode(), "m.csv", FEED)
    assert (rows.num_rows, extra) == (0, [])
    assert rows.schema == read(HEADER + "M1,2025-06-30,1,2,3,4\n").schema


def test_a_file_cut_in_a_row_is_refused() -> None:
    assert "m.csv, row 2: the file is cut: its last row has 4 of 6 columns and the line has no end" in problem(
        HEADER + "M1,2025-06-30,1,2,3,4\nM2,2025-06-30,1,2"
    )


def test_a_row_of_another_width_is_refused_also_beside_words() -> None:
    assert "m.csv, row 2: the row has 7 columns, the header 6" in problem(
        HEADER + "M1,2025-06-30,--,2,3,4\nM2,2025-06-30,1,2,3,4,5\nM3,2025-06-30,1,2,3,4\n"
    )


# -- pieces -----------------------------------------------------------------------------------------------------------


def written(rows: int, header: str = HEADER) -> bytes:
    lines = [f"M{n},2025-06-{n % 28 + 1:02d},{n / 7:.3f},{'--' if n % 11 == 0 else n},,{n * 3}" for n in range(rows)]
    return (header + "\n".join(lines) + "\n").encode()


def test_a_file_read_in_pieces_gives_the_rows_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(500)
    whole, _ = read_curves(data, "m.csv", FEED)
    monkeypatch.setattr(curve_wide, "_PIECE_BYTES", 700)
    pieces = [rows for rows, _ in iter_curves(data, "m.csv", FEED)]
    assert len(pieces) > 10
    assert pa.concat_tables(pieces).combine_chunks().equals(whole.combine_chunks())
    assert whole.column("source_row").to_pylist() == list(range(1, 501))


def test_a_bad_row_is_numbered_in_the_file_and_not_in_its_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_wide, "_PIECE_BYTES", 700)
    with pytest.raises(BadFile, match="row 451: the row has 2 columns"):
        list(iter_curves(written(450) + b"M,2025-06-30\n" + written(50, ""), "m.csv", FEED))


def test_the_same_file_gives_the_same_table_to_the_last_byte() -> None:
    once, again = (read_curves(written(300), "m.csv", FEED)[0] for _ in range(2))
    assert once.equals(again)


# -- metrics ----------------------------------------------------------------------------------------------------------

EIGHT = replace(FEED, curve=Curve(interval_minutes=180))
EIGHT_HEADER = "电表编号,数据日期," + ",".join(point_columns(EIGHT.curve)) + "\n"


def test_negative_values_are_counted() -> None:
    assert row_of("1,-2,,4,-0.5,0,-0,3", EIGHT, EIGHT_HEADER)["negative_count"] == 2
    assert row_of(",,,,,,,", EIGHT, EIGHT_HEADER)["negative_count"] == 0


def test_the_metrics_of_many_random_curves_agree_with_a_plain_loop() -> None:
    random = np.random.default_rng(5)
    values = [None, 0.0, 0.0, 1.0, 1.0, 2.5, -1.0, 30.0]
    curves = [[values[n] for n in drawn] for drawn in random.integers(0, len(values), (400, 8))]
    lines = "".join("M,2025-06-30," + ",".join("" if v is None else str(v) for v in c) + "\n" for c in curves)
    rows = read(EIGHT_HEADER + lines, EIGHT).to_pylist()
    assert len(rows) == len(curves)
    for row, curve in zip(rows, curves, strict=True):
        known = [value for value in curve if value is not None]
        assert row["kwh"] == curve
        assert row["total_kwh"] == (pytest.approx(sum(known)) if known else None)
        assert row["negative_count"] == sum(value < 0 for value in known)


# -- ways to write a day ----------------------------------------------------------------------------------------------

ELAPSED = replace(
    FEED,
    columns=(FeedColumn("meter_id", "m"), FeedColumn("read_date", "d", "date")),
    curve=Curve(interval_minutes=30, day="elapsed", point_format="P{n}"),
    time_zone="Australia/Sydney",
)
SHORT, NORMAL, LONG = "2012-10-07", "2013-05-01", "2013-04-07"


def elapsed(points: int, *days: str, feed: Feed = ELAPSED, written: int | None = None) -> list[dict[str, Any]]:
    """Rows of a file with so many point columns; the first ones (or all) hold their numbers."""
    header = "m,d," + ",".join(f"P{n + 1}" for n in range(points))
    values = [str(n + 1) if written is None or n < written else "" for n in range(points)]
    lines = [f"M{n},{day},{','.join(values)}" for n, day in enumerate(days)]
    return list(read("\n".join([header, *lines, ""]), feed).to_pylist())


@pytest.mark.parametrize("columns", [46, 48, 50])
def test_elapsed_days_are_as_long_as_their_dates_whatever_the_file(columns: int) -> None:
    rows = elapsed(columns, NORMAL, SHORT, LONG, NORMAL)
    assert [row["source_row"] for row in rows] == [1, 2, 3, 4]
    assert [len(row["kwh"]) for row in rows] == [48, 46, 50, 48]
    for row in rows:
        length = len(row["kwh"])
        assert row["kwh"] == [n + 1 if n < columns else None for n in range(length)]
        assert row["missing_count"] == max(length - columns, 0)
        assert row["surplus_count"] == max(columns - length, 0)
        assert len(row["quality"]) == length


def test_empty_columns_beyond_the_end_of_a_date_are_no_surplus() -> None:
    (short,) = elapsed(50, SHORT, written=46)
    assert (short["surplus_count"], short["missing_count"], short["total_kwh"]) == (0, 0, 46 * 47 / 2)


def test_words_beyond_the_end_of_a_date_stand_for_nothing() -> None:
    header = "m,d," + ",".join(f"P{n + 1}" for n in range(50))
    points = ["1"] * 46 + ["-", "-", "-", "-"]
    short, normal, long = read(
        "\n".join([header, *(f"M,{day},{','.join(points)}" for day in (SHORT, NORMAL, LONG)), ""]), ELAPSED
    ).to_pylist()
    assert [row["unreadable"] for row in (short, normal, long)] == [
        [], ["P47", "P48"], ["P47", "P48", "P49", "P50"]
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [24, 45, 47, 49, 51, 96])
def test_a_header_of_no_dates_length_is_refused(columns: int) -> None:
    header = "m,d," + ",".join(f"P{n + 1}" for n in range(columns))
    assert "intervals of 30 minutes labelled by their end make 46 or 48 or 50" in problem(f"{header}\n", ELAPSED)


def test_a_zone_without_clock_changes_knows_one_length() -> None:
    assert "make 48: " in problem(
        "m,d," + ",".join(f"P{n + 1}" for n in range(46)) + "\n", replace(ELAPSED, time_zone="UTC")
    )
    lord_howe = replace(ELAPSED, time_zone="Australia/Lord_Howe")
    rows = elapsed(49, "2013-10-06", "2013-04-07", "2013-05-01", feed=lord_howe)
    assert [len(row["kwh"]) for row in rows] == [47, 49, 48]


def test_an_elapsed_day_without_a_readable_date_keeps_24_hours() -> None:
    (row,) = elapsed(50, "2013-02-30")
    assert (len(row["kwh"]), row["read_date"], row["unreadable"]) == (48, None, ["d"])


def test_headers_of_times_count_on_beyond_24_hours() -> None:
    feed = replace(ELAPSED, curve=replace(ELAPSED.curve, interval_minutes=60, point_format="%H:%M"))
    header = "m,d," + ",".join(f"{n + 1:02d}:00" for n in range(25))
    (row,) = read(f"{header}\nM,{LONG},{','.join(map(str, range(25)))}\n", feed).to_pylist()
    assert row["kwh"] == list(range(25))
    assert "make 23 or 24 or 25: unexpected 26:00" in problem(f"{header},26:00\n", feed)


def test_an_elapsed_file_in_pieces_gives_the_rows_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    header = "m,d," + ",".join(f"P{n + 1}" for n in range(50))
    days = [SHORT, NORMAL, LONG, NORMAL, "x"]
    lines = [f"M{n},{days[n % 5]},{','.join(str(n + k) for k in range(50))}" for n in range(60)]
    data = "\n".join([header, *lines, ""]).encode()
    whole, _ = read_curves(data, "m.csv", ELAPSED)
    monkeypatch.setattr(curve_wide, "_PIECE_BYTES", 900)
    pieces = [rows for rows, _ in iter_curves(data, "m.csv", ELAPSED)]
    assert len(pieces) > 5
    assert pa.concat_tables(pieces).to_pylist() == whole.to_pylist()


NUMBERED = replace(FEED, curve=replace(FEED.curve, point_format="P{n}"))


def test_numbered_headers_are_found_by_name_in_any_order() -> None:
    header = "P4,数据日期,P2,电表编号,P1,P3\n"
    (row,) = read(header + "4,2025-06-30,2,M1,1,3\n", NUMBERED).to_pylist()
    assert row["kwh"] == [1, 2, 3, 4]
    assert "missing P3; unexpected P5" in problem(header.replace("P3", "P5"), NUMBERED)
    assert "unexpected P5" in problem(header.replace("P3", "P3,P5"), NUMBERED)
    _, extra = read_curves(header.replace("P3", "P3,PX").encode(), "m.csv", NUMBERED)
    assert extra == ["PX"]


@pytest.mark.parametrize(("minutes", "points"), [(1, 1440), (5, 288), (10, 144), (20, 72), (60, 24), (120, 12)])
def test_a_day_of_any_interval_that_divides_it_is_read(minutes: int, points: int) -> None:
    curve = Curve(interval_minutes=minutes)
    header = "电表编号,数据日期," + ",".join(point_columns(curve)) + "\n"
    (row,) = read(header + "M1,2025-06-30," + ",".join(["0.5"] * points), replace(FEED, curve=curve)).to_pylist()
    assert (len(row["kwh"]), row["total_kwh"]) == (points, points / 2)


FROM_THIRD = replace(FEED, curve=replace(FEED.curve, first_point=3))


@pytest.mark.parametrize("names", ["a,b,c,d", "kWh,kWh,kWh,kWh", ",,,", "4,3,2,1"])
def test_points_by_position_are_read_whatever_their_headers_say(names: str) -> None:
    row = row_of("1,2,x,4", FROM_THIRD, f"电表编号,数据日期,{names}\n")
    assert row["kwh"] == [1, 2, None, 4]
    assert len(row["unreadable"]) == 1
    assert len(dict(row["raw_values"])) == 6


def test_points_by_position_end_at_the_next_declared_column_or_the_end() -> None:
    columns = (FeedColumn("meter_id", "m"), FeedColumn("read_date", "d", "date"), FeedColumn("channel", "k"))
    feed = replace(FROM_THIRD, columns=columns)
    assert row_of("1,2,3,4,import", feed, "m,d,a,b,c,e,k\n")["channel"] == "import"
    assert row_of("1,2,3,4,", FROM_THIRD, "电表编号,数据日期,a,b,c,e,\n")["kwh"] == [1, 2, 3, 4]
    message = problem("m,d,a,b,c,e,f,k\n", feed)
    assert "it has 5 columns from column 3 on, up to the next declared one or the end" in message
    assert "it has 3 columns from column 3 on" in problem("m,d,a,b,c,k\n", feed)


def test_a_file_without_header_is_read_by_position() -> None:
    columns = (FeedColumn("read_date", "1", "date"), FeedColumn("meter_id", "2"))
    feed = replace(FROM_THIRD, columns=columns, has_header=False)
    rows = read("2025-06-30,M1,1,2,3,4\n2025-06-30,M2,5,?,7,8\n", feed).to_pylist()
    assert [(row["meter_id"], row["kwh"]) for row in rows] == [("M1", [1, 2, 3, 4]), ("M2", [5, None, 7, 8])]
    assert [row["source_row"] for row in rows] == [1, 2]
    assert (rows[1]["unreadable"], dict(rows[1]["raw_values"])["4"]) == (["4"], "?")
    assert "m.csv, row 2: the row has 5 columns, the first one 6" in problem(
        "2025-06-30,M1,1,2,3,4\n2025-06-30,M1,1,2,3\n2025-06-30,M1,1,2,3,4\n", feed
    )
    assert "its lines are divided by a semicolon" in problem("2025-06-30;M1;1;2;3;4\n", feed)


def test_the_quality_of_a_row_holds_for_its_values() -> None:
    flags = {"A": "measured", "E": "estimated", "H": "edited", "N": "missing"}
    feed = replace(FEED, columns=(*FEED.columns, FeedColumn("quality", "flag", values=flags)))
    lines = [f"M,2025-06-30,{flag},1,,3,4\n" for flag in ("A", "E", "H", "N", "", "?")]
    table = read("电表编号,数据日期,flag,0600,1200,1800,2400\n" + "".join(lines), feed)
    assert table.column_names.count("quality") == 1
    rows = table.to_pylist()
    assert [row["quality"] for row in rows] == [
        [1, 0, 1, 1], [2, 0, 2, 2], [9, 0, 9, 9], [0] * 4, [1, 0, 1, 1], [0] * 4
    ]  # fmt: skip
    assert [row["total_kwh"] for row in rows] == [8, 8, 8, None, 8, None]
    assert [(row["measured_count"], row["estimated_count"]) for row in rows[:3]] == [(3, 0), (0, 3), (0, 3)]
    assert rows[5]["unreadable"] == ["flag"]
    assert dict(rows[5]["raw_values"])["0600"] == "1"
