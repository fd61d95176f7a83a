from dataclasses import replace

import pyarrow as pa
import pytest

from jobs.kernels import delimited
from jobs.kernels.files import BadFile
from jobs.kernels.table_csv import read_table
from schemas.feed import Feed, FeedColumn

FEED = Feed(
    name="weather_hours",
    table="core.weather_hours",
    reader="table_csv",
    columns=(
        FeedColumn("place", "地市"),
        FeedColumn("temperature_c", "气温(℃)", "double"),
        FeedColumn("remark", "备注"),
    ),
    time_zone="Asia/Shanghai",
)
HEADER = "地市,气温(℃),备注\n"


def read(data: str | bytes, feed: Feed = FEED) -> pa.Table:
    return read_table(data.encode() if isinstance(data, str) else data, "w.csv", feed)[0]


def problem(data: str | bytes, feed: Feed = FEED) -> str:
    with pytest.raises(BadFile) as caught:
        read(data, feed)
    message = str(caught.value)
    assert message.startswith("w.csv")
    assert "\n" not in message
    return message


def test_missing_columns_are_all_named_with_what_stands_there_instead() -> None:
    message = problem("地市,temp,note\n杭州,1.5,\n")
    assert "the header lacks 气温(℃), 备注 (the header has temp, note instead)" in message


def test_an_extra_column_is_named_and_does_no_harm() -> None:
    rows, extra = read_table("地市,来源,气温(℃),备注,\n杭州,x,1.5,,\n".encode(), "w.csv", FEED)
    assert extra == ["来源", "(column 5 without a name)"]
    assert rows.column("temperature_c").to_pylist() == [1.5]


def test_columns_are_found_by_name_in_any_order_and_with_blanks_around() -> None:
    assert read("备注, 气温(℃) ,地市\nx,1.5,杭州\n").select(["place", "temperature_c", "remark"]).to_pylist() == [
        {"place": "杭州", "temperature_c": 1.5, "remark": "x"}
    ]


@pytest.mark.parametrize(("sign", "word"), [(";", "a semicolon"), ("\t", "a tab"), ("|", "a bar")])
def test_another_delimiter_is_named(sign: str, word: str) -> None:
    assert f"the header is divided by {word}, the feed declares a comma" in problem(HEADER.replace(",", sign))


def test_a_declared_delimiter_is_used() -> None:
    feed = replace(FEED, delimiter=";")
    assert read("地市;气温(℃);备注\n杭州;1.5;a,b\n", feed).column("remark").to_pylist() == ["a,b"]
    assert "the header is divided by a comma, the feed declares a semicolon" in problem(HEADER, feed)


def test_utf8_with_a_byte_order_mark_is_read() -> None:
    assert read(b"\xef\xbb\xbf" + (HEADER + "杭州,1.5,\n").encode()).column("place").to_pylist() == ["杭州"]


def test_gbk_where_utf8_is_declared_is_refused_by_name() -> None:
    message = problem((HEADER + "杭州,1.5,\n").encode("gb18030"))
    assert "declared as utf-8 and looks like GBK" in message
    assert "set the feed's encoding to gbk" in message


def test_utf8_where_gbk_is_declared_is_refused_by_name() -> None:
    message = problem(HEADER + "杭州,1.5,\n", replace(FEED, encoding="gbk"))
    assert "declared as gbk and looks like UTF-8" in message


def test_utf16_is_refused_by_name() -> None:
    assert "looks like UTF-16" in problem((HEADER + "杭州,1.5,\n").encode("utf-16"))


def test_gbk_is_read_where_it_is_declared() -> None:
    data = (HEADER + "杭州,1.5,晴\n").encode("gb18030")
    assert read(data, replace(FEED, encoding="gbk")).column("remark").to_pylist() == ["晴"]


def test_gbk_that_happens_to_be_utf8_is_known_by_its_header() -> None:
    feed = replace(FEED, columns=(FeedColumn("place", "模"),), encoding="gbk")
    data = "模\n模\n".encode("gbk")
    assert data.decode("utf-8") == "ģ\nģ\n"
    assert read(data, feed).column("place").to_pylist() == ["模"]


def test_bytes_of_no_encoding_are_placed() -> None:
    assert "w.csv, row 2: it is not in the declared encoding utf-8" in problem(
        (HEADER + "杭州,1.5,\n").encode() + b"\xff,2,\n"
    )


def test_an_unknown_declared_encoding_is_a_fault_of_the_declaration() -> None:
    assert "'utf-9' is not known: mend the feed's file" in problem(HEADER, replace(FEED, encoding="utf-9"))


def test_a_repeated_header_name_is_refused() -> None:
    assert "the header names 地市 more than once" in problem("地市,地市,气温(℃),备注\n")


@pytest.mark.parametrize("data", ["", "\n", "  \n杭州,1,\n"])
def test_an_empty_file_or_first_line_is_refused(data: str) -> None:
    assert "empty" in problem(data)


def test_a_file_without_header_does_not_show_what_its_rows_hold() -> None:
    message = problem("杭州,1.5,张伟 13812345678\n")
    assert "names none of the columns 地市, 气温(℃), 备注" in message
    assert "138" not in message
    assert "张伟" not in message


@pytest.mark.parametrize("data", [HEADER, HEADER.strip()])
def test_a_header_alone_is_no_row_and_no_fault(data: str) -> None:
    rows = read(data)
    assert rows.num_rows == 0
    assert rows.column("temperature_c").type == pa.float64()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_cut_in_a_row_is_refused_with_the_row(end: str) -> None:
    message = problem(HEADER + "杭州,1.5,\n宁波,2" + end)
    assert "w.csv, row 2: the file is cut: its last row has 2 of 3 columns" in message
    assert ("the line has no end" in message) == (not end)


def test_a_file_cut_in_quotation_marks_is_refused() -> None:
    message = problem(HEADER + '杭州,1.5,\n宁波,2.5,"cut in a')
    assert "the file is cut: its last value has no closing quotation mark" in message


def test_a_quotation_mark_within_a_value_is_a_sign_as_any_other() -> None:
    assert read(HEADER + '杭州,1.5,5" pipe\n').column("remark").to_pylist() == ['5" pipe']


@pytest.mark.parametrize(("row", "found"), [("宁波,2", 2), ("宁波,1,234.5,x", 4)])
def test_a_row_of_another_width_is_refused_with_its_number_and_without_its_content(row: str, found: int) -> None:
    message = problem(HEADER + f"杭州,1.5,\n{row}\n温州,3,\n")
    assert f"w.csv, row 2: the row has {found} columns, the header 3" in message
    assert "宁波" not in message


def test_quoted_values_hold_delimiters_line_breaks_and_quotation_marks() -> None:
    rows = read(HEADER + '"杭州","1.5","a,b\nc ""d"""\r\n宁波,2,e')
    assert rows.column("remark").to_pylist() == ['a,b\nc "d"', "e"]
    assert rows.column("source_row").to_pylist() == [1, 2]


def test_line_breaks_in_quotes_are_kept_where_a_block_of_the_parser_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", 64)
    rows = read(HEADER + '杭州,1.5,"a\nb\nc"\n' * 50)
    assert rows.column("remark").to_pylist() == ["a\nb\nc"] * 50
