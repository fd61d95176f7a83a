"""Rows out of quarantine: released, corrected, dropped; in any order, and killed in the middle."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.runtime.errors import DataError, UserError
from jobs.runtime.quarantine import Wanted, rows_in_quarantine
from schemas import QUARANTINES, Table
from schemas.bills import BILLS
from schemas.meter_days import METER_DAYS
from schemas.ops import DELIVERIES, QUARANTINE_ACTIONS, RECONCILIATION
from schemas.register_readings import REGISTER_READINGS
from schemas.versions import VERSIONS
from tests.jobs.deliveries import BILL, BILL_HEADER, CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.jobs.test_kill import _kill_when
from tests.province import FIRST_DAY, VALIDATE, Site, job_environment

OTHER_POINT = POINT.replace("M1", "M9").replace("P1", "P9")
WITHOUT_AMOUNT = BILL.replace("110.25", "")
REGISTER_HEADER = "电表编号,数据日期,总示值,尖示值,峰示值,平示值,谷示值"


def _act(site: Site, action: str, table: Table = METER_DAYS, at: str = "2025-07-01T08:00:00+08:00", **said: str) -> str:
    asked = {"table": table.name, "action": action, "reason": "looked at", "user": "li.wei", "at": at, **said}
    return site.run("replay_quarantine", FIRST_DAY, **asked)


def _ids(site: Site, table: Table = METER_DAYS) -> list[str]:
    lake = site.context("look", FIRST_DAY).lake
    return [row["quarantine_id"] for row in rows_in_quarantine(lake, table, Wanted())]


def _statuses(site: Site, table: Table = METER_DAYS) -> list[str]:
    lake = site.context("look", FIRST_DAY).lake
    return [row["quarantine_status"] for row in rows_in_quarantine(lake, table, Wanted())]


def _actions(site: Site) -> list[dict[str, Any]]:
    return site.context("look", FIRST_DAY).books.read(QUARANTINE_ACTIONS)


def _rows(site: Site, table: Table, *names: str) -> list[tuple[Any, ...]]:
    lake = site.context("look", FIRST_DAY).lake
    return sorted(tuple(row) for row in lake.read(table).select(*names).collect())


def _deliver_points(site: Site, *rows: str, delivery_id: str = "p1") -> None:
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, *rows)}, delivery_id=delivery_id)
    site.run("ingest_metering_points")


def _deliver_curves(site: Site, name: str, hour: int, *rows: str) -> str:
    received_at = f"2025-06-28T{hour:02d}:00:00+08:00"
    data = {"m.csv": text(CURVE_HEADER, *rows)}
    deliver(site.home / "landing", "meter_days", data, delivery_id=name, received_at=received_at)
    return site.run("ingest_meter_days")


def _build_days(site: Site) -> str:
    for job in VALIDATE:
        site.run(job)
    return site.run("build_customer_days")


def _deliver_bills(site: Site, name: str, hour: int, *rows: str) -> str:
    received_at = f"2025-06-28T{hour:02d}:00:00+08:00"
    data = {f"{name}.csv": text(BILL_HEADER, *rows)}
    deliver(site.home / "landing", "bills", data, delivery_id=name, received_at=received_at)
    return site.run("ingest_bills")


def test_rows_of_an_unknown_meter_are_released_once_it_is_known_and_keep_their_delivery(site: Site) -> None:
    _deliver_points(site, OTHER_POINT)
    _deliver_curves(site, "d1", 1, curve(), curve("M9"), curve("M7"))
    assert "2 row(s) taken = 0 accepted + 0 superseding + 0 duplicate + 2 still held (MD-04 2)" in _act(
        site, "release", rule="MD-04"
    )
    _build_days(site)
    _deliver_points(site, POINT, delivery_id="p2")
    said = _act(site, "release", rule="MD-04", at="2025-07-02T08:00:00+08:00")
    assert said == "2 row(s) taken = 1 accepted + 0 superseding + 0 duplicate + 1 still held (MD-04 1)"
    assert _rows(site, METER_DAYS, "meter_id", "delivery_id") == [("M1", "d1"), ("M9", "d1")]
    assert _statuses(site) == ["released", "held"]
    (first, second) = (row for row in _actions(site) if row["acted_at"].day == 2)
    assert {(r["result"], r["acted_by"], r["reason"]) for r in (first, second)} == {
        ("accepted", "li.wei", "looked at"),
        ("held", "li.wei", "looked at"),
    }
    before = site.fingerprints("core", "quarantine")
    assert _act(site, "release", delivery="d1", at="2025-07-03T08:00:00+08:00").startswith(
        "1 row(s) taken = 0 accepted"
    )
    assert _act(site, "release", row=_ids(site)[0]) == "nothing to release in quarantine.meter_days"
    assert site.fingerprints("core", "quarantine") == before
    assert _build_days(site) != "nothing new"


def test_a_correction_that_came_later_wins_over_a_row_which_is_released_after_it(site: Site) -> None:
    _deliver_points(site, OTHER_POINT)
    _deliver_curves(site, "d1", 1, curve(value="0.25"))
    _deliver_points(site, POINT, delivery_id="p2")
    _deliver_curves(site, "d2", 2, curve(value="0.5"))
    assert "1 duplicate" in _act(site, "release", delivery="d1")
    assert _rows(site, METER_DAYS, "delivery_id", "total_kwh") == [("d2", 48.0)]
    versions = VERSIONS[METER_DAYS.name]
    assert _rows(site, versions, "delivery_id", "total_kwh", "replaced_by") == [("d1", 24.0, "d2")]


def test_intervals_a_person_entered_are_marked_as_edited_and_the_rest_stays_measured(site: Site) -> None:
    _deliver_points(site, POINT)
    _deliver_curves(site, "d1", 1, curve(p0015="x", p0030=""))
    (row,) = _ids(site)
    said = _act(site, "correct", row=row, set=json.dumps({"kwh[0]": "0.35", "kwh[95]": "0.75"}))
    assert said == "1 row(s) taken = 1 accepted + 0 superseding + 0 duplicate + 0 still held"
    (day,) = site.context("look", FIRST_DAY).lake.read(METER_DAYS).collect()
    assert [round(value, 2) if value is not None else None for value in day.kwh[:3]] == [0.35, None, 0.25]
    assert (day.quality[:3], day.quality[95]) == ([9, 0, 1], 9)
    assert (day.measured_count, day.missing_count, round(day.total_kwh, 2)) == (93, 1, 24.35)
    assert (day.delivery_id[:5], day.received_at.isoformat()) == ("edit-", "2025-07-01T00:00:00")
    (action,) = _actions(site)
    assert json.loads(action["before"]) == {"kwh[0]": None, "kwh[95]": 0.25}
    assert json.loads(action["after"]) == {"kwh[0]": 0.35, "kwh[95]": 0.75}
    assert action["new_delivery_id"] == day.delivery_id
    entered = site.context("look", FIRST_DAY).books.read(RECONCILIATION, delivery_id=day.delivery_id)
    assert [(r["rows_read"], r["rows_accepted"]) for r in entered] == [(1, 1)]


def test_a_corrected_bill_goes_through_the_rules_and_loses_to_what_is_delivered_after_it(site: Site) -> None:
    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT)
    (row,) = _ids(site, BILLS)
    assert "1 still held (BI-07 1)" in _act(
        site, "correct", BILLS, row=row, set='{"total_yuan": "120.25", "total_kwh": "-1"}'
    )
    assert (_statuses(site, BILLS), _rows(site, BILLS, "bill_id")) == (["held"], [])
    entered = {"row": row, "set": '{"total_yuan": "120.25"}'}
    assert "1 accepted" in _act(site, "correct", BILLS, **entered)
    assert _act(site, "correct", BILLS, **entered) == "nothing to correct in quarantine.bills"
    again = {"row": row, "set": '{"total_yuan": "121.25"}', "at": "2025-07-01T09:00:00+08:00"}
    assert "1 superseding" in _act(site, "correct", BILLS, **again)
    assert [str(yuan) for (yuan,) in _rows(site, BILLS, "total_yuan")] == ["121.25"]
    # the same bad row again is another row; a good one received later than the correction holds
    deliver(
        site.home / "landing",
        "bills",
        {"e.csv": text(BILL_HEADER, WITHOUT_AMOUNT)},
        delivery_id="d2",
        received_at="2025-07-02T01:00:00+08:00",
    )
    site.run("ingest_bills")
    assert _statuses(site, BILLS) == ["corrected", "held"]
    deliver(
        site.home / "landing",
        "bills",
        {"f.csv": text(BILL_HEADER, BILL)},
        delivery_id="d3",
        received_at="2025-07-02T02:00:00+08:00",
    )
    site.run("ingest_bills")
    assert [str(yuan) for (yuan,) in _rows(site, BILLS, "total_yuan")] == ["110.25"]
    assert len(_rows(site, VERSIONS[BILLS.name], "delivery_id")) == 2


def test_one_of_the_registers_of_a_row_is_corrected(site: Site) -> None:
    rows = "M1,2025-06-26,1000.5,x,200,300,400"
    data = {"r.csv": text(REGISTER_HEADER, rows)}
    deliver(site.home / "landing", "register_readings", data)
    assert "4 accepted + 0 superseding + 0 duplicate + 1 quarantined" in site.run("ingest_register_readings")
    (row,) = _ids(site, REGISTER_READINGS)
    assert "1 accepted" in _act(site, "correct", REGISTER_READINGS, row=row, set='{"reading_kwh": "100.5"}')
    found = dict(_rows(site, REGISTER_READINGS, "register_code", "reading_kwh"))
    assert found == {"total": 1000.5, "sharp": 100.5, "peak": 200.0, "flat": 300.0, "valley": 400.0}
    assert _statuses(site, REGISTER_READINGS) == ["corrected"]


def test_what_is_dropped_is_never_merged(site: Site) -> None:
    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT, BILL.replace("B1", "B2").replace("110.25", ""))
    first, second = _ids(site, BILLS)
    assert _act(site, "drop", BILLS, row=first) == "1 row(s) dropped"
    assert _act(site, "drop", BILLS, row=first) == "nothing to drop in quarantine.bills"
    assert _act(site, "release", BILLS, delivery="d1").startswith("1 row(s) taken")
    with pytest.raises(UserError, match="was dropped"):
        _act(site, "correct", BILLS, row=first, set='{"total_yuan": "1"}')
    assert "1 accepted" in _act(site, "correct", BILLS, row=second, set='{"total_yuan": "1"}')
    with pytest.raises(UserError, match="only what is held can be dropped"):
        _act(site, "drop", BILLS, row=second)
    assert _rows(site, BILLS, "bill_id") == [("B2",)]
    assert _statuses(site, BILLS) == ["dropped", "corrected"]


def test_rows_whose_files_are_gone_are_not_released_and_nothing_changes(site: Site) -> None:
    import shutil

    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT)
    shutil.rmtree(site.home / "landing" / "bills")
    with pytest.raises(DataError, match=r"d1: not in .*put the delivery back"):
        _act(site, "release", BILLS, delivery="d1")
    assert _statuses(site, BILLS) == ["held"]
    assert _actions(site) == []


WRONG = {
    "no reason": ({"reason": ""}, "No reason is given"),
    "no user": ({"user": " "}, "No user is given"),
    "no time": ({"at": ""}, "No at is given"),
    "a time without offset": ({"at": "2025-07-01T08:00:00"}, "its offset from UTC"),
    "an unknown row": ({"row": "nope"}, "No row nope in quarantine.bills"),
    "no rows": ({"row": ""}, "Which rows"),
    "an unknown table": ({"table": "core.nope"}, "Unknown table 'core.nope'"),
    "an unknown action": ({"action": "burn"}, "release, correct or drop"),
    "an unknown option": ({"colour": "red"}, "Unknown option 'colour'"),
    "nothing to set": ({"set": "{}"}, "--set column=value"),
    "text for a number": ({"set": '{"total_kwh": "abc"}'}, "total_kwh: what is given is no number"),
    "infinite": ({"set": '{"total_kwh": "inf"}'}, "no number"),
    "no date": ({"set": '{"due_date": "2025-06-31"}'}, "due_date: what is given is no date"),
    "no decimal": ({"set": '{"total_yuan": "1,5"}'}, "no decimal"),
    "a column of the books": ({"set": '{"received_at": "2025-06-30"}'}, "received_at cannot be set"),
    "an interval of a bill": ({"set": '{"kwh[0]": "1"}'}, "cannot be set"),
    "no object": ({"set": "[1]"}, "no JSON object"),
    "before it came in": ({"at": "2025-06-01T00:00:00+08:00"}, "cannot have been corrected before"),
}


def test_what_is_asked_wrongly_is_said_in_one_line_and_changes_nothing(site: Site) -> None:
    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT)
    (row,) = _ids(site, BILLS)
    base = {"table": "core.bills", "action": "correct", "reason": "r", "user": "u", "at": "2025-07-01T00:00:00+00:00"}
    for case, (said, message) in WRONG.items():
        with pytest.raises(UserError) as raised:
            site.run("replay_quarantine", FIRST_DAY, **{**base, "row": row, "set": '{"total_yuan": "1"}', **said})
        assert message in str(raised.value), case
        assert "\n" not in str(raised.value)
    assert _statuses(site, BILLS) == ["held"]
    assert _actions(site) == []


def test_a_day_has_only_the_intervals_it_has(site: Site) -> None:
    _deliver_points(site, POINT)
    _deliver_curves(site, "d1", 1, curve(p0015="x"))
    with pytest.raises(UserError, match=r"kwh\[96\]: the day has 96 intervals"):
        _act(site, "correct", row=_ids(site)[0], set='{"kwh[96]": "1"}')


def _wattlake(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | job_environment(home)
    command = [sys.executable, "-W", "ignore", "-m", "jobs", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=240)


def test_the_command_line_lists_shows_and_corrects(site: Site, tmp_path: Path) -> None:
    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT, BILL.replace("B1", "B2").replace("210.5", "abc"))
    first, second = _ids(site, BILLS)
    listed = _wattlake(site.home, "quarantine", "list", "--table", "bills")
    assert listed.returncode == 0, listed.stderr
    assert first in listed.stdout
    assert "BI-06" in listed.stdout
    shown = _wattlake(site.home, "quarantine", "show", second)
    assert "a value cannot be read as its type" in shown.stdout
    assert "written in 电量(kWh): 'abc'" in shown.stdout
    for words, message in (
        (("correct", "--row", first, "--set", "total_yuan=1"), "No reason is given"),
        (("correct", "--row", first, "--set", "total_yuan", "--reason", "r"), "--set takes column=value"),
        (("show", "nope"), "No row nope"),
        (("release", "--reason", "r"), "Which table?"),
        (("drop", "--row", first, "--reason", "r", "--user", ""), "No user is given"),
        (("burn",), "No such command"),
    ):
        wrong = _wattlake(site.home, "quarantine", *words)
        assert wrong.returncode == 2, words
        assert message in wrong.stderr
        assert len(wrong.stderr.strip().splitlines()) == 1
    done = _wattlake(site.home, "quarantine", "correct", "--row", first, "--set", "total_yuan=120.25", "--reason", "r")
    assert (done.returncode, "1 accepted" in done.stdout) == (0, True), done.stderr
    (action,) = _actions(site)
    assert action["acted_by"]


def test_a_replay_killed_in_its_write_is_finished_by_the_next_one(site: Site, tmp_path: Path) -> None:
    rows = [BILL.replace("B1", f"B{n}").replace("110.25", "") for n in range(3)]
    _deliver_bills(site, "d1", 1, *rows)
    row = ",".join(_ids(site, BILLS))
    said = {"row": row, "set": '{"total_yuan": "1"}'}
    whole = site.copy(tmp_path / "whole")
    _act(whole, "correct", BILLS, **said)
    killed = site.copy(tmp_path / "killed")
    staging = killed.home / "lake" / "_staging" / "bills"
    options = {"table": "core.bills", "action": "correct", "reason": "looked at", "user": "li.wei", **said}
    options["at"] = "2025-07-01T08:00:00+08:00"
    words = [word for name, value in options.items() for word in ("--key", f"{name}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs", "replay_quarantine", "--date", FIRST_DAY.isoformat(), *words],
        env=os.environ | job_environment(killed.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _kill_when(process, lambda: bool(list(staging.glob("replay-*/plan.json"))))
    assert _statuses(killed, BILLS) == ["held"] * 3
    assert _act(killed, "correct", BILLS, **said) == "nothing to correct in quarantine.bills"
    layers = ("core", "quarantine")
    assert killed.fingerprints(*layers) == whole.fingerprints(*layers)
    books = (QUARANTINE_ACTIONS, RECONCILIATION, DELIVERIES)
    for book in books:
        found = [sorted(map(str, one.context("look", FIRST_DAY).books.read(book))) for one in (killed, whole)]
        assert found[0] == found[1], book.name
    assert not list(staging.glob("*"))


def test_a_replay_killed_after_its_merge_is_finished_by_the_ingest_job(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT)
    with monkeypatch.context() as killed:
        killed.setattr("jobs.runtime.lake.Lake.set_columns", kill)
        with pytest.raises(KeyboardInterrupt):
            _act(site, "correct", BILLS, row=_ids(site, BILLS)[0], set='{"total_yuan": "1"}')
    assert _statuses(site, BILLS) == ["held"]
    _deliver_bills(site, "d2", 2, BILL.replace("B1", "B2"))
    assert _statuses(site, BILLS) == ["corrected"]
    assert [row["result"] for row in _actions(site)] == ["accepted"]
    assert len(_rows(site, BILLS, "bill_id")) == 2
    assert QUARANTINES[BILLS.name].key[:2] == ("delivery_id", "received_at")


def test_rows_of_a_cancelled_delivery_do_not_come_back_and_what_a_person_entered_stays(site: Site) -> None:
    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT, BILL.replace("B1", "B2").replace("110.25", ""))
    first, second = _ids(site, BILLS)
    _act(site, "correct", BILLS, row=first, set='{"total_yuan": "1"}')
    deliver(site.home / "landing", "bills", {}, delivery_id="x", received_at="2025-06-28T04:00+08:00", cancels=["d1"])
    site.run("ingest_bills")
    assert sorted(_statuses(site, BILLS)) == ["cancelled", "corrected"]
    assert len(_rows(site, BILLS, "bill_id")) == 1
    assert "1 accepted" in _act(site, "correct", BILLS, row=second, set='{"total_yuan": "2"}')
    assert _statuses(site, BILLS) == ["corrected", "corrected"]


def test_tables_made_before_a_column_was_declared_get_it(site: Site) -> None:
    ctx = site.context("look", FIRST_DAY)
    held = QUARANTINES[BILLS.name]
    ctx.lake.create(replace(held, columns=tuple(c for c in held.columns if c.name != "settled_by")))
    older = replace(DELIVERIES, columns=tuple(c for c in DELIVERIES.columns if c.name != "cancels"))
    entry = {"feed": "bills", "delivery_id": "d0", "manifest_sha256": "0", "status": "duplicate", "content_sha256": "0"}
    ctx.books.append(older, [{**entry, "received_at": datetime(2025, 6, 1, tzinfo=UTC)}])
    assert not rows_in_quarantine(ctx.lake, BILLS, Wanted())
    _deliver_bills(site, "d1", 1, WITHOUT_AMOUNT)
    assert "1 accepted" in _act(site, "correct", BILLS, row=_ids(site, BILLS)[0], set='{"total_yuan": "1"}')
    (row,) = rows_in_quarantine(site.context("look", FIRST_DAY).lake, BILLS, Wanted())
    assert row["settled_by"] == _actions(site)[0]["action_id"]
