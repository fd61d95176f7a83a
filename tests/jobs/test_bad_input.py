"""Bad input gets a clear message and changes nothing that is stored (law 9)."""

import gzip

import pytest

from jobs.runtime.errors import DataError
from schemas import QUARANTINES
from schemas.bills import BILLS
from schemas.meter_days import METER_DAYS
from schemas.ops import DELIVERIES, RECONCILIATION
from tests.jobs.deliveries import BILL, BILL_HEADER, CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.province import FIRST_DAY, SECOND_DAY, Site

REFUSED_WHOLE = {
    "missing column": (text(BILL_HEADER.replace(",电量(kWh)", ""), BILL.replace(",210.5", "")), "电量"),
    "wrong delimiter": (text(BILL_HEADER.replace(",", ";"), BILL.replace(",", ";")), "semicolon"),
    "GBK where UTF-8 is declared": (text(BILL_HEADER, BILL).decode().encode("gbk"), "GBK"),
    "empty file": (b"", "empty"),
    "cut in the middle": (text(BILL_HEADER, BILL, BILL.replace("B1", "B2"))[:-40], "cut"),
    "ragged row": (text(BILL_HEADER, BILL + ",1"), "row 1"),
}


@pytest.mark.parametrize("case", REFUSED_WHOLE)
def test_a_delivery_that_cannot_be_read_is_refused_whole_with_the_reason(site: Site, case: str) -> None:
    data, word = REFUSED_WHOLE[case]
    deliver(site.home / "landing", "bills", {"b.csv": data}, rows={"b.csv": 1})
    with pytest.raises(DataError, match=r"b\.csv") as raised:
        site.run("ingest_bills")
    assert word in str(raised.value)
    assert "d1" in str(raised.value)
    ctx = site.context("look", FIRST_DAY)
    assert not ctx.lake.exists(BILLS)
    (entry,) = ctx.books.read(DELIVERIES)
    assert entry["status"] == "refused"
    assert word in entry["reason"]
    assert not ctx.books.read(RECONCILIATION)


def test_a_refused_delivery_stops_its_own_date_again_and_only_warns_on_later_ones(site: Site) -> None:
    deliver(site.home / "landing", "bills", {"b.csv": b""}, rows={"b.csv": 1})
    for _ in range(2):
        with pytest.raises(DataError, match="empty"):
            site.run("ingest_bills")
    assert "0 delivery(ies)" in site.run("ingest_bills", SECOND_DAY)


def test_utf_8_where_gbk_is_declared_is_refused(site: Site, tmp_path, monkeypatch) -> None:
    import shutil
    from pathlib import Path

    conf = tmp_path / "conf"
    shutil.copytree(Path("conf"), conf)
    feed = conf / "feeds" / "bills.yaml"
    feed.write_text("encoding: gbk\n" + feed.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("WATTLAKE_CONF", str(conf))
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL)})
    with pytest.raises(DataError, match="UTF-8"):
        site.run("ingest_bills")


def test_a_gzip_that_is_none_is_refused(site: Site, tmp_path, monkeypatch) -> None:
    import shutil
    from pathlib import Path

    conf = tmp_path / "conf"
    shutil.copytree(Path("conf"), conf)
    deliver(site.home / "landing", "bills", {"b.csv.gz": text(BILL_HEADER, BILL)}, rows={"b.csv.gz": 1})
    with pytest.raises(DataError, match="gz"):
        site.run("ingest_bills")


def test_a_gzip_is_read(site: Site) -> None:
    deliver(site.home / "landing", "bills", {"b.csv.gz": gzip.compress(text(BILL_HEADER, BILL))}, rows={"b.csv.gz": 1})
    assert "1 accepted" in site.run("ingest_bills")


def test_a_manifest_that_lies_about_rows_or_checksum_is_refused(site: Site) -> None:
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL)}, rows={"b.csv": 2})
    with pytest.raises(DataError, match="states 2 rows, the file has 1"):
        site.run("ingest_bills")
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL)}, delivery_id="d2", sha256="0" * 64)
    with pytest.raises(DataError, match="checksum"):
        site.run("ingest_bills")
    assert not site.context("look", FIRST_DAY).lake.exists(BILLS)


def test_a_manifest_that_leads_out_of_its_folder_or_is_no_json_is_refused(site: Site) -> None:
    folder = deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL)})
    manifest = folder / "_manifest.json"
    good = manifest.read_text(encoding="utf-8")
    manifest.write_text(good.replace("b.csv", "../../secret.csv"), encoding="utf-8")
    with pytest.raises(DataError, match="not a plain name"):
        site.run("ingest_bills")
    manifest.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="manifest cannot be used"):
        site.run("ingest_bills")


BAD_ROWS = {
    "text in a number": (BILL.replace("210.5", "abc"), "电量(kWh)"),
    "NaN": (BILL.replace("210.5", "NaN"), "电量(kWh)"),
    "infinite": (BILL.replace("210.5", "inf"), "电量(kWh)"),
    "decimal comma": (BILL.replace("210.5", '"210,5"'), "电量(kWh)"),
    "a date that does not exist": (BILL.replace("2025-05-31", "2025-05-32"), "截止日期"),
    "a code not declared": (BILL.replace("正常", "其他"), "状态"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_row_that_cannot_be_read_goes_to_quarantine_with_the_column_and_the_rest_is_loaded(
    site: Site, case: str
) -> None:
    row, column = BAD_ROWS[case]
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL.replace("B1", "B0"), row)})
    assert "1 accepted" in site.run("ingest_bills")
    lake = site.context("look", FIRST_DAY).lake
    (held,) = lake.read(QUARANTINES["core.bills"]).collect()
    assert held.broken_rules[0] == "BI-00"
    assert held.unreadable == [column]
    assert held.raw_values[column]
    assert "户号" not in held.raw_values
    assert (held.source_file, held.source_row) == ("b.csv", 2)
    assert [r.bill_id for r in lake.read(BILLS).collect()] == ["B0"]


def test_a_byte_order_mark_and_an_extra_column_are_no_reason_to_refuse(site: Site, caplog) -> None:
    data = b"\xef\xbb\xbf" + text(BILL_HEADER + ",备注", BILL + ",x")
    deliver(site.home / "landing", "bills", {"b.csv": data})
    with caplog.at_level("WARNING"):
        assert "1 accepted" in site.run("ingest_bills")
    assert "备注" in caplog.text


def test_an_unknown_meter_and_a_day_of_the_future_go_to_quarantine(site: Site) -> None:
    landing = site.home / "landing"
    deliver(landing, "metering_points", {"p.csv": text(POINT_HEADER, POINT)})
    site.run("ingest_metering_points")
    rows = [curve(), curve("M9"), curve(day="2025-07-05"), curve(day="2025-06-25", p0015="x"), curve(value="-1")]
    deliver(landing, "meter_days", {"m.csv": text(CURVE_HEADER, *rows)})
    assert "5 rows read = 1 accepted + 0 superseding + 0 duplicate + 4 quarantined" in site.run("ingest_meter_days")
    lake = site.context("look", FIRST_DAY).lake
    held = {tuple(r.broken_rules) for r in lake.read(QUARANTINES["core.meter_days"]).collect()}
    assert held == {("MD-04",), ("MD-03",), ("MD-00",), ("MD-06",)}
    assert lake.read(METER_DAYS).count() == 1


def test_meters_before_any_metering_point_is_known_are_not_quarantined_but_waited_with(site: Site) -> None:
    deliver(site.home / "landing", "meter_days", {"m.csv": text(CURVE_HEADER, curve())})
    with pytest.raises(DataError, match="ingest_metering_points first"):
        site.run("ingest_meter_days")
    assert not site.context("look", FIRST_DAY).lake.exists(METER_DAYS)


def test_a_delivery_most_of_whose_rows_are_bad_is_refused_whole(site: Site) -> None:
    rows = [BILL.replace("B1", f"B{i}").replace("210.5", "abc") for i in range(60)]
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, *rows)})
    with pytest.raises(DataError, match="60 of its 60 rows break an error rule, most of them BI-00"):
        site.run("ingest_bills")
    assert not site.context("look", FIRST_DAY).lake.exists(QUARANTINES["core.bills"])
