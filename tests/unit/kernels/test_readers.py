import gzip

from jobs.kernels.files import BadFile
from jobs.kernels.readers import READERS
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
