import gzip
import io
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from zipfile import ZipFile

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.kernels.files import BadFile
from jobs.kernels.readers import READERS
from jobs.runtime.feed_files import FeedFiles
from jobs.runtime.reading import row_type
from schemas.feed import Curve, Feed, FeedColumn

CURVES = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="curve_wide",
    columns=(FeedColumn("meter_id", "meter"), FeedColumn("read_date", "date", "date")),
    curve=Curve(interval_minutes=720),
)
PAYMENTS = Feed(
    name="payments",
    table="core.payments",
    reader="table_csv",
    columns=(FeedColumn("payment_id", "payment"), FeedColumn("customer_no", "customer", personal="customer_no")),
)


def test_a_compressed_file_of_curves_is_read_with_its_metrics() -> None:
    data = gzip.compress(b"meter,date,1200,2400\nM1,2025-06-30,1,2\n")
    ((rows, extra),) = READERS.read(data, "m.csv.gz", CURVES, b"s" * 32, b"k" * 64)
    assert rows.column("kwh").to_pylist() == [[1, 2]]
    assert {name for name, _ in READERS.metric_columns("curve_wide")} <= set(rows.column_names)
    assert extra == []


def test_a_table_is_read_with_pseudonyms() -> None:
    ((rows, extra),) = READERS.read(b"payment,customer,x\nP1,3200001,\n", "p.csv", PAYMENTS, b"s" * 32, b"k" * 64)
    assert len(rows.column("customer_key")[0].as_py()) == 64
    assert extra == ["x"]
    assert READERS.metric_columns("table_csv") == ()


def test_only_a_fault_of_the_file_has_words() -> None:
    assert (
        READERS.problem(BadFile("a.csv", "it is empty", "deliver it again")) == "a.csv: it is empty: deliver it again."
    )
    assert READERS.problem(KeyError("a.csv")) is None


def test_files_of_the_australian_market_are_read_as_its_example_feeds_declare() -> None:
    values = ",".join(["0.5"] * 48)
    sent = {
        "nem12": f"200,NMI0000001,E1,1,E1,N1,S1,kWh,30,\n300,20240701,{values},A,,,20240702010203,",
        "nem13": "250,NMI0000001,11,1,11,,S1,E,100,20240701000000,A,,,103,20240702000000,E64,,,3,kWh,,20240702010203,",
    }
    read = {}
    for version, records in sent.items():
        feed = FeedFiles("examples", "UTC").load(version)
        name = f"{version.upper()}#0001#MDP#RETAILER.ZIP"
        assert fnmatchcase(name, feed.pattern)
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            archive.writestr("0001.csv", f"100,{version.upper()},202407020102,MDP,RETAILER\n{records}\n900\n")
        ((rows, extra),) = READERS.read(packed.getvalue(), name, feed, b"s" * 32, b"k" * 64)
        assert extra == []
        # what Spark is told of a row is what there is
        delivered = {"delivery_id", "business_date", "received_at", "file_error", "extra_columns"}
        assert set(row_type(feed, READERS).names) - delivered == set(rows.column_names)
        read[version] = rows.to_pylist()
    (day,) = read["nem12"]
    assert (day["meter_id"], day["read_date"], day["channel"]) == ("NMI0000001-E1", date(2024, 7, 1), "import")
    assert (day["suffix"], day["meter_serial_number"], day["total_kwh"]) == ("E1", "S1", 24)
    before, after = read["nem13"]
    assert (before["read_date"], before["reading_kwh"], before["day_kwh"]) == (date(2024, 6, 30), 100, None)
    assert (after["read_date"], after["reading_kwh"], after["day_kwh"]) == (date(2024, 7, 1), 103, 3)
    assert (after["register_code"], after["quality_method"]) == ("total", "E64")


QUALITY = FeedColumn("quality", "flag", values={"A": "measured"}, optional=True)
LONG = replace(
    CURVES,
    reader="curve_long",
    columns=(FeedColumn("meter_id", "meter"), FeedColumn("interval_at", "time"), FeedColumn("value", "kwh"), QUALITY),
    curve=Curve(interval_minutes=720, label="start"),
)


def _parquet() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"meter": ["M1"], "time": ["2025-06-30 00:00"], "kwh": [1.0]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("feed", "data"),
    [
        (replace(CURVES, columns=(*CURVES.columns, QUALITY)), b"meter,date,flag,1200,2400\nM1,2025-06-30,A,1,2\n"),
        (LONG, b"meter,time,kwh,flag\nM1,2025-06-30 00:00,1,A\nM1,x,1,A\n"),
        (replace(LONG, reader="curve_parquet"), _parquet()),
        (PAYMENTS, b"payment,customer\nP1,3200001\n"),
    ],
    ids=lambda value: value.reader if isinstance(value, Feed) else "",
)
def test_what_spark_is_told_of_a_row_is_what_there_is(feed: Feed, data: bytes) -> None:
    delivered = {"delivery_id", "business_date", "received_at", "file_error", "extra_columns"}
    for rows, _ in READERS.read(data, "m.csv", feed, b"s" * 32, b"k" * 64):
        assert set(row_type(feed, READERS).names) - delivered == set(rows.column_names)


def test_a_reader_which_nobody_wrote_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="no reader is called x"):
        list(READERS.read(b"x", "m.csv", replace(CURVES, reader="x"), b"", b""))  # type: ignore[arg-type]
