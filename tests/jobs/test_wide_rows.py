"""Wide rows go past Spark to their table, and everything is as if they had gone through it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import ingest_meter_days
from jobs.runtime import ingestion, wide_files
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.lake import Lake
from schemas import QUARANTINES
from schemas.meter_days import METER_DAYS
from schemas.ops import RECONCILIATION, RULE_RESULTS
from schemas.versions import REPEATS, VERSIONS
from tests.jobs.deliveries import CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.province import FIRST_DAY, Site

TABLES = (METER_DAYS, VERSIONS[METER_DAYS.name], REPEATS[METER_DAYS.name], QUARANTINES[METER_DAYS.name])
# the next deliveries' rows of a date, by what is to become of them
SECOND = (
    curve("M1", "2025-06-27", "0.5"),
    curve("M2", "2025-06-27", "0.5", p0015="", p2400=""),  # warned of: intervals are missing
    curve("M2", "2025-06-27", "0.5", p0015="", p2400=""),  # the same again
    curve("M3", "2025-06-27", "0.5"),
    curve("M3", "2025-06-27", "0.75"),  # of two in one delivery the last holds
    curve("M4", "2019-06-27", "0.5"),  # warned of: installed later, and on another date
    curve("M9", "2025-06-27", "0.5"),  # refused: nobody knows the meter
    curve("M5", "2025-06-27", "0.5", p0030="x"),  # refused: no number
    curve("M5", "2025-06-27", "-0.5"),  # refused: negative
)
LATE = (
    curve("M1", "2025-06-26", "0.25"),  # held, the same
    curve("M2", "2025-06-26", "0.75", p0100=""),  # held, something else
    curve("M4", "2025-06-26", "0.25"),  # not held yet
    curve("M5", "2025-06-25", "0.25"),  # a date which is new as well
)
# another delivery, which comes when a run has been killed
LATER = (curve("M1", "2025-06-27", "0.1"), curve("M4", "2025-06-27", "0.1"))


@pytest.fixture(scope="module")
def metered_once(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Site:
    site = Site(tmp_path_factory.mktemp("metered") / "site", spark)
    points = [POINT.replace("P1", f"P{n}").replace("M1", f"M{n}") for n in range(1, 6)]
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, *points)})
    site.run("ingest_metering_points")
    first = [curve(f"M{n}", "2025-06-26", "0.25") for n in (1, 2, 3)]
    _land(site, "d1", 2, first)
    _run(site, is_wide=False)
    return site


@pytest.fixture
def metered(metered_once: Site, tmp_path: Path) -> Site:
    """Five meters, and a date of three of them."""
    return metered_once.copy(tmp_path)


@pytest.fixture(scope="module")
def never_killed(metered_once: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, dict[str, list[str]]]:
    """The site with two more deliveries which wait, and what is there when they, and a later one, have been taken."""
    waiting = metered_once.copy(tmp_path_factory.mktemp("waiting") / "site")
    _land(waiting, "d2", 3, SECOND, LATE)
    whole = waiting.copy(tmp_path_factory.mktemp("whole") / "site")
    _run(whole)
    _land(whole, "d5", 6, LATER)
    _run(whole)
    return waiting, _contents(whole)


def _land(site: Site, name: str, hour: int, *files: list[str] | tuple[str, ...]) -> None:
    named = {f"{n}.csv": text(CURVE_HEADER, *rows) for n, rows in enumerate(files)}
    received_at = f"2025-06-28T{hour:02d}:10:00.123456+08:00"
    deliver(site.home / "landing", "meter_days", named, delivery_id=name, received_at=received_at)


def _context(site: Site, *, is_wide: bool) -> Context:
    ctx = site.context("ingest_meter_days", FIRST_DAY)
    few = 0 if is_wide else 1_000_000
    ctx.settings = replace_spark(ctx, few)
    return ctx


def replace_spark(ctx: Context, compile_from_rows: int) -> "Context.settings":
    spark = ctx.settings.spark.model_copy(update={"compile_from_rows": compile_from_rows})
    return ctx.settings.model_copy(update={"spark": spark})


def _run(site: Site, *, is_wide: bool = True) -> str:
    return ingest_meter_days.run(_context(site, is_wide=is_wide))


def _contents(site: Site) -> dict[str, list[str]]:
    """Every column of every row the job writes; of the books what does not differ from run to run."""
    ctx = site.context("look", FIRST_DAY)
    found = {
        table.name: sorted(row.text for row in ctx.lake.read(table).select(_as_text(table.column_names)).collect())
        for table in TABLES
    }
    for book in (RECONCILIATION, RULE_RESULTS):
        found[book.name] = sorted(map(str, ctx.books.read(book)))
    return found


def _as_text(names: list[str]) -> "F.Column":
    return F.to_json(F.struct(*names), {"ignoreNullFields": "false"}).alias("text")


def _both(metered: Site, tmp_path: Path) -> tuple[Site, Site]:
    wide, plain = (metered.copy(tmp_path.with_name(f"{tmp_path.name}-{way}")) for way in ("wide", "plain"))
    return wide, plain


def test_a_mixed_delivery_ends_in_the_same_tables_and_counts_as_on_the_way_through_spark(
    metered: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(metered, "d2", 3, SECOND, LATE)
    _land(metered, "d3", 4, [curve("M1", "2025-06-27", "0.5"), curve("M3", "2025-06-26", "0.25")])
    wide, plain = _both(metered, tmp_path)
    said = _run(plain, is_wide=False)
    assert "15 rows read = 6 accepted + 2 superseding + 4 duplicate + 3 quarantined" in said
    # as if a file held few rows: every date has several
    monkeypatch.setattr(wide_files, "_ROWS_A_FILE", 2)
    assert _run(wide) == said
    assert _contents(wide) == _contents(plain)
    assert _run(wide).startswith("0 delivery(ies)")


def test_days_of_23_24_and_25_hours_lie_side_by_side(
    metered: Site, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path_factory.mktemp("conf") / "conf"
    shutil.copytree(Path("conf"), conf)
    (conf / "feeds" / "meter_days.yaml").write_text(
        "table: core.meter_days\nreader: curve_long\ntime_zone: Europe/London\n"
        "curve: {interval_minutes: 30, label: start, day: elapsed, stamps: utc}\n"
        "columns:\n  - {target: meter_id, source: meter}\n  - {target: interval_at, source: time}\n"
        "  - {target: value, source: kwh}\n  - {target: quality, source: flag, values: {A: measured, E: estimated}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("WATTLAKE_CONF", str(conf))
    rows = [
        f"M{n % 3 + 1},{day}T{hour:02d}:{minute}:00Z,{hour}.5,{'E' if hour == 3 else 'A'}"
        for n, day in enumerate(("2024-03-31", "2024-06-10", "2024-10-27", "2024-10-28"))
        for hour in range(24)
        for minute in ("00", "30")
    ]
    deliver(metered.home / "landing", "meter_days", {"m.csv": text("meter,time,kwh,flag", *rows)}, delivery_id="d2")
    wide, plain = _both(metered, tmp_path)
    assert _run(wide) == _run(plain, is_wide=False)
    assert _contents(wide) == _contents(plain)
    lake = wide.context("look", FIRST_DAY).lake
    lengths = {row[0] for row in lake.read(METER_DAYS).select(F.size("kwh")).collect()}
    assert {46, 48, 50, 96} <= lengths


def test_flags_and_broken_rules_may_be_on_most_rows(metered: Site, tmp_path: Path) -> None:
    many = [curve(f"M{1 + n % 5}", f"2025-05-{1 + n // 5:02d}", "0.5", p0015="") for n in range(150)]
    bad = [curve("M9", f"2025-05-{1 + n:02d}", "0.5") for n in range(30)]
    _land(metered, "d2", 3, many, bad)
    wide, plain = _both(metered, tmp_path)
    assert _run(wide) == _run(plain, is_wide=False)
    assert _contents(wide) == _contents(plain)


def test_a_day_of_which_a_delivery_says_two_things_is_marked(metered: Site, tmp_path: Path) -> None:
    new = [curve("M1", "2025-06-27", value, p0015="") for value in ("0.5", "0.75")]
    twice = [curve("M2", "2025-06-27", "0.5")] * 2
    held = [curve("M3", "2025-06-26", value) for value in ("0.5", "0.75", "0.5")]
    _land(metered, "d2", 3, new[:1], new[1:] + twice, held)
    wide, plain = _both(metered, tmp_path)
    assert _run(wide) == _run(plain, is_wide=False)
    assert _contents(wide) == _contents(plain)
    ctx = wide.context("look", FIRST_DAY)
    rows = ctx.lake.read(METER_DAYS).where("delivery_id = 'd2'").select("meter_id", "flags", "total_kwh").collect()
    found = {row.meter_id: (row.flags, round(row.total_kwh, 2)) for row in rows}
    assert found == {"M1": (["MD-08", "MD-20"], 71.25), "M2": ([], 48.0), "M3": (["MD-20"], 48.0)}
    counted = {row["rule_id"]: row["rows_broken"] for row in ctx.books.read(RULE_RESULTS, delivery_id="d2")}
    assert (counted["MD-20"], counted["MD-08"]) == (5, 2)


def test_files_which_cannot_be_read_are_refused_whole_and_the_others_are_taken(metered: Site, tmp_path: Path) -> None:
    _land(metered, "d2", 3, SECOND)
    broken = metered.home / "landing" / "meter_days" / FIRST_DAY.isoformat() / "d3"
    _land(metered, "d3", 4, [curve("M1", "2025-06-27", "0.9")], ["M1,2025-06-27"])
    assert broken.exists()
    wide, plain = _both(metered, tmp_path)
    told = []
    for site, is_wide in ((wide, True), (plain, False)):
        with pytest.raises(DataError, match=r"1 delivery\(ies\) of meter_days refused whole") as refused:
            _run(site, is_wide=is_wide)
        told.append(str(refused.value))
    assert told[0] == told[1]
    assert _contents(wide) == _contents(plain)


def test_a_cancelled_delivery_gives_way_on_both_ways(metered: Site, tmp_path: Path) -> None:
    _land(metered, "d2", 3, SECOND, LATE)
    rows = text(CURVE_HEADER, curve("M2", "2025-06-26", "0.9"), curve("M4", "2025-06-27", "0.9"))
    deliver(
        metered.home / "landing",
        "meter_days",
        {"c.csv": rows},
        delivery_id="d4",
        received_at="2025-06-28T05:00:00+08:00",
        cancels=["d1"],
    )
    wide, plain = _both(metered, tmp_path)
    assert _run(wide) == _run(plain, is_wide=False)
    assert _contents(wide) == _contents(plain)


class _KilledError(BaseException):
    """What no job catches."""


def _run_killed(site: Site, owner: object, name: str, *, after: bool) -> None:
    """Run the job and let it end, as if it were killed, just before or after a function of it."""
    real: Callable[..., object] = getattr(owner, name)

    def killed(*args: object, **options: object) -> object:
        if after:
            real(*args, **options)
        raise _KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(_KilledError):
            _run(site)


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (ingestion, "_survey", False),  # staged, and no plan
        (ingestion, "_write", False),  # planned, nothing written
        (Lake, "append_files", False),  # files written, and no commit
        (Lake, "append_files", True),  # committed, late rows not merged
        (ingestion, "_close_books", False),  # everything written, not in the books
    ],
)
def test_a_run_killed_anywhere_is_finished_by_the_next_with_the_same_rows_and_counts(
    never_killed: tuple[Site, dict[str, list[str]]], tmp_path: Path, owner: object, name: str, after: bool
) -> None:
    waiting, contents = never_killed
    killed = waiting.copy(tmp_path)
    _run_killed(killed, owner, name, after=after)
    # another delivery has come in between: it must not change what was planned
    _land(killed, "d5", 6, LATER)
    _run(killed)
    assert _contents(killed) == contents
    assert not list((killed.home / "lake" / "_staging" / "meter_days").glob("*"))


def test_the_append_happens_once_whoever_repeats_it(metered: Site) -> None:
    _land(metered, "d2", 3, SECOND)
    lake = metered.context("look", FIRST_DAY).lake
    _run_killed(metered, Lake, "append_files", after=True)
    version = lake.version(METER_DAYS)
    _run(metered)
    assert lake.version(METER_DAYS) == version
    assert lake.read(METER_DAYS).count() == lake.read(METER_DAYS).select(*METER_DAYS.key).distinct().count()


def test_rows_which_are_not_as_many_as_planned_are_not_committed(
    metered: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(metered, "d2", 3, SECOND)
    before = _contents(metered)[METER_DAYS.name]
    real = wide_files._groups

    def one_short(judged: object) -> object:
        return real(judged).slice(1)  # type: ignore[arg-type]

    monkeypatch.setattr(wide_files, "_groups", one_short)
    with pytest.raises(DataError, match="rows were written where"):
        _run(metered)
    assert _contents(metered)[METER_DAYS.name] == before
    monkeypatch.undo()
    _run(metered)


def test_the_log_says_of_a_file_what_is_in_it_and_other_readers_find_the_same(metered: Site) -> None:
    _land(metered, "d2", 3, SECOND, LATE)
    before = {file["path"] for file in _files(metered)}
    _run(metered)
    added = [file for file in _files(metered) if file["path"].endswith(".zstd.parquet") and file["path"] not in before]
    assert added
    folder = metered.context("look", FIRST_DAY).lake.path(METER_DAYS)
    for file in added:
        held, stats = pq.read_table(folder / file["path"], partitioning=None), json.loads(file["stats"])
        assert (stats["numRecords"], file["size"]) == (held.num_rows, (folder / file["path"]).stat().st_size)
        meters = held.column("meter_id").to_pylist()
        assert (stats["minValues"]["meter_id"], stats["maxValues"]["meter_id"]) == (min(meters), max(meters))
        assert stats["nullCount"] == {"meter_id": 0, "received_at": 0, "delivery_id": 0}
        # an instant between two milliseconds lies between what is written
        low, high = stats["minValues"]["received_at"], stats["maxValues"]["received_at"]
        assert (low, high) == ("2025-06-27T19:10:00.123Z", "2025-06-27T19:10:00.124Z")
    lake = metered.context("look", FIRST_DAY).lake
    # Spark finds the rows by those statistics
    at = "received_at = TIMESTAMP'2025-06-27T19:10:00.123456Z'"
    assert lake.read(METER_DAYS).where(at).count() == lake.read(METER_DAYS).where("delivery_id = 'd2'").count() > 0
    found = (
        QueryBuilder()
        .register("held", DeltaTable(str(folder)))
        .execute("SELECT meter_id, total_kwh, kwh, flags FROM held WHERE delivery_id = 'd2'")
    )
    names = ("meter_id", "total_kwh", "kwh", "flags")
    theirs = sorted(tuple(r[n] for n in names) for r in pa.table(found.read_all()).to_pylist())
    mine = sorted(tuple(r[n] for n in names) for r in lake.read(METER_DAYS).where("delivery_id = 'd2'").collect())
    assert theirs == mine


def _files(site: Site) -> list[dict[str, object]]:
    log = site.context("look", FIRST_DAY).lake.path(METER_DAYS) / "_delta_log"
    lines = [json.loads(line) for path in sorted(log.glob("*.json")) for line in path.read_text().splitlines()]
    return [line["add"] for line in lines if "add" in line]
