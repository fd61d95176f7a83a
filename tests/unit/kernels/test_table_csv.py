from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from jobs.kernels.files import BadFile
from jobs.kernels.pseudonyms import customer_keys, decrypt_values, encrypt_values
from jobs.kernels.table_csv import read_table
from jobs.runtime.feed_files import FeedFiles
from schemas.feed import Feed, FeedColumn

SECRET, KEY = b"s" * 32, b"k" * 64
BILLS = Feed(
    name="bills",
    table="core.bills",
    reader="table_csv",
    columns=(
        FeedColumn("bill_id", "账单编号"),
        FeedColumn("customer_no", "户号", personal="customer_no"),
        FeedColumn("status", "状态", values={"正常": "issued", "冲红": "cancelled"}),
        FeedColumn("period_from", "起始日期", "date"),
        FeedColumn("total_kwh", "电量(kWh)", "double"),
        FeedColumn("total_yuan", "电费(元)", "decimal"),
        FeedColumn("is_paid", "已缴", "boolean", values={"是": "true", "否": "false"}, optional=True),
        FeedColumn("issued_at", "发行时间", "timestamp"),
        FeedColumn("country", constant="CN"),
        FeedColumn("bill_version", "版本号", "integer", constant="1"),
    ),
    time_zone="Asia/Shanghai",
)
HEADER = "账单编号,户号,状态,起始日期,电量(kWh),电费(元),已缴,发行时间\n"
REGISTERS = Feed(
    name="register_readings",
    table="core.register_readings",
    reader="table_csv",
    columns=(FeedColumn("meter_id", "电表编号"), FeedColumn("read_date", "数据日期", "date")),
    unpivot={"总示值": "total", "峰示值": "peak", "谷示值": "valley"},
    unpivot_key="register_code",
    unpivot_value="reading_kwh",
)
COMPLAINTS = Feed(
    name="complaints",
    table="core.complaints",
    reader="table_csv",
    columns=(
        FeedColumn("work_order_id", "工单编号"),
        FeedColumn("customer_no", "户号", personal="customer_no"),
        FeedColumn("name", "来电姓名", personal="name"),
        FeedColumn("phone", "来电电话", personal="phone"),
        FeedColumn("satisfaction", "满意度", "integer"),
        FeedColumn("content_masked", "受理内容", personal="free_text"),
    ),
)


def keys(values: pa.Array) -> pa.Array:
    return customer_keys(values, SECRET)


def encrypt(values: pa.Array) -> pa.Array:
    return encrypt_values(values, KEY)


def read(text: str, feed: Feed) -> pa.Table:
    return read_table(text.encode(), "b.csv", feed, keys, encrypt)[0]


def rows_of(text: str, feed: Feed, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in read(text, feed).select(list(columns)).to_pylist()]


def test_a_row_becomes_typed_values_in_the_order_of_the_feed() -> None:
    rows = read(HEADER + "B1,3200001, 冲红 ,2025-06-01,12.5,6.20,是,2025-07-01 24:00:00\n", BILLS)
    assert rows.column_names == [
        *("bill_id", "customer_key", "customer_no_encrypted", "status", "period_from", "total_kwh", "total_yuan"),
        *("is_paid", "issued_at", "country", "bill_version", "unreadable", "raw_values", "source_file", "source_row"),
    ]
    (row,) = rows.to_pylist()
    del row["customer_key"], row["customer_no_encrypted"]
    assert row == {
        "bill_id": "B1",
        "status": "cancelled",
        "period_from": date(2025, 6, 1),
        "total_kwh": 12.5,
        "total_yuan": Decimal("6.200000"),
        "is_paid": True,
        "issued_at": datetime(2025, 7, 1, 16, tzinfo=UTC),
        "country": "CN",
        "bill_version": 1,
        "unreadable": [],
        "raw_values": None,
        "source_file": "b.csv",
        "source_row": 1,
    }


def test_what_is_empty_is_null_and_readable() -> None:
    (row,) = read(HEADER + "B1,,,,,, ,\n", BILLS).to_pylist()
    assert row["unreadable"] == []
    assert [row[c] for c in ("customer_key", "status", "period_from", "total_kwh", "is_paid")] == [None] * 5


def test_what_cannot_be_read_is_named_by_source_column_with_what_was_written() -> None:
    text = HEADER + (
        "B1,3200001,正常,2025-06-01,12.5,6.2,是,2025-07-01 10:00:00\n"
        'B2,3200002,作废,2025-06-31,nan,"6,2",maybe,10 o\'clock\n'
    )
    good, bad = read(text, BILLS).to_pylist()
    assert (good["unreadable"], good["raw_values"]) == ([], None)
    assert bad["unreadable"] == ["状态", "起始日期", "电量(kWh)", "电费(元)", "已缴", "发行时间"]
    assert dict(bad["raw_values"]) == {
        "账单编号": "B2",
        "状态": "作废",
        "起始日期": "2025-06-31",
        "电量(kWh)": "nan",
        "电费(元)": "6,2",
        "已缴": "maybe",
        "发行时间": "10 o'clock",
    }
    assert [bad[c] for c in ("status", "period_from", "total_kwh", "total_yuan", "is_paid", "issued_at")] == [None] * 6
    assert bad["source_row"] == 2


def test_an_optional_column_may_be_absent_and_a_constant_gives_way_to_what_is_sent() -> None:
    header = HEADER.replace(",已缴", ",版本号")
    assert rows_of(header + "B1,,正常,,,,3,\n", BILLS, "is_paid", "bill_version") == [(None, 3)]


def test_a_code_for_nothing_can_be_declared() -> None:
    columns = (
        FeedColumn("status", "状态", values={"": "issued", "冲红": "cancelled"}),
        FeedColumn("bill_id", "账单编号"),
    )
    feed = replace(BILLS, columns=columns)
    assert rows_of("状态,账单编号\n,B1\n冲红,B2\nx,B3\n", feed, "status", "unreadable") == [
        ("issued", []),
        ("cancelled", []),
        (None, ["状态"]),
    ]


def test_a_constant_that_is_not_of_its_type_is_a_fault_of_the_declaration() -> None:
    columns = (FeedColumn("bill_id", "x"), FeedColumn("bill_version", type="integer", constant="one"))
    feed = replace(BILLS, columns=columns)
    with pytest.raises(ValueError, match="constant 'one' of column bill_version is no integer"):
        read("x\n1\n", feed)


def test_registers_become_a_row_each_and_keep_the_row_of_their_file() -> None:
    text = "电表编号,数据日期,总示值,峰示值,谷示值\nM1,2025-06-30,30,20,10\nM2,2025-06-30 24:00:00,7,,\n"
    columns = ("meter_id", "read_date", "register_code", "reading_kwh", "source_row")
    day = date(2025, 6, 30)
    assert rows_of(text, REGISTERS, *columns) == [
        ("M1", day, "total", 30.0, 1),
        ("M1", day, "peak", 20.0, 1),
        ("M1", day, "valley", 10.0, 1),
        ("M2", day, "total", 7.0, 2),
    ]


def test_a_register_that_cannot_be_read_spoils_its_own_row_and_a_date_all_of_them() -> None:
    text = "电表编号,数据日期,总示值,峰示值,谷示值\nM1,2025-06-30,30,x,10\nM2,2025-06-31,1,2,\n"
    assert rows_of(text, REGISTERS, "register_code", "reading_kwh", "unreadable") == [
        ("total", 30.0, []),
        ("peak", None, ["峰示值"]),
        ("valley", 10.0, []),
        ("total", 1.0, ["数据日期"]),
        ("peak", 2.0, ["数据日期"]),
    ]
    assert dict(read(text, REGISTERS).column("raw_values")[4].as_py())["峰示值"] == "2"


def test_a_row_without_any_register_is_not_lost() -> None:
    text = "电表编号,数据日期,总示值,峰示值,谷示值\nM1,2025-06-30,,,\nM2,2025-06-30,1,,\n"
    assert rows_of(text, REGISTERS, "meter_id", "register_code", "reading_kwh", "source_row") == [
        ("M1", None, None, 1),
        ("M2", "total", 1.0, 2),
    ]


def test_a_register_column_must_be_there() -> None:
    with pytest.raises(BadFile, match="the header lacks 谷示值"):
        read("电表编号,数据日期,总示值,峰示值\nM1,2025-06-30,1,2\n", REGISTERS)


def test_personal_values_leave_as_pseudonyms_encrypted_or_masked_only() -> None:
    text = "工单编号,户号,来电姓名,来电电话,满意度,受理内容\n"
    text += (
        'W1,3201234567,张晓伟,13812345678,很好,"张晓伟称户号3201234567停电,请回电138 1234 5678"\nW2,3201234567,,,5,\n'
    )
    rows = read(text, COMPLAINTS)
    first, second = rows.to_pylist()
    shown = str(rows.to_pylist())
    for personal in ("3201234567", "张晓伟", "13812345678", "1234 5678"):
        assert personal not in shown
    assert first["content_masked"] == "[name]称户号[number]停电,请回电[phone]"
    assert dict(first["raw_values"]) == {"工单编号": "W1", "满意度": "很好"}
    assert first["customer_key"] == second["customer_key"]
    assert decrypt_values(rows.column("name_encrypted").combine_chunks(), KEY).to_pylist() == ["张晓伟", None]
    assert decrypt_values(rows.column("phone_encrypted").combine_chunks(), KEY).to_pylist() == ["13812345678", None]


def test_personal_values_which_a_source_has_shifted_are_masked_where_they_came_to_stand() -> None:
    header = "工单编号,户号,来电姓名,来电电话,满意度,受理内容\n"
    # one column to the right, then one to the left: the phone number stands in the place of the name
    right, left = read(
        header + ",W1,3201234567,张晓伟,13812345678,5\nW2,乌日娜,13812345678,5,请乌日娜回电13812345678,\n", COMPLAINTS
    ).to_pylist()
    assert right["unreadable"] == left["unreadable"] == ["满意度"]
    assert dict(right["raw_values"])["满意度"] == "[phone]"
    assert dict(left["raw_values"]) == {"工单编号": "W2", "满意度": "请[personal]回电[name]"}


def test_a_number_that_no_table_holds_is_unreadable_and_masked_when_it_may_be_a_phone() -> None:
    header = "工单编号,户号,来电姓名,来电电话,满意度,受理内容\n"
    (row,) = read(header + "W1,3201234567,,,13800000000,\n", COMPLAINTS).to_pylist()
    assert (row["satisfaction"], row["unreadable"]) == (None, ["满意度"])
    assert dict(row["raw_values"])["满意度"] == "[phone]"


def test_personal_columns_are_not_read_without_the_means_to_hide_them() -> None:
    with pytest.raises(ValueError, match="feed complaints has personal columns"):
        read_table(b"x", "c.csv", COMPLAINTS)


def test_the_same_file_gives_the_same_table_to_the_last_byte() -> None:
    text = HEADER + "".join(
        f"B{n},32000{n % 7},正常,2025-06-0{n % 10},{n / 7},1,是,2025-07-01 10:00\n" for n in range(500)
    )
    once, again = read(text, BILLS), read(text, BILLS)
    assert once.equals(again)
    assert once.column("source_row").to_pylist() == list(range(1, 501))
    assert sum(len(names) for names in once.column("unreadable").to_pylist()) == 50


@pytest.mark.parametrize(
    ("header", "cell", "kind"),
    [("", "", "customer"), (",计量点类别", ",", "customer"), (",计量点类别", ",客户", "customer"),
     (",计量点类别", ",台区总表", "district"), (",计量点类别", ",路灯", None)],
)  # fmt: skip
def test_a_point_is_a_customer_s_unless_the_source_says_otherwise(header: str, cell: str, kind: str | None) -> None:
    feed = FeedFiles(None, "Asia/Shanghai").load("metering_points")
    columns = "计量点编号,户号,电表编号,综合倍率,安装日期,拆除日期,台区编号,线路编号,县,地市,电压等级"
    (row,) = read(f"{columns}{header}\nP1,,M1,1,2025-01-01,,T1,L1,X,Y,220V{cell}\n", feed).to_pylist()
    assert (row["point_kind"], row["customer_key"]) == (kind, None)
    assert row["unreadable"] == ([] if kind else ["计量点类别"])
