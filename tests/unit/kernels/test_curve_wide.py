from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
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


def metric(name: str, points: str) -> Any:
    return row_of(points, EIGHT, EIGHT_HEADER)[name]


@pytest.mark.parametrize(
    ("points", "missing", "zero", "constant"),
    [
        ("1,2,3,4,5,6,7,8", 0, 0, 1),
        ("1,1,1,4,5,5,7,8", 0, 0, 3),
        ("1,0,0,0,5,0,0,8", 0, 3, 1),
        ("1,1,,1,1,1,,", 2, 0, 3),
        ("0,0,0,0,0,0,0,0", 0, 8, 0),
        (",,,,,,,", 8, 0, 0),
        (",0,,0,0,,,7", 2, 2, 1),
        ("2,2,2,2,2,2,2,2", 0, 0, 8),
        ("-1,-1,0,0,0,0,0,0", 0, 6, 2),
    ],
)
def test_runs_are_counted_in_intervals(points: str, missing: int, zero: int, constant: int) -> None:
    assert metric("longest_missing_run", points) == missing
    assert metric("longest_zero_run", points) == zero
    assert metric("longest_constant_run", points) == constant


def test_negative_values_and_the_extremes_are_found() -> None:
    row = row_of("1,-2,,4,-0.5,0,2,3", EIGHT, EIGHT_HEADER)
    assert (row["negative_count"], row["min_kwh"], row["max_kwh"]) == (2, -2, 4)
    empty = row_of(",,,,,,,", EIGHT, EIGHT_HEADER)
    assert (empty["negative_count"], empty["min_kwh"], empty["max_kwh"], empty["spike_ratio"]) == (0, None, None, None)


@pytest.mark.parametrize(
    ("points", "ratio"),
    [
        ("1,2,1,1,40,1,1,1", 20.0),
        ("1,2,1,1,40,40,1,1", 1.0),
        ("5,5,5,5,5,5,5,5", 1.0),
        ("0,0,0,3,0,0,0,0", None),
        ("0,0,0,3,,,,", None),
        (",,,3,,,,", None),
    ],
)
def test_only_an_interval_that_stands_alone_is_a_spike(points: str, ratio: float | None) -> None:
    assert metric("spike_ratio", points) == ratio


def test_equal_curves_have_equal_hashes_and_others_do_not() -> None:
    curves = ["1,2,3,4,5,6,7,8", "2,1,3,4,5,6,7,8", "1,2,3,4,5,6,7,", "1,2,3,4,5,6,7,0", "0,0,0,0,0,0,0,0", ",,,,,,,"]
    hashes = [metric("curve_hash", curve) for curve in curves]
    assert len(set(hashes)) == len(curves)
    assert metric("curve_hash", "1.0,2.00,3,4,5,6,7,8") == hashes[0]
    assert metric("curve_hash", "-0,0,0,0,0,0,0,0") == hashes[4]


def slow_longest(flags: Sequence[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def test_the_metrics_of_many_random_curves_agree_with_a_plain_loop() -> None:
    random = np.random.default_rng(5)
    values = [None, 0.0, 0.0, 1.0, 1.0, 2.5, -1.0, 30.0]
    curves = [[values[n] for n in drawn] for drawn in random.integers(0, len(values), (400, 8))]
    lines = "".join("M,2025-06-30," + ",".join("" if v is None else str(v) for v in c) + "\n" for c in curves)
    rows = read(EIGHT_HEADER + lines, EIGHT).to_pylist()
    assert len(rows) == len(curves)
    for row, curve in zip(rows, curves, strict=True):
        known = [value for value in curve if value is not None]
        ordered = sorted(known, reverse=True)
        pairs = [a is not None and a == b and a != 0 for a, b in pairwise(curve)]
        assert row["kwh"] == curve
        assert row["total_kwh"] == (pytest.approx(sum(known)) if known else None)
        assert row["max_kwh"] == max(known, default=None)
        assert row["min_kwh"] == min(known, default=None)
        assert row["negative_count"] == sum(value < 0 for value in known)
        assert row["longest_missing_run"] == slow_longest([value is None for value in curve])
        assert row["longest_zero_run"] == slow_longest([value == 0 for value in curve])
        assert row["longest_constant_run"] == (slow_longest(pairs) + 1 if any(known) else 0)
        has_second = len(ordered) > 1 and ordered[1] > 0
        assert row["spike_ratio"] == (pytest.approx(ordered[0] / ordered[1]) if has_second else None)
