"""The meter path beside DuckDB: `python deploy/bench.py [--meters 500000] [--history 10 --history 60]`.

Generates a province with one day of history and the deliveries of the next day into `.wattlake/bench`, and loads its
master data and its first day. For each length of history the files of that day are then made part of the table under
the dates before as well, and the second day's curves are timed from landing to the merged table: read, judged against
all rules, staged, quarantined, appended, merged with what is held, reconciled. Beside the day's own delivery comes one
of late rows: of 2 % of the meters, which were missing before, spread over the 30 days before. At the longest history
the day is also timed with as many corrections of rows which are held instead, and with the day's own delivery alone. A
run which is not counted comes before all others, as a new JVM is slow. In the same run and on the same files, DuckDB
parses and writes the arrays to Parquet, and does nothing else. Prints a table for `docs/performance.md`.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import duckdb
import psutil
import typer
from children import ServiceError, running
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from services import Place, job_environment, start_services, stop

REPO = Path(__file__).resolve().parents[1]
ENV = "bench"
FIRST_DAY = date(2025, 6, 26)
SECOND_DAY = FIRST_DAY + timedelta(days=1)
POINTS = 96
# one meter of so many is delivered late, and as many are corrected, on one of so many dates before
ONE_IN = 50
MOST_DAYS_LATE = 30
LATE, CORRECTED, NOTHING = "late", "corrected", "neither"
# what the job says of its steps
STEP = re.compile(r"INFO wattlake\.ingest_meter_days: ([a-z ]+): ([0-9.]+) s$", re.MULTILINE)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Peak:
    """The most memory a process and its children held, in bytes, looked at ten times a second."""

    def __init__(self, root: psutil.Process) -> None:
        """Nothing seen yet."""
        self._root = root
        self._ends = threading.Event()
        self.most = 0

    def watch(self) -> None:
        """Look until `end`."""
        while not self._ends.wait(0.1):
            held = 0
            for process in [self._root, *self._root.children(recursive=True)]:
                try:
                    held += process.memory_info().rss
                except psutil.Error:
                    continue
            self.most = max(self.most, held)

    def end(self) -> None:
        """Stop looking."""
        self._ends.set()


@contextmanager
def peak_of(root: psutil.Process) -> Iterator[Peak]:
    """The peak over the time inside."""
    peak = Peak(root)
    watcher = threading.Thread(target=peak.watch)
    watcher.start()
    try:
        yield peak
    finally:
        peak.end()
        watcher.join()


def run_job(job: str, day: date, env: dict[str, str], *options: str) -> tuple[float, str]:
    """Run a job to its end. Returns its seconds and what it said. Exit with its code when it fails."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "jobs", job, "--date", day.isoformat(), "--env", ENV, *options]
    done = subprocess.run(
        command, env=env, cwd=REPO, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    seconds = time.monotonic() - begun
    typer.echo(done.stdout, nl=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    return seconds, done.stdout


def deliver_again(landing: Path, day: date, name: str, meters: set[bytes]) -> Path:
    """A delivery beside the day's own: the day's rows of these meters, each under one of the dates before."""
    own = own_delivery(landing, day)
    files = lines_of(own)
    header = next(iter(files.values()))[0]
    lines = [row for rows in files.values() for row in rows[1:] if meter_of(row) in meters]
    dates = [(day - timedelta(days=1 + n)).isoformat().encode() for n in range(MOST_DAYS_LATE)]
    this = day.isoformat().encode()
    moved = [line.replace(this, dates[n % len(dates)], 1) for n, line in enumerate(lines) if b"," + this + b"," in line]
    folder = own.with_name(f"{own.name}-{name}")
    shutil.copytree(own, folder, ignore=shutil.ignore_patterns("*.csv"))
    write_files(folder, {f"{name}.csv": [header, *moved]})
    return folder


def take_out(landing: Path, day: date, nth: int) -> set[bytes]:
    """Take one meter of each `ONE_IN`, the nth, out of a day's own delivery. Returns their ids as they are written."""
    own = own_delivery(landing, day)
    taken = every_nth_meter(landing, day, nth)
    files = lines_of(own)
    write_files(own, {name: [row for row in rows if meter_of(row) not in taken] for name, rows in files.items()})
    return taken


def every_nth_meter(landing: Path, day: date, nth: int) -> set[bytes]:
    """The nth meter of each `ONE_IN` of a day's own delivery."""
    files = lines_of(own_delivery(landing, day))
    return {meter_of(row) for rows in files.values() for row in rows[1 + nth :: ONE_IN]}


def lines_of(folder: Path) -> dict[str, list[bytes]]:
    """The lines of each file of a delivery, a header first."""
    return {file.name: file.read_bytes().splitlines(keepends=True) for file in sorted(folder.glob("*.csv"))}


def meter_of(row: bytes) -> bytes:
    """The first column, as it is written."""
    return row.split(b",", 1)[0]


def own_delivery(landing: Path, day: date) -> Path:
    """The folder of the day's own delivery."""
    return min((landing / "meter_days" / day.isoformat()).iterdir())


def write_files(folder: Path, files: dict[str, list[bytes]]) -> None:
    """Write the files of a delivery, each a header and its rows, and a manifest which says of them what holds."""
    said = []
    for name, lines in files.items():
        data = b"".join(lines)
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        said.append({"name": name, "rows": len(lines) - 1, "bytes": len(data), "sha256": digest})
    manifest = folder / "_manifest.json"
    told = {**json.loads(manifest.read_text(encoding="utf-8")), "delivery_id": folder.name, "files": said}
    manifest.write_text(json.dumps(told), encoding="utf-8")


@contextmanager
def taken_away(*folders: Path) -> Iterator[None]:
    """Some deliveries are not there."""
    aside = {folder: folder.parents[3] / folder.name for folder in folders}
    for folder, place in aside.items():
        folder.rename(place)
    try:
        yield
    finally:
        for folder, place in aside.items():
            place.rename(folder)


def make_history(lake: Path, day: date, days: int) -> None:
    """Make the files of a day part of the table under the dates before as well, so that it holds so many days."""
    folder = lake / "core" / "meter_days"
    held = DeltaTable(folder)
    log = [json.loads(line) for path in sorted((folder / "_delta_log").glob("*.json")) for line in path.open()]
    files = [entry["add"] for entry in log if "add" in entry]
    added = []
    for n in range(1, days):
        on_date = (day - timedelta(days=n)).isoformat()
        (folder / f"read_date={on_date}").mkdir()
        for file in files:
            path = f"read_date={on_date}/{n:03d}-{Path(file['path']).name}"
            # one file under two names: a date is not in the file, and nobody changes it
            os.link(folder / file["path"], folder / path)
            added.append(
                AddAction(path, file["size"], {"read_date": on_date}, file["modificationTime"], True, file["stats"])
            )
    if added:
        held.create_write_transaction(added, "append", held.schema(), partition_by=["read_date"])


def curve_files(landing: Path, day: date) -> list[Path]:
    """The curve files of a date."""
    return sorted(path for path in (landing / "meter_days" / day.isoformat()).rglob("*.csv*"))


def with_duckdb(files: list[Path], out: Path) -> tuple[float, float, int]:
    """Parse the files and write the arrays to Parquet. Returns the seconds, those of the cores, and the rows."""
    names = [f"{(n + 1) * 15 // 60:02d}{(n + 1) * 15 % 60:02d}" for n in range(POINTS)]
    listed = ", ".join(f'TRY_CAST("{name}" AS FLOAT)' for name in names)
    paths = ", ".join(f"'{path}'" for path in files)
    begun, used = time.monotonic(), time.process_time()
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {os.cpu_count()}")
        connection.execute(
            f'COPY (SELECT "电表编号" AS meter_id, CAST("数据日期" AS DATE) AS read_date, [{listed}] AS kwh '
            f"FROM read_csv([{paths}], header = true, all_varchar = true)) TO '{out}' (FORMAT parquet)"
        )
        seconds, used = time.monotonic() - begun, time.process_time() - used
        rows = connection.execute(f"SELECT count(*) FROM '{out}'").fetchall()[0][0]
    return seconds, used, int(rows)


def data_files(folder: Path) -> dict[Path, int]:
    """Bytes of each file with data or with what is deleted of them, below a folder."""
    return {path: path.stat().st_size for path in folder.rglob("*") if path.suffix in {".parquet", ".bin"}}


def cpu_seconds(root: psutil.Process) -> float:
    """What a process, its children, those of them which have ended, and those of this process have used."""
    used = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        used += times.user + times.system + times.children_user + times.children_system
    own = os.times()
    return used + own.children_user + own.children_system


@dataclass(frozen=True)
class Timing:
    """What the second day cost on a table of some days."""

    history_days: int
    # what comes with the day's own delivery
    beside: str
    seconds: float
    # of all processes together: it says more than the wall clock where others use the cores too
    cpu_seconds: float
    # seconds of each step, as the job said them
    steps: dict[str, float]
    peak_bytes: int
    written_bytes: int


def time_second_day(place: Place, env: dict[str, str], name: str, days: int, beside: str) -> Timing:
    """Take the second day's deliveries into a copy of the lake of the first day, with so many days of history."""
    first = place.home / "lake"
    # a folder of its own: the server remembers the tables of a folder
    lake = place.home / f"lake-{name}"
    shutil.copytree(first, lake, copy_function=os.link)
    make_history(lake, FIRST_DAY, days)
    table = lake / "core" / "meter_days"
    before = data_files(table)
    server = running(place.run, "connect")
    if server is None:
        raise ServiceError("The Spark Connect server has ended: see its log in .wattlake/bench/run.")
    spark = psutil.Process(server.pid)
    used = cpu_seconds(spark)
    with peak_of(spark) as peak:
        seconds, said = run_job("ingest_meter_days", SECOND_DAY, {**env, "WATTLAKE_LAKE__ROOT": str(lake)})
    written = sum(size for path, size in data_files(table).items() if path not in before)
    used = cpu_seconds(spark) - used
    steps = {name: float(taken) for name, taken in STEP.findall(said)}
    return Timing(days, beside, seconds, used, steps, peak.most, written)


@app.command(help=__doc__)
def main(
    meters: Annotated[int, typer.Option(help="Customers of the province; a few have two meters")] = 500_000,
    history: Annotated[list[int] | None, typer.Option(help="Days which the table holds; may be repeated")] = None,
) -> None:
    """Run the benchmark."""
    place = Place(ENV)
    stop(place.run)
    shutil.rmtree(place.home, ignore_errors=True)
    plain = {**os.environ, "WATTLAKE_ENV": ENV}
    scale = ("--key", f"customers={meters}", "--key", f"workers={os.cpu_count()}")
    run_job("generate_province", FIRST_DAY, plain, *scale, "--key", "history_days=1")
    run_job("generate_province", SECOND_DAY, plain, *scale)
    landing = place.home / "landing"
    missing = take_out(landing, FIRST_DAY, 0)
    late = deliver_again(landing, SECOND_DAY, LATE, missing)
    corrected = deliver_again(landing, SECOND_DAY, CORRECTED, every_nth_meter(landing, FIRST_DAY, ONE_IN // 2))
    lengths = history or [10, 60]
    try:
        start_services(place, ["connect"])
        env = {**plain, **job_environment(place)}
        for job in ("ingest_metering_points", "ingest_customers", "ingest_meter_days"):
            run_job(job, FIRST_DAY, env)
        timed = partial(time_second_day, place, env)
        with taken_away(corrected):
            timed("first", min(lengths), LATE)
            timings = [timed(f"{days}", days, LATE) for days in lengths]
        with taken_away(late):
            timings.append(timed("corrected", max(lengths), CORRECTED))
        with taken_away(late, corrected):
            timings.append(timed("plain", max(lengths), NOTHING))
    except ServiceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    finally:
        stop(place.run)
    files = curve_files(landing, SECOND_DAY)
    alone, used, rows = with_duckdb(files, place.home / "duckdb.parquet")
    _say(timings, alone, used, rows, sum(path.stat().st_size for path in files))


def _of(timing: Timing) -> str:
    return f"{timing.history_days}, {timing.beside}"


def _say(timings: list[Timing], alone: float, used: float, rows: int, given: int) -> None:
    cores = os.cpu_count() or 1
    steps = list(dict.fromkeys(name for timing in timings for name in timing.steps))
    lines = [
        ("landing to merged table", [f"{t.seconds:.1f} s" for t in timings]),
        *((f"of it: {name}", [f"{t.steps.get(name, 0):.1f} s" for t in timings]) for name in steps),
        ("of it: process and session", [f"{t.seconds - sum(t.steps.values()):.1f} s" for t in timings]),
        ("times DuckDB's", [f"{t.seconds / alone:.1f}" for t in timings]),
        ("CPU seconds of all processes", [f"{t.cpu_seconds:.1f} s" for t in timings]),
        ("times DuckDB's", [f"{t.cpu_seconds / used:.1f}" for t in timings]),
        (
            "points a second and core",
            [f"{rows * POINTS / t.seconds / cores / 1e6:.2f} million" for t in timings],
        ),
        ("peak memory of Spark and its workers", [f"{t.peak_bytes / 2**30:.1f} GiB" for t in timings]),
        ("written to core.meter_days", [f"{t.written_bytes / 1e6:,.0f} MB" for t in timings]),
    ]
    typer.echo(f"\n{rows:,} rows of {POINTS} points in {given / 1e6:,.0f} MB of CSV; ", nl=False)
    typer.echo(f"DuckDB, parse and write only: {alone:.1f} s, {used:.1f} CPU s; ", nl=False)
    typer.echo(f"{cores} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.machine()}\n")
    typer.echo("| " + " | ".join(["days held before", *(_of(timing) for timing in timings)]) + " |")
    typer.echo("|---" * (len(timings) + 1) + "|")
    for name, figures in lines:
        typer.echo("| " + " | ".join([name, *figures]) + " |")


if __name__ == "__main__":
    app()
