"""Import and the other channels of one delivery: each row in one table, and none lost between the two."""

import os
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from jobs import ingest_channel_days, ingest_meter_days
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from schemas import QUARANTINES, REPEATS, VERSIONS, Table
from schemas.channel_days import CHANNEL_DAYS
from schemas.meter_days import METER_DAYS
from schemas.ops import DELIVERIES, RECONCILIATION, RULE_RESULTS
from tests.jobs.deliveries import POINT, POINT_HEADER, deliver, text
from tests.province import FIRST_DAY, Site

EXAMPLES = Path("conf") / "examples" / "feeds"
JOBS = {METER_DAYS.name: ingest_meter_days, CHANNEL_DAYS.name: ingest_channel_days}
# four intervals a day keep the records readable
VALUES = {"E1": "1,2,3,4", "B1": "0,5,6,0", "Q1": "0.5,0.5,0.5,0.5", "K1": "0.25,0,0,0.25"}
UNITS = {"Q1": "kVArh", "K1": "kVArh"}


def stream(suffix: str, *days: str, values: str | None = None, nmi: str = "NMI0000001") -> list[str]:
    """A data stream of the home's meter: its 200 record and one 300 record a day (yyyymmdd)."""
    unit, points = UNITS.get(suffix, "kWh"), values or VALUES.get(suffix, "9,9,9,9")
    head = f"200,{nmi},E1B1Q1K1V1,1,{suffix},N1,S1,{unit},360,"
    return [head, *(f"300,{day},{points},A,,,20250628010203," for day in days)]


def nem12(*streams: list[str]) -> bytes:
    lines = ["100,NEM12,202506280102,MDP,RETAILER", *(line for records in streams for line in records), "900"]
    return ("\n".join(lines) + "\n").encode()


_FACTS = ("read_date", "channel", "delivery_id", "flags")
KIND_HEADER = f"{POINT_HEADER},计量点类别"
HOME = nem12(*(stream(suffix, "20250625", "20250626") for suffix in VALUES))


def land(
    site: Site, name: str, data: bytes, hour: int = 2, rows: int | None = None, cancels: tuple[str, ...] = ()
) -> None:
    counted = data.count(b"\n300,") if rows is None else rows
    deliver(
        site.home / "landing",
        "meter_days",
        {f"nem12_{name}.csv": data} if data else {},
        delivery_id=name,
        received_at=f"2025-06-28T{hour:02d}:10:00+08:00",
        rows={f"nem12_{name}.csv": counted},
        cancels=cancels,
    )


def _point(meter: str, kind: str) -> str:
    return POINT.replace("P1", f"P-{meter}").replace("M1", meter) + f",{kind}"


@pytest.fixture
def home(site: Site, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A home with a roof of solar cells: its meter is known, and its curves come as NEM12 for both feeds."""
    conf = tmp_path_factory.mktemp("conf") / "conf"
    shutil.copytree(Path("conf"), conf)
    # as docs/feeds.md says
    shutil.copy(EXAMPLES / "nem12.yaml", conf / "feeds" / "meter_days.yaml")
    shutil.copy(EXAMPLES / "channel_days.yaml", conf / "feeds" / "channel_days.yaml")
    points = conf / "feeds" / "metering_points.yaml"
    declared = points.read_text(encoding="utf-8")
    points.write_text(declared.replace("台区总表: district", "台区总表: district, 通道: channel"), encoding="utf-8")
    monkeypatch.setenv("WATTLAKE_CONF", str(conf))
    rows = [_point(f"NMI0000001-{suffix}", "客户" if suffix == "E1" else "通道") for suffix in (*VALUES, "V1")]
    deliver(site.home / "landing", "metering_points", {"p.csv": text(KIND_HEADER, *rows)})
    site.run("ingest_metering_points")
    return site


def _run(site: Site, table: Table, *, is_wide: bool = False) -> str:
    job = JOBS[table.name]
    ctx = site.context(job.__name__.rpartition(".")[2], FIRST_DAY)
    spark = ctx.settings.spark.model_copy(update={"compile_from_rows": 0 if is_wide else 1_000_000})
    ctx.settings = ctx.settings.model_copy(update={"spark": spark})
    return job.run(ctx)


def _both(site: Site, *, is_wide: bool = False) -> tuple[str, str]:
    said = [_run(site, table, is_wide=is_wide).partition(" rows read = ") for table in (METER_DAYS, CHANNEL_DAYS)]
    return said[0][0].rpartition(" ")[2] + " = " + said[0][2], said[1][0].rpartition(" ")[2] + " = " + said[1][2]


def _lake(site: Site) -> Context:
    return site.context("look", FIRST_DAY)


def _rows(site: Site, table: Table, *names: str) -> list[tuple[object, ...]]:
    lake = _lake(site).lake
    if not lake.exists(table):
        return []
    return sorted(tuple(row) for row in lake.read(table).select(*names).collect())


def _reconciled(site: Site, feed: str) -> Mapping[str, tuple[int, ...]]:
    parts = ("read", "accepted", "superseding", "duplicate", "quarantined")
    rows = _lake(site).books.read(RECONCILIATION, feed=feed)
    return {row["delivery_id"]: tuple(row[f"rows_{part}"] for part in parts) for row in rows}


def _contents(site: Site) -> dict[str, list[str]]:
    """Every column of every row which the two jobs write."""
    ctx, found = _lake(site), {}
    for of in (METER_DAYS, CHANNEL_DAYS):
        for table in (of, VERSIONS[of.name], REPEATS[of.name], QUARANTINES[of.name]):
            if ctx.lake.exists(table):
                as_text = F.to_json(F.struct(*table.column_names), {"ignoreNullFields": "false"}).alias("text")
                found[table.name] = sorted(row.text for row in ctx.lake.read(table).select(as_text).collect())
    for book in (RECONCILIATION, RULE_RESULTS):
        found[book.name] = sorted(map(str, ctx.books.read(book)))
    return found


@pytest.mark.parametrize("is_wide", [False, True], ids=["spark", "wide"])
def test_import_is_in_one_table_and_all_other_energy_in_the_other(home: Site, is_wide: bool) -> None:
    land(home, "d1", HOME)
    ours, others = _both(home, is_wide=is_wide)
    assert ours.startswith("2 = 2 accepted + 0 superseding + 0 duplicate + 0 quarantined")
    # three quarters of the file's rows are other channels, and nothing is refused
    assert others.startswith("6 = 6 accepted + 0 superseding + 0 duplicate + 0 quarantined")
    days = (date(2025, 6, 25), date(2025, 6, 26))
    assert _rows(home, METER_DAYS, "meter_id", "read_date", "kwh") == [
        ("NMI0000001-E1", day, [1, 2, 3, 4]) for day in days
    ]
    assert _rows(home, CHANNEL_DAYS, "meter_id", "channel", "read_date", "kwh", "total_kwh", "delivery_id") == [
        *(("NMI0000001-B1", "export", day, [0, 5, 6, 0], 11.0, "d1") for day in days),
        *(("NMI0000001-K1", "reactive_export", day, [0.25, 0, 0, 0.25], 0.5, "d1") for day in days),
        *(("NMI0000001-Q1", "reactive_import", day, [0.5] * 4, 2.0, "d1") for day in days),
    ]
    assert not _lake(home).lake.exists(QUARANTINES[METER_DAYS.name])
    assert _reconciled(home, "meter_days") == {"d1": (2, 2, 0, 0, 0)}
    assert _reconciled(home, "channel_days") == {"d1": (6, 6, 0, 0, 0)}
    # each feed has the delivery in its own ledger, and a rerun finds nothing new
    ledger = _lake(home).books.read(DELIVERIES, delivery_id="d1")
    assert {(row["feed"], row["status"]) for row in ledger if row["feed"] != "metering_points"} == {
        ("meter_days", "loaded"),
        ("channel_days", "loaded"),
    }
    before = _contents(home)
    assert all(_run(home, table).startswith("0 delivery(ies)") for table in (METER_DAYS, CHANNEL_DAYS))
    assert _contents(home) == before


def test_many_bad_rows_of_another_channel_do_not_refuse_what_is_good(home: Site) -> None:
    days = [f"202505{n:02d}" for n in range(1, 31)]
    exports = [stream(suffix, *days, values="-1,0,0,0") for suffix in ("B1", "Q1")]
    land(home, "d1", nem12(stream("E1", *days), *exports))
    assert _run(home, METER_DAYS).startswith("1 delivery(ies), 30 rows read = 30 accepted")
    with pytest.raises(DataError, match="60 of its 60 rows break an error rule, most of them CH-06"):
        _run(home, CHANNEL_DAYS)


@pytest.mark.parametrize("is_wide", [False, True], ids=["spark", "wide"])
@pytest.mark.parametrize("suffix", ["E1", "B1"])
def test_a_file_which_is_all_another_feeds_is_loaded_without_a_row(home: Site, suffix: str, is_wide: bool) -> None:
    land(home, "d1", nem12(stream(suffix, "20250626")))
    ours, others = _both(home, is_wide=is_wide)
    is_import = suffix == "E1"
    assert (ours[:1], others[:1]) == ("1", "0") if is_import else ("0", "1")
    counted = {"d1": (1, 1, 0, 0, 0)}, {"d1": (0, 0, 0, 0, 0)}
    found = _reconciled(home, "meter_days"), _reconciled(home, "channel_days")
    assert found == (counted if is_import else counted[::-1])
    assert len(_rows(home, METER_DAYS, "meter_id")) == is_import
    assert len(_rows(home, CHANNEL_DAYS, "meter_id")) == 1 - is_import


@pytest.mark.parametrize("is_wide", [False, True], ids=["spark", "wide"])
def test_what_no_feed_takes_stays_and_is_refused(home: Site, is_wide: bool) -> None:
    land(home, "d1", nem12(stream("E1", "20250626"), stream("V1", "20250626"), stream("B1", "20250626")))
    ours, others = _both(home, is_wide=is_wide)
    assert ours.startswith("2 = 1 accepted + 0 superseding + 0 duplicate + 1 quarantined")
    assert others.startswith("1 = 1 accepted")
    held = _rows(home, QUARANTINES[METER_DAYS.name], "meter_id", "broken_rules")
    assert held == [("NMI0000001-V1", ["MD-07"])]


@pytest.mark.parametrize("is_wide", [False, True], ids=["spark", "wide"])
def test_the_manifest_states_all_rows_of_the_file_to_both(home: Site, is_wide: bool) -> None:
    land(home, "d1", HOME, rows=2)
    for table in (METER_DAYS, CHANNEL_DAYS):
        with pytest.raises(DataError, match="the manifest states 2 rows, the file has 8"):
            _run(home, table, is_wide=is_wide)
        assert not _rows(home, table, "meter_id")


def test_the_same_file_again_is_a_repetition_to_both(home: Site) -> None:
    land(home, "d1", HOME)
    _both(home)
    land(home, "d2", HOME, hour=3)
    before = [_rows(home, table, *table.key, "delivery_id") for table in (METER_DAYS, CHANNEL_DAYS)]
    ours, others = _both(home)
    assert ours.startswith("2 = 0 accepted + 0 superseding + 2 duplicate")
    assert others.startswith("6 = 0 accepted + 0 superseding + 6 duplicate")
    assert [_rows(home, table, *table.key, "delivery_id") for table in (METER_DAYS, CHANNEL_DAYS)] == before
    assert _reconciled(home, "channel_days") == {"d1": (6, 6, 0, 0, 0), "d2": (6, 0, 0, 6, 0)}


def test_a_cancellation_takes_both_back(home: Site) -> None:
    land(home, "d1", nem12(*(stream(suffix, "20250626") for suffix in VALUES)))
    worse = nem12(*(stream(suffix, "20250626", values="7,7,7,7") for suffix in VALUES))
    land(home, "d2", worse, hour=3)
    _both(home)
    found = [_rows(home, table, "delivery_id") for table in (METER_DAYS, CHANNEL_DAYS)]
    assert found == [[("d2",)], [("d2",)] * 3]
    land(home, "d3", b"", hour=4, cancels=("d2",))
    _both(home)
    found = [_rows(home, table, "delivery_id") for table in (METER_DAYS, CHANNEL_DAYS)]
    assert found == [[("d1",)], [("d1",)] * 3]
    assert _rows(home, VERSIONS[CHANNEL_DAYS.name], "delivery_id", "replaced_by") == [("d2", "d3")] * 3


def test_both_ways_of_staging_end_in_the_same_tables_and_counts(home: Site, tmp_path: Path) -> None:
    first = nem12(*(stream(suffix, "20250625", "20250626") for suffix in VALUES))
    second = nem12(
        *(stream(suffix, "20250626", "20250627", values="1,,2,3") for suffix in (*VALUES, "V1")),
        stream("E1", "20250620", nmi="NOBODY0001"),
        stream("B1", "20250620", nmi="NOBODY0001"),
        stream("B1", "20250626", values="-1,0,0,0"),
    )
    land(home, "d1", first)
    land(home, "d2", second, hour=3)
    wide = home.copy(tmp_path.with_name(f"{tmp_path.name}-wide"))
    assert _both(home) == _both(wide, is_wide=True)
    assert _contents(home) == _contents(wide)
    assert len(_contents(wide)[CHANNEL_DAYS.name]) == 9
    # the second value of a date's exports is negative, so that the first delivery's holds
    told = {(str(day), channel): (name, flags) for day, channel, name, flags in _rows(wide, CHANNEL_DAYS, *_FACTS)}
    assert told["2025-06-26", "export"] == ("d1", [])
    assert told["2025-06-26", "reactive_import"] == told["2025-06-27", "export"] == ("d2", ["CH-08"])


@pytest.mark.parametrize("is_wide", [False, True], ids=["spark", "wide"])
def test_a_channel_of_which_a_delivery_says_two_things_is_marked_and_its_meters_others_are_not(
    home: Site, is_wide: bool
) -> None:
    twice = [stream("B1", "20250626", values=f"{n},0,0,0") for n in (1, 2)]
    files = {"nem12_1.csv": nem12(twice[0], stream("Q1", "20250626")), "nem12_2.csv": nem12(twice[1])}
    deliver(home.home / "landing", "meter_days", files, rows={"nem12_1.csv": 2, "nem12_2.csv": 1})
    assert "3 rows read = 2 accepted + 1 superseding + 0 duplicate" in _run(home, CHANNEL_DAYS, is_wide=is_wide)
    assert _rows(home, CHANNEL_DAYS, "channel", "total_kwh", "flags") == [
        ("export", 2.0, ["CH-20"]),
        ("reactive_import", 2.0, []),
    ]


def test_without_the_feed_everything_but_import_is_refused_and_the_job_needs_no_session(
    home: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(os.environ["WATTLAKE_CONF"]) / "feeds" / "channel_days.yaml").unlink()
    land(home, "d1", HOME)
    assert _run(home, METER_DAYS).startswith("1 delivery(ies), 8 rows read = 2 accepted")
    assert _rows(home, QUARANTINES[METER_DAYS.name], "broken_rules") == [(["MD-07"],)] * 6
    ctx = Context("ingest_channel_days", FIRST_DAY, _lake(home).settings)
    assert ingest_channel_days.run(ctx) == "no feed channel_days is declared: nothing to do"
    assert "spark" not in ctx.__dict__


def test_a_feed_declared_later_takes_what_came_before_it_and_the_refused_rows_stay_refused(home: Site) -> None:
    declared = Path(os.environ["WATTLAKE_CONF"]) / "feeds" / "channel_days.yaml"
    said = declared.read_text(encoding="utf-8")
    declared.unlink()
    land(home, "d1", HOME)
    _run(home, METER_DAYS)
    declared.write_text(said, encoding="utf-8")
    assert _run(home, CHANNEL_DAYS).startswith("1 delivery(ies), 6 rows read = 6 accepted")
    asked = {"table": METER_DAYS.name, "rule": "MD-07", "reason": "kept apart", "user": "u"}
    released = home.run("replay_quarantine", action="release", at="2025-07-01T08:00:00+08:00", **asked)
    assert released == "6 row(s) taken = 0 accepted + 0 superseding + 0 duplicate + 6 still held (MD-07 6)"
    assert len(_rows(home, METER_DAYS, "meter_id")) == 2


def test_a_refused_row_of_another_channel_is_released_into_its_own_table(home: Site) -> None:
    land(home, "d1", nem12(stream("B1", "20250626", nmi="NMI0000002"), stream("E1", "20250626")))
    assert "1 quarantined" in _run(home, CHANNEL_DAYS)
    point = text(KIND_HEADER, _point("NMI0000002-B1", "通道"))
    deliver(home.home / "landing", "metering_points", {"p.csv": point}, delivery_id="p2")
    home.run("ingest_metering_points")
    asked = {"table": CHANNEL_DAYS.name, "rule": "CH-04", "reason": "known by now", "user": "u"}
    released = home.run("replay_quarantine", action="release", at="2025-07-01T08:00:00+08:00", **asked)
    assert released.startswith("1 row(s) taken = 1 accepted")
    assert _rows(home, CHANNEL_DAYS, "meter_id", "channel") == [("NMI0000002-B1", "export")]


def test_a_run_that_was_killed_is_finished_with_the_same_rows(home: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    land(home, "d1", HOME)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for is_wide in (False, True):
        site = home.copy(home.home.with_name(f"{home.home.name}-{is_wide}"))
        with monkeypatch.context() as patch:
            patch.setattr("jobs.runtime.ingestion._close_books", killed)
            for table in (METER_DAYS, CHANNEL_DAYS):
                with pytest.raises(KeyboardInterrupt):
                    _run(site, table, is_wide=is_wide)
        ours, others = _both(site, is_wide=is_wide)
        assert (ours[:14], others[:14]) == ("2 = 2 accepted", "6 = 6 accepted")
        assert len(_rows(site, CHANNEL_DAYS, *CHANNEL_DAYS.key)) == 6
