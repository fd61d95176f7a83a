"""Deliveries which are cancelled: what they brought no longer holds, and what was there without them holds again."""

from itertools import permutations

import pytest

from jobs.runtime.errors import DataError
from schemas import QUARANTINES
from schemas.bills import BILLS
from schemas.ops import DELIVERIES
from schemas.versions import REPEATS, VERSIONS
from tests.jobs.deliveries import BILL, BILL_HEADER, CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.jobs.orders import assert_all_rows_accounted_for
from tests.province import BUILD, FIRST_DAY, Site

WITHOUT_AMOUNT = BILL.replace("B1", "B2").replace("110.25", "")


def _deliver(site: Site, name: str, hour: int, *rows: str, cancels: tuple[str, ...] = ()) -> None:
    deliver(
        site.home / "landing",
        "bills",
        {f"{name}.csv": text(BILL_HEADER, *rows)} if rows else {},
        delivery_id=name,
        received_at=f"2025-06-28T{hour:02d}:00:00+08:00",
        cancels=cancels,
    )


def _bill(yuan: str, bill_id: str = "B1") -> str:
    return BILL.replace("B1", bill_id).replace("110.25", yuan)


def _tables(site: Site) -> dict[str, list[tuple[object, ...]]]:
    lake = site.context("look", FIRST_DAY).lake
    provenance = ("bill_id", "total_yuan", "delivery_id")
    looked_at = {
        "core": (BILLS, provenance),
        "versions": (VERSIONS[BILLS.name], (*provenance, "replaced_by")),
        "repeats": (REPEATS[BILLS.name], provenance),
        "quarantine": (QUARANTINES[BILLS.name], ("delivery_id", "quarantine_status", "settled_by")),
    }
    return {
        layer: sorted(tuple(map(str, row)) for row in lake.read(table).select(*names).collect())
        for layer, (table, names) in looked_at.items()
    }


def _status(site: Site, name: str) -> set[str]:
    books = site.context("look", FIRST_DAY).books
    return {row["status"] for row in books.read(DELIVERIES, delivery_id=name)}


# the second says what the first says in other bytes and brings a bad row; the third says something else
DELIVERIES_OF_A_BILL = {
    "a": (1, _bill("100.00"), _bill("7.00", "B3")),
    "b": (2, _bill("100.000"), _bill("8.00", "B4"), WITHOUT_AMOUNT),
    "c": (3, _bill("120.00")),
}
END = {
    "core": [("B1", "120.00", "c"), ("B3", "7.00", "a")],
    "versions": [("B1", "100.00", "a", "c"), ("B1", "100.00", "b", "x"), ("B4", "8.00", "b", "x")],
    "repeats": [],
    "quarantine": [("b", "cancelled", "x")],
}


@pytest.mark.parametrize("order", ["abcx", "xcba", "bxac", "cbxa"])
def test_a_cancellation_ends_the_same_in_whatever_order_it_comes(site: Site, order: str) -> None:
    assert "".join(sorted(order)) in {"".join(sorted(p)) for p in permutations("abcx")}
    for name in order:
        if name == "x":
            _deliver(site, "x", 4, cancels=("b",))
        else:
            _deliver(site, name, *DELIVERIES_OF_A_BILL[name])
        site.run("ingest_bills")
    assert _tables(site) == END
    assert "cancelled" in _status(site, "b")
    assert site.run("ingest_bills").startswith("0 delivery(ies)")
    assert _tables(site) == END
    assert_all_rows_accounted_for(site)


def test_the_value_before_holds_again_although_it_was_only_repeated(site: Site) -> None:
    _deliver(site, "a", 1, _bill("100.00"))
    _deliver(site, "b", 2, _bill("100.000"))
    site.run("ingest_bills")
    assert _tables(site)["repeats"] == [("B1", "100.00", "a")]
    _deliver(site, "x", 3, cancels=("b",))
    site.run("ingest_bills")
    found = _tables(site)
    assert found["core"] == [("B1", "100.00", "a")]
    assert (found["versions"], found["repeats"]) == ([("B1", "100.00", "b", "x")], [])


def test_a_delivery_replaces_what_it_cancels_and_its_rows_may_be_fewer(site: Site) -> None:
    _deliver(site, "a", 1, _bill("100.00"), _bill("7.00", "B3"))
    site.run("ingest_bills")
    _deliver(site, "x", 2, _bill("100.00"), cancels=("a",))
    assert "1 rows read = 1 accepted" in site.run("ingest_bills")
    found = _tables(site)
    assert found["core"] == [("B1", "100.00", "x")]
    assert found["versions"] == [("B1", "100.00", "a", "x"), ("B3", "7.00", "a", "x")]


def test_what_was_not_loaded_as_a_repetition_is_loaded_when_its_first_is_cancelled(site: Site) -> None:
    _deliver(site, "a", 1, _bill("100.00"))
    site.run("ingest_bills")
    deliver(
        site.home / "landing",
        "bills",
        {"other.csv": text(BILL_HEADER, _bill("100.00"))},
        delivery_id="again",
        received_at="2025-06-28T02:00:00+08:00",
    )
    assert "1 delivery(ies) repeated" in site.run("ingest_bills")
    _deliver(site, "x", 3, cancels=("a",))
    site.run("ingest_bills")
    assert _tables(site)["core"] == [("B1", "100.00", "again")]
    assert _status(site, "again") == {"duplicate", "loaded"}


def test_a_refused_delivery_no_longer_stops_its_date_once_it_is_cancelled(site: Site) -> None:
    deliver(site.home / "landing", "bills", {"b.csv": b""}, delivery_id="bad", rows={"b.csv": 1})
    with pytest.raises(DataError, match="empty"):
        site.run("ingest_bills")
    _deliver(site, "x", 4, cancels=("bad",))
    assert site.run("ingest_bills").startswith("1 delivery(ies)")
    assert _status(site, "bad") == {"refused", "cancelled"}
    assert site.run("ingest_bills").startswith("0 delivery(ies)")


def test_a_cancellation_which_is_refused_cancels_nothing(site: Site) -> None:
    _deliver(site, "a", 1, _bill("100.00"))
    site.run("ingest_bills")
    before = _tables(site)
    damaged = {"x.csv": text(BILL_HEADER, _bill("1.00"))}
    deliver(site.home / "landing", "bills", damaged, delivery_id="x", rows={"x.csv": 9}, cancels=("a",))
    with pytest.raises(DataError, match="the manifest states 9 rows"):
        site.run("ingest_bills")
    assert _tables(site) == before
    assert _status(site, "a") == {"loaded"}


@pytest.mark.parametrize(
    ("cancels", "said"), [(("x",), "cancels itself"), (("",), "no list of delivery ids|not a list of delivery ids")]
)
def test_a_cancellation_that_cannot_be_meant_is_said_in_one_line(
    site: Site, cancels: tuple[str, ...], said: str
) -> None:
    _deliver(site, "x", 4, _bill("1.00"), cancels=cancels)
    with pytest.raises(DataError, match=said) as raised:
        site.run("ingest_bills")
    assert "\n" not in str(raised.value)


def test_a_cancelled_meter_day_is_taken_out_of_what_was_made_of_it(site: Site) -> None:
    landing = site.home / "landing"
    deliver(landing, "metering_points", {"p.csv": text(POINT_HEADER, POINT)})
    site.run("ingest_metering_points")
    for name, hour, rows in (
        ("a", 1, [curve(value="0.25")]),
        ("b", 2, [curve(value="0.5"), curve(day="2025-06-25", value="0.5")]),
    ):
        received_at = f"2025-06-28T{hour:02d}:00:00+08:00"
        data = {"m.csv": text(CURVE_HEADER, *rows)}
        deliver(landing, "meter_days", data, delivery_id=name, received_at=received_at)
    site.run("ingest_meter_days")
    for job in BUILD:
        site.run(job)
    lake = site.context("look", FIRST_DAY).lake

    def made() -> tuple[dict[int, float], float, dict[int, int]]:
        from schemas.features import AREA_LOADS, CUSTOMER_DAYS, CUSTOMER_MONTHS

        days = {r.usage_date.day: r.kwh for r in lake.read(CUSTOMER_DAYS).collect()}
        (month,) = lake.read(CUSTOMER_MONTHS).collect()
        areas = lake.read(AREA_LOADS).groupBy("load_date").count().collect()
        return days, month.kwh, {r.load_date.day: r["count"] for r in areas}

    days, month_kwh, areas = made()
    assert (days, month_kwh) == ({25: 48.0, 26: 48.0}, 96.0)
    assert set(areas) == {25, 26}
    deliver(landing, "meter_days", {}, delivery_id="x", received_at="2025-06-28T03:00:00+08:00", cancels=["b"])
    site.run("ingest_meter_days")
    for job in BUILD:
        assert site.run(job) != "nothing new"
    days, month_kwh, areas = made()
    assert (days, month_kwh) == ({26: 24.0}, 24.0)
    assert set(areas) == {26}
