"""The meter path beside DuckDB: `python deploy/bench.py [--meters 500000]`.

Generates a province with one day of history and the deliveries of the next day into `.wattlake/bench`, loads its master
data and its first day, and then times the second day's curves from landing to the merged table: read, judged against
all rules, staged, quarantined, appended, late rows merged, reconciled. Beside it, in the same run and on the same
files, DuckDB parses and writes the arrays to Parquet, and does nothing else. Prints a table for `docs/performance.md`.
"""

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import duckdb
import psutil
import typer
from children import ServiceError, running
from services import Place, job_environment, start_services, stop

REPO = Path(__file__).resolve().parents[1]
ENV = "bench"
FIRST_DAY = date(2025, 6, 26)
SECOND_DAY = FIRST_DAY + timedelta(days=1)
POINTS = 96
# a delivery of millions of points is worth the optimising compiler
JAVA_OPTIONS = "-XX:ReservedCodeCacheSize=512m"

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


def run_job(job: str, day: date, env: dict[str, str], *options: str) -> float:
    """Run a job to its end. Returns its seconds. Exit with its code when it fails."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "jobs", job, "--date", day.isoformat(), "--env", ENV, *options]
    done = subprocess.run(command, env=env, cwd=REPO, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    return time.monotonic() - begun


def curve_files(landing: Path, day: date) -> list[Path]:
    """The curve files of a date."""
    return sorted(path for path in (landing / "meter_days" / day.isoformat()).rglob("*.csv*"))


def with_duckdb(files: list[Path], out: Path) -> tuple[float, int]:
    """Parse the files and write the arrays to Parquet. Returns the seconds and the rows."""
    names = [f"{(n + 1) * 15 // 60:02d}{(n + 1) * 15 % 60:02d}" for n in range(POINTS)]
    listed = ", ".join(f'TRY_CAST("{name}" AS FLOAT)' for name in names)
    paths = ", ".join(f"'{path}'" for path in files)
    begun = time.monotonic()
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {os.cpu_count()}")
        connection.execute(
            f'COPY (SELECT "电表编号" AS meter_id, CAST("数据日期" AS DATE) AS read_date, [{listed}] AS kwh '
            f"FROM read_csv([{paths}], header = true, all_varchar = true)) TO '{out}' (FORMAT parquet)"
        )
        seconds = time.monotonic() - begun
        rows = connection.execute(f"SELECT count(*) FROM '{out}'").fetchall()[0][0]
    return seconds, int(rows)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


@app.command(help=__doc__)
def main(
    meters: Annotated[int, typer.Option(help="Customers of the province; a few have two meters")] = 500_000,
) -> None:
    """Run the benchmark."""
    place = Place(ENV)
    stop(place.run)
    shutil.rmtree(place.home, ignore_errors=True)
    os.environ.setdefault("WATTLAKE_CONNECT_JAVA_OPTIONS", JAVA_OPTIONS)
    plain = {**os.environ, "WATTLAKE_ENV": ENV}
    scale = ("--key", f"customers={meters}", "--key", f"workers={os.cpu_count()}")
    run_job("generate_province", FIRST_DAY, plain, *scale, "--key", "history_days=1")
    run_job("generate_province", SECOND_DAY, plain, *scale)
    try:
        start_services(place, ["connect"])
        env = {**plain, **job_environment(place)}
        for job in ("ingest_metering_points", "ingest_customers", "ingest_meter_days"):
            run_job(job, FIRST_DAY, env)
        server = running(place.run, "connect")
        if server is None:
            raise ServiceError("The Spark Connect server has ended: see its log in .wattlake/bench/run.")
        table = place.home / "lake" / "core" / "meter_days"
        before = folder_bytes(table)
        with peak_of(psutil.Process(server.pid)) as peak:
            seconds = run_job("ingest_meter_days", SECOND_DAY, env)
        written = folder_bytes(table) - before
    except ServiceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    finally:
        stop(place.run)
    files = curve_files(place.home / "landing", SECOND_DAY)
    alone, rows = with_duckdb(files, place.home / "duckdb.parquet")
    _say(seconds, alone, rows, peak.most, written, sum(path.stat().st_size for path in files))


def _say(seconds: float, alone: float, rows: int, most: int, written: int, given: int) -> None:
    cores = os.cpu_count() or 1
    points = rows * POINTS
    lines = [
        ("rows of 96 points", f"{rows:,} in {given / 1e6:,.0f} MB of CSV"),
        ("landing to merged table", f"{seconds:.1f} s"),
        ("points a second and core", f"{points / seconds / cores / 1e6:.2f} million"),
        ("DuckDB, parse and write only", f"{alone:.1f} s"),
        ("times DuckDB's", f"{seconds / alone:.1f}"),
        ("peak memory of Spark and its workers", f"{most / 2**30:.1f} GiB"),
        ("written to core.meter_days", f"{written / 1e6:,.0f} MB"),
        ("hardware", f"{cores} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.machine()}"),
    ]
    typer.echo("\n| meter path | figure |\n|---|---|")
    for name, figure in lines:
        typer.echo(f"| {name} | {figure} |")


if __name__ == "__main__":
    app()
