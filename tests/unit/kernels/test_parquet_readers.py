import io
import struct
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.kernels import parquet_files
from jobs.kernels.curve_long import iter_long
from jobs.kernels.files import BadFile
from jobs.kernels.pseudonyms import customer_keys, decrypt_values, encrypt_values
from jobs.kernels.readers import READERS
from jobs.kernels.table_csv import read_table
from schemas.feed import Curve, Feed, FeedColumn

SECRET, KEY = b"s" * 32, b"k" * 64
CURVES = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="curve_parquet",
    columns=(
        FeedColumn("meter_id", "meter"),
        FeedColumn("channel", "kind", values={"IMP": "import"}, optional=True),
        FeedColumn("interval_at", "time"),
        FeedColumn("value", "kwh"),
    ),
    curve=Curve(interval_minutes=360, label="start", day="elapsed", stamps="local"),
    time_zone="Australia/Sydney",
)
BILLS = Feed(
    name="bills",
    table="core.bills",
    reader="table_parquet",
    columns=(
        FeedColumn("bill_id", "bill"),
        FeedColumn("customer_no", "customer", personal="customer_no"),
        FeedColumn("phone", "phone", personal="phone"),
        FeedColumn("note", "note", personal="free_text", optional=True),
        FeedColumn("status", "status", values={"1": "issued", "2": "cancelled"}),
        FeedColumn("period_from", "from", "date"),
        FeedColumn("total_kwh", "kwh", "double"),
        FeedColumn("total_yuan", "yuan", "decimal"),
        FeedColumn("is_paid", "paid", "boolean"),
        FeedColumn("issued_at", "issued", "timestamp"),
        FeedColumn("bill_version", constant="1", type="integer"),
    ),
    time_zone="Asia/Shanghai",
)


def packed(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def read(data: bytes, feed: Feed = CURVES) -> list[dict[str, Any]]:
    tables = [table for table, _ in READERS.read(data, "m.parquet", feed, SECRET, KEY)]
    return list(pa.concat_tables(tables).to_pylist())


def problem(data: bytes, feed: Feed = CURVES) -> str:
    with pytest.raises(BadFile) as caught:
        read(data, feed)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- curves -----------------------------------------------------------------------------------------------------------

UTC_TIMES = [datetime(2013, 4, 6, 13, tzinfo=UTC), datetime(2013, 4, 6, 19, tzinfo=UTC)]
KINDS: dict[str, tuple[Any, Any, Any, str]] = {
    "texts": (["7", "7"], ["2013-04-06T13:00Z", "2013-04-06T19:00Z"], ["1.5", "2"], "utc"),
    "instants": (pa.array([7, 7], pa.int32()), pa.array(UTC_TIMES, pa.timestamp("ns", "UTC")), [1.5, 2.0], "local"),
    "instants of a zone": ([7.0, 7.0], pa.array(UTC_TIMES, pa.timestamp("s", "America/New_York")), [1.5, 2.0], "utc"),
    "times in UTC": (
        ["7", "7"], [at.replace(tzinfo=None) for at in UTC_TIMES], pa.array([1.5, 2.0], pa.float32()), "utc"
    ),
    "local times": (
        ["7", "7"], [datetime(2013, 4, 7), datetime(2013, 4, 7, 5)], [Decimal("1.500"), Decimal("2.000")], "local"  # noqa: DTZ001
    ),
    "dictionaries": (
        pa.array(["7", "7"]).dictionary_encode(),
        pa.array(["2013-04-07T00:00+11:00", "2013-04-07T05:00+10:00"]).dictionary_encode(),
        pa.array([1.5, 2.0]),
        "offset",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_read_whatever_their_types(kind: str) -> None:
    meter, time, kwh, stamps = KINDS[kind]
    feed = replace(CURVES, curve=replace(CURVES.curve, stamps=stamps, interval_minutes=60))
    (row,) = read(packed({"kwh": kwh, "time": time, "meter": meter, "x": [None, None]}), feed)
    assert (row["meter_id"], row["read_date"], row["source_rows"]) == ("7", date(2013, 4, 7), 2)
    assert {n: value for n, value in enumerate(row["kwh"]) if value is not None} == {0: 1.5, 6: 2}
    assert (len(row["kwh"]), row["unreadable"]) == (25, [])


def test_the_same_rows_as_text_and_as_parquet_give_the_same_days() -> None:
    meter = [f"M{n % 3}" for n in range(200)]
    kind = ["IMP" if n % 2 else "XX" if n % 50 == 0 else "" for n in range(200)]
    time = [f"2013-04-{n // 24 + 5:02d}T{n % 24:02d}:00" for n in range(200)]
    kwh = ["" if n % 7 == 0 else "--" if n % 11 == 0 else f"{n / 4}" for n in range(200)]
    lines = [",".join(fields) for fields in zip(meter, kind, time, kwh, strict=True)]
    feed = replace(CURVES, curve=replace(CURVES.curve, interval_minutes=60))
    as_text = [t for t, _ in iter_long(("meter,kind,time,kwh\n" + "\n".join(lines) + "\n").encode(), "m.parquet", feed)]
    days = read(packed({"meter": meter, "kind": kind, "time": time, "kwh": kwh}), feed)
    assert days == pa.concat_tables(as_text).to_pylist()
    assert sum(day["source_rows"] for day in days) == 200
    assert {len(day["kwh"]) for day in days if day["kwh"]} == {24, 25}


def test_what_is_not_there_and_what_is_no_number_are_told_apart() -> None:
    time = [f"2013-05-01T{hour:02d}:00" for hour in (0, 6, 12, 18)]
    (row,) = read(packed({"meter": ["M"] * 4, "time": time, "kwh": [1.0, float("nan"), None, float("inf")]}))
    assert (row["kwh"], row["unreadable"], row["source_row"]) == ([1, None, None, None], ["kwh"], 4)
    assert dict(row["raw_values"]) == {"meter": "M", "time": "2013-05-01T18:00", "kwh": "inf"}


def test_times_without_offset_are_refused_where_offsets_are_declared() -> None:
    feed = replace(CURVES, curve=replace(CURVES.curve, stamps="offset"))
    data = packed({"meter": ["M"], "time": [datetime(2013, 5, 1)], "kwh": [1.0]})  # noqa: DTZ001
    assert "m.parquet, column time: its times have no offset" in problem(data, feed)


def test_no_rows_give_one_empty_piece_with_all_columns() -> None:
    def tables(rows: int) -> list[pa.Table]:
        columns = {"meter": ["M"][:rows], "time": ["2013-05-01T00:00"][:rows], "kwh": [1.0][:rows]}
        kinds = {"meter": pa.string(), "time": pa.string(), "kwh": pa.float64()}
        data = packed({name: pa.array(values, kinds[name]) for name, values in columns.items()})
        return [table for table, _ in READERS.read(data, "m.parquet", CURVES, SECRET, KEY)]

    (empty,), (full,) = tables(0), tables(1)
    assert (empty.num_rows, full.num_rows) == (0, 1)
    assert empty.schema == full.schema


# -- tables -----------------------------------------------------------------------------------------------------------


def bills(**changes: Any) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "bill": pa.array([10000001, 10000002], pa.int64()),
        "customer": pa.array([3200000001.0, None]),
        "phone": pa.array([13812345678, 13912345678]),
        "note": ["call 13812345678", None],
        "status": pa.array([1, 2], pa.int8()),
        "from": pa.array([datetime(2025, 5, 31, 16, tzinfo=UTC)] * 2, pa.timestamp("ms", "UTC")),
        "kwh": pa.array([0.1, float("nan")]),
        "yuan": pa.array([Decimal("12.34"), None], pa.decimal128(10, 2)),
        "paid": [True, False],
        "issued": [datetime(2025, 6, 2, 9, 30)] * 2,  # noqa: DTZ001
    }
    return columns | changes


def test_a_table_is_typed_and_its_personal_columns_are_hidden() -> None:
    first, second = read(packed(bills()), BILLS)
    assert (first["bill_id"], first["status"], first["period_from"]) == ("10000001", "issued", date(2025, 6, 1))
    assert (first["total_kwh"], first["total_yuan"], first["is_paid"]) == (0.1, Decimal("12.340000"), True)
    assert first["issued_at"] == datetime(2025, 6, 2, 1, 30, tzinfo=UTC)
    assert first["customer_key"] == customer_keys(pa.array(["3200000001"]), SECRET)[0].as_py()
    assert decrypt_values(pa.array([first["phone_encrypted"]]), KEY).to_pylist() == ["13812345678"]
    assert first["note"] == "call [phone]"
    assert (second["customer_key"], second["total_kwh"], second["total_yuan"], second["unreadable"]) == (
        None,
        None,
        None,
        [],
    )
    assert (second["bill_version"], second["source_row"]) == (1, 2)


def test_a_table_as_parquet_is_the_table_as_text() -> None:
    texts = {
        "bill": ["A", "B"], "customer": ["32001", "32002"], "phone": ["1", ""], "note": ["x", "y"],
        "status": ["1", "9"], "from": ["2025-06-01", "2025-06-31"], "kwh": ["1.5", "x"], "yuan": ["2", ""],
        "paid": ["true", "false"], "issued": ["2025-06-02 09:30", "2025-06-02 09:31"],
    }  # fmt: skip
    lines = "\n".join(",".join(row) for row in [list(texts), *zip(*texts.values(), strict=True)])

    def keys(values: pa.Array) -> pa.Array:
        return customer_keys(values, SECRET)

    def hidden(values: pa.Array) -> pa.Array:
        return encrypt_values(values, KEY)

    plain, _ = read_table((lines + "\n").encode(), "m.parquet", BILLS, keys, hidden)
    drop = ["customer_no_encrypted", "phone_encrypted"]  # never twice the same
    packed_rows = pa.concat_tables([t for t, _ in READERS.read(packed(texts), "m.parquet", BILLS, SECRET, KEY)])
    assert packed_rows.drop_columns(drop).to_pylist() == plain.drop_columns(drop).to_pylist()
    assert plain.column("unreadable").to_pylist()[1] == ["status", "from", "kwh"]


# -- hostile files ----------------------------------------------------------------------------------------------------


def test_what_is_no_parquet_file_is_refused() -> None:
    good = packed({"meter": ["M"], "time": ["2013-05-01T00:00"], "kwh": [1.0]})
    assert "it is no Parquet file" in problem(b"meter,time,kwh\nM,2013-05-01T00:00,1\n")
    assert "it is cut" in problem(good[: len(good) // 2])
    damaged = bytearray(good)
    damaged[-60:-20] = b"\xff" * 40
    assert "cut, damaged or encrypted" in problem(bytes(damaged))
    footer = good[:-8] + struct.pack("<I", 2**31) + b"PAR1"
    assert "cut, damaged or encrypted" in problem(footer)


def test_damaged_pages_are_refused() -> None:
    good = packed({"meter": ["M"] * 999, "time": ["2013-05-01T00:00"] * 999, "kwh": [n / 7 for n in range(999)]})
    assert "cut, damaged or encrypted" in problem(good[:4] + b"\xff" * 400 + good[404:])


def test_a_missing_column_is_named_and_a_nested_one_refused() -> None:
    assert "the header lacks kwh" in problem(packed({"meter": ["M"], "time": ["x"]}))
    nested = packed({"meter": ["M"], "time": ["2013-05-01T00:00"], "kwh": [[1.0, 2.0]]})
    assert "m.parquet, column kwh: the column holds lists or structures" in problem(nested)
    # one that is not declared is not looked into
    (row,) = read(packed({"meter": ["M"], "time": ["2013-05-01T00:00"], "kwh": [1.0], "x": [[{"a": 1}]]}))
    assert row["kwh"] == [1, None, None, None]


def test_more_rows_than_a_file_of_that_size_can_hold_are_refused_before_they_are_read() -> None:
    rows = 25_000_000
    one = pa.array(["M"]).dictionary_encode()
    many = pa.DictionaryArray.from_arrays(pa.array(memoryview(bytes(rows)).cast("b")), one.dictionary)
    data = packed({"meter": many, "time": many, "kwh": many})
    assert len(data) < 200_000
    assert "it states 25000000 rows, more than its size can hold" in problem(data)


def test_pages_that_expand_without_end_are_refused_before_they_are_read() -> None:
    data = packed(
        {"meter": ["M"], "time": ["0" * 80 * 1024**2], "kwh": [1.0]}, compression="zstd", use_dictionary=False
    )
    assert len(data) < 1024**2
    assert "it expands to more than 64 MiB" in problem(data)


def test_a_long_text_that_every_row_repeats_is_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 100_000
    data = packed(bills(note=pa.array([long, long]).dictionary_encode()))
    monkeypatch.setattr(parquet_files, "_MOST_TEXT_BYTES", 150_000)
    assert "its texts are longer than any table's" in problem(data, BILLS)
