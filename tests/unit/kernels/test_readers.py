import gzip
import io
from dataclasses import replace

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.kernels.files import BadFile
from jobs.kernels.readers import READERS
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
