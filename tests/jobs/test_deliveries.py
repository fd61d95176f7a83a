"""What becomes of deliveries that repeat, correct, come late, or are refused."""

import pytest

from jobs.runtime.batch import Counts
from jobs.runtime.errors import DataError
from schemas.bills import BILLS
from schemas.meter_days import METER_DAYS
from schemas.ops import DELIVERIES, RECONCILIATION
from schemas.versions import VERSIONS
from tests.jobs.deliveries import BILL, BILL_HEADER, CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.province import FIRST_DAY, SECOND_DAY, Site


@pytest.fixture
def metered(site: Site) -> Site:
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, POINT)})
    site.run("ingest_metering_points")
    return site


def _deliver_curve(site: Site, name: str, hour: int, value: str) -> None:
    data = text(CURVE_HEADER, curve(value=value))
    received_at = f"2025-06-28T{hour:02d}:00:00+08:00"
    deliver(site.home / "landing", "meter_days", {"m.csv": data}, delivery_id=name, received_at=received_at)


def _held(site: Site) -> tuple[list[tuple[str, float]], list[tuple[str, str]]]:
    lake = site.context("look", FIRST_DAY).lake
    now = [(r.delivery_id, round(r.total_kwh, 2)) for r in lake.read(METER_DAYS).collect()]
    before = sorted((r.delivery_id, r.replaced_by) for r in lake.read(VERSIONS[METER_DAYS.name]).collect())
    return now, before


def test_the_same_delivery_again_is_not_loaded_and_content_under_another_name_counts_as_duplicate(site: Site) -> None:
    data = text(BILL_HEADER, BILL)
    deliver(site.home / "landing", "bills", {"b.csv": data})
    assert "1 accepted" in site.run("ingest_bills")
    assert site.run("ingest_bills").startswith("0 delivery(ies)")
    deliver(site.home / "landing", "bills", {"other.csv": data}, delivery_id="d2", received_at="2025-06-28T05:00+08:00")
    assert "1 delivery(ies) repeated" in site.run("ingest_bills")
    books = site.context("look", FIRST_DAY).books
    assert {r["delivery_id"]: r["status"] for r in books.read(DELIVERIES)} == {"d1": "loaded", "d2": "duplicate"}
    repeated = next(r for r in books.read(RECONCILIATION) if r["delivery_id"] == "d2")
    assert (repeated["rows_read"], repeated["rows_duplicate"], repeated["rows_accepted"]) == (1, 1, 0)


def test_a_correction_replaces_and_the_row_before_stays_readable(metered: Site) -> None:
    _deliver_curve(metered, "first", 2, "0.25")
    metered.run("ingest_meter_days")
    _deliver_curve(metered, "second", 3, "0.5")
    assert "1 superseding" in metered.run("ingest_meter_days")
    assert _held(metered) == ([("second", 48.0)], [("first", "second")])


def test_an_older_value_that_comes_later_does_not_win(metered: Site) -> None:
    _deliver_curve(metered, "second", 3, "0.5")
    metered.run("ingest_meter_days")
    _deliver_curve(metered, "first", 2, "0.25")
    assert "1 duplicate" in metered.run("ingest_meter_days")
    assert _held(metered) == ([("second", 48.0)], [("first", "second")])


def test_both_in_one_run_end_as_they_do_one_by_one(metered: Site) -> None:
    _deliver_curve(metered, "second", 3, "0.5")
    _deliver_curve(metered, "first", 2, "0.25")
    assert "2 rows read = 1 accepted + 1 superseding" in metered.run("ingest_meter_days")
    assert _held(metered) == ([("second", 48.0)], [("first", "second")])


def test_a_tie_of_the_time_received_goes_to_the_higher_delivery_id(metered: Site) -> None:
    for name, value in (("b", "0.5"), ("a", "0.25")):
        _deliver_curve(metered, name, 2, value)
        metered.run("ingest_meter_days")
    assert _held(metered)[0] == [("b", 48.0)]


@pytest.mark.parametrize("order", ["abcd", "acbd", "bdac", "dcba"])
def test_versions_are_the_same_in_whatever_order_the_values_come(metered: Site, order: str) -> None:
    # the second says the same in other bytes
    said = {"a": (1, "0.25"), "b": (2, "0.250"), "c": (3, "0.5"), "d": (4, "0.75")}
    # the first two come one by one, the others in one run
    for names in (order[:1], order[1:2], order[2:]):
        for name in names:
            _deliver_curve(metered, name, *said[name])
        metered.run("ingest_meter_days")
    assert _held(metered) == ([("d", 72.0)], [("b", "c"), ("c", "d")])


def test_a_file_that_takes_a_correction_back_holds_again(metered: Site) -> None:
    for name, hour, value in (("a", 1, "0.25"), ("b", 2, "0.5"), ("c", 3, "0.25")):
        _deliver_curve(metered, name, hour, value)
        metered.run("ingest_meter_days")
    assert _held(metered) == ([("c", 24.0)], [("a", "b"), ("b", "c")])


def test_a_repetition_outlasts_a_value_between_which_comes_after_it(metered: Site) -> None:
    for name, hour, value in (("a", 1, "0.25"), ("c", 3, "0.25"), ("b", 2, "0.5")):
        _deliver_curve(metered, name, hour, value)
        metered.run("ingest_meter_days")
    assert _held(metered) == ([("c", 24.0)], [("a", "b"), ("b", "c")])


def test_readings_of_an_unknown_meter_are_taken_when_they_are_delivered_again_with_the_meter_known(site: Site) -> None:
    other = POINT.replace("M1", "M9").replace("P1", "P9")
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, other)})
    site.run("ingest_metering_points")
    _deliver_curve(site, "first", 2, "0.25")
    assert "1 quarantined" in site.run("ingest_meter_days")
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, POINT)}, delivery_id="d2")
    site.run("ingest_metering_points")
    _deliver_curve(site, "again", 3, "0.25")
    assert "1 accepted" in site.run("ingest_meter_days")
    assert _held(site)[0] == [("again", 24.0)]


def test_a_refused_delivery_no_longer_stops_its_date_once_it_is_replaced(site: Site) -> None:
    landing = site.home / "landing"
    deliver(landing, "bills", {"b.csv": text(BILL_HEADER, BILL)}, rows={"b.csv": 7})
    for _ in range(2):
        with pytest.raises(DataError, match="the manifest states 7 rows"):
            site.run("ingest_bills")
    deliver(
        landing, "bills", {"b.csv": text(BILL_HEADER, BILL)}, delivery_id="d2", received_at="2025-06-28T05:00+08:00"
    )
    assert "1 accepted" in site.run("ingest_bills")
    assert site.run("ingest_bills").startswith("0 delivery(ies)")


def test_a_delivery_sent_again_under_its_id_must_say_that_it_came_later(site: Site) -> None:
    landing = site.home / "landing"
    deliver(landing, "bills", {"b.csv": text(BILL_HEADER, BILL)})
    site.run("ingest_bills")
    changed = BILL.replace("110.25", "120.25")
    assert changed != BILL
    deliver(landing, "bills", {"b.csv": text(BILL_HEADER, changed)})
    with pytest.raises(DataError, match="deliver it again with a later received_at"):
        site.run("ingest_bills")
    deliver(landing, "bills", {"b.csv": text(BILL_HEADER, changed)}, received_at="2025-06-28T09:00+08:00")
    assert "1 superseding" in site.run("ingest_bills")


def test_a_batch_that_was_killed_is_finished_before_the_delivery_that_came_meanwhile(
    metered: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver_curve(metered, "first", 2, "0.25")
    with monkeypatch.context() as killed:
        # the rows are in the table, the books are not: as when the process is killed between the two
        killed.setattr("jobs.runtime.ingestion._close_books", _kill)
        with pytest.raises(KeyboardInterrupt):
            metered.run("ingest_meter_days")
    _deliver_curve(metered, "second", 3, "0.5")
    metered.run("ingest_meter_days")
    books = metered.context("look", FIRST_DAY).books
    rows = {r["delivery_id"]: r for r in books.read(RECONCILIATION, feed="meter_days")}
    assert (rows["first"]["rows_accepted"], rows["second"]["rows_superseding"]) == (1, 1)
    assert _held(metered) == ([("second", 48.0)], [("first", "second")])
    assert not list((metered.home / "lake" / "_staging" / "meter_days").glob("*"))


def _kill(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_row_twice_in_one_file_counts_once(site: Site) -> None:
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL, BILL)})
    assert "2 rows read = 1 accepted + 0 superseding + 1 duplicate" in site.run("ingest_bills")
    assert site.context("look", FIRST_DAY).lake.read(BILLS).count() == 1


def test_deliveries_of_a_later_business_date_do_not_exist_yet(site: Site) -> None:
    deliver(site.home / "landing", "bills", {"b.csv": text(BILL_HEADER, BILL)}, day=SECOND_DAY)
    assert site.run("ingest_bills", FIRST_DAY).startswith("0 delivery(ies)")
    assert "1 accepted" in site.run("ingest_bills", SECOND_DAY)


def test_counts_that_do_not_add_up_stop_the_job() -> None:
    Counts(read=3, accepted=1, duplicate=1, quarantined=1).check("d1")
    with pytest.raises(DataError, match="does not add up: 3 rows read"):
        Counts(read=3, accepted=1, duplicate=1).check("d1")
