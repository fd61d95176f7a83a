"""The same tables on a cluster as on one machine: `python deploy/cluster_check.py [--customers 300]`.

Generates a province and runs the whole chain on it twice: with the embedded Spark Connect server, and by
`spark-submit` on a standalone cluster of a master and two workers, as the DAGs' tasks would submit it.
Compares every row of every table that the chain writes. Exit code 1 when a table differs.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import duckdb
import pyarrow as pa
import typer
from chain import WHOLE, places
from children import ServiceError
from children import stop as stop_children
from cluster import start_cluster
from deltalake import DeltaTable
from services import Place, job_environment, start_services

REPO = Path(__file__).resolve().parents[1]
DATE = "2025-06-27"
LAYERS = ("core", "features", "mart", "quarantine", "vault")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run(words: Sequence[str], env: dict[str, str]) -> None:
    """Run a command to its end; its last lines and exit code 1 when it fails."""
    done = subprocess.run(list(words), env=env, cwd=REPO, check=False, capture_output=True, text=True)
    if done.returncode:
        typer.echo("\n".join((done.stdout + done.stderr).splitlines()[-30:]), err=True)
        raise typer.Exit(1)


def run_chain(title: str, env: dict[str, str]) -> None:
    """Run all jobs in the way in which the DAGs' tasks start them."""
    # what starts a task is the DAGs' own, so that this shows what Airflow would do
    sys.path.append(str(REPO / "dags"))
    from datetime import date

    from spark_job import command

    begun = time.monotonic()
    os.environ.update(env)
    for job in WHOLE:
        words, variables = command(job, date.fromisoformat(DATE))
        started = time.monotonic()
        run(words, variables)
        typer.echo(f"  {title:<8} {job:<28} {time.monotonic() - started:6.1f} s")
    typer.echo(f"{title}: {time.monotonic() - begun:.0f} s")


def fingerprint(folder: Path) -> tuple[int, int]:
    """Rows of a table, and the sum of a hash over each."""
    rows = DeltaTable(str(folder)).to_pyarrow_dataset() if _is_plain(folder) else _with_vectors(folder)
    with duckdb.connect() as connection:
        connection.register("held", rows)
        found = connection.execute("SELECT count(*), coalesce(sum(hash(held)::HUGEINT), 0) FROM held").fetchall()
    return int(found[0][0]), int(found[0][1])


def _is_plain(folder: Path) -> bool:
    return DeltaTable(str(folder)).protocol().min_reader_version == 1


def _with_vectors(folder: Path) -> pa.Table:
    from deltalake import QueryBuilder

    found = QueryBuilder().register("held", DeltaTable(str(folder))).execute("SELECT * FROM held").read_all()
    return pa.table(found)


def tables(lake: Path) -> dict[str, tuple[int, int]]:
    """Fingerprints of all tables of a lake."""
    folders = [log.parent for layer in LAYERS for log in sorted((lake / layer).glob("*/_delta_log"))]
    return {f"{folder.parent.name}.{folder.name}": fingerprint(folder) for folder in folders}


@app.command(help=__doc__)
def main(
    customers: Annotated[int, typer.Option(help="Customers of the province")] = 300,
    history_days: Annotated[int, typer.Option(help="Days of history")] = 112,
) -> None:
    """Run both and compare."""
    home = REPO / ".wattlake" / "cluster"
    here, there = home / "local", home / "submitted"
    for folder in (here, there):
        shutil.rmtree(folder, ignore_errors=True)
    plain = {**os.environ, **places(str(here))}
    options = ("--key", f"customers={customers}", "--key", f"history_days={history_days}")
    run([sys.executable, "-m", "jobs", "generate_province", "--date", DATE, *options], plain)
    shutil.copytree(here, there)
    # the first chain makes the keys: under others every customer would be another
    keys = {"WATTLAKE_SECRETS__FOLDER": places(str(here))["WATTLAKE_SECRETS__FOLDER"]}
    os.environ["WATTLAKE_HOME"] = str(home)
    place = Place("cluster")
    try:
        start_services(place, ["connect"])
        run_chain("local", {**places(str(here)), **job_environment(place), "WATTLAKE_ENV": ""})
        stop_children(place.run)
        master = start_cluster(home / "run", workers=2, cores=1, memory="2g")
        submit = {"SPARK_LOCAL_IP": "127.0.0.1", "WATTLAKE_SUBMIT": "spark-submit", "WATTLAKE_SPARK_MASTER": master}
        run_chain("cluster", {**places(str(there)), **keys, **submit})
    except ServiceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    finally:
        stop_children(home / "run")
    mine, others = tables(here / "lake"), tables(there / "lake")
    different = [name for name in sorted(mine | others) if mine.get(name) != others.get(name)]
    for name in sorted(mine):
        typer.echo(f"  {name:<32} {mine[name][0]:>9,} rows  {'DIFFERENT' if name in different else 'the same'}")
    if different:
        typer.echo(f"{len(different)} tables differ: {', '.join(different)}", err=True)
        raise typer.Exit(1)
    typer.echo(f"All {len(mine)} tables hold the same rows.")


if __name__ == "__main__":
    app()
