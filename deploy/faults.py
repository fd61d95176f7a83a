"""How injected faults come out: `python deploy/faults.py [--customers 1000] [--days 5]`. A province of its own.

Generates a province with every class of faults into `.wattlake/faults`: its history, then daily deliveries, as late
and corrected rows, repeated and cut deliveries are only among those. Runs the jobs that take them in and the one that
makes customer days, with the embedded Spark Connect server, and prints the table of classes.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from chain import BILLING_AND_SERVICE, DISTRICTS, METER, REFERENCE, VALIDATION, places
from children import ServiceError
from children import stop as stop_children
from services import Place, job_environment, start_services

from jobs.province import DEFAULT_FAULTS

REPO = Path(__file__).resolve().parents[1]
LAST_DAY_OF_HISTORY = date(2025, 6, 27)
# what is rare in a real province would not occur in a small one
SHARES = {
    **DEFAULT_FAULTS,
    "above_capacity": 0.001,
    "conflicting_row": 0.001,
    "unknown_meter": 0.0005,
    "future_row": 0.0005,
    "kw_as_kwh": 0.006,
    "shifted_clock": 0.006,
    "identical_curves": 0.006,
    "swapped_ids": 0.006,
    "swapped_meter": 0.03,
    "multiplier_change": 0.4,
    "wrong_multiplier": 0.4,
    "roll_over": 0.03,
    "register_backwards": 0.0006,
    "register_jump": 0.0006,
    "wrong_interval_count": 0.006,
    "not_installed": 0.6,
    "theft": 0.006,
    "duplicated_delivery": 0.15,
    "truncated_file": 0.1,
}
# exit code of a job whose data do not allow it, and what it says where it has refused a delivery and taken the rest
DATA_ERROR, REFUSED = 3, "refused whole"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run(job: str, day: date, env: Mapping[str, str], options: Sequence[str] = ()) -> str:
    """What a job printed, run to its end. Exit code 1 where it fails; to refuse a delivery is no failure."""
    command = [sys.executable, "-m", "jobs", job, "--date", day.isoformat(), *options]
    done = subprocess.run(command, env=env, cwd=REPO, check=False, capture_output=True, text=True)
    is_refusal = done.returncode == DATA_ERROR and REFUSED in done.stderr
    if is_refusal:
        typer.echo(done.stderr[done.stderr.index("wattlake: ") :].rstrip())
    elif done.returncode:
        typer.echo(f"{job} {day}:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-30:]), err=True)
        raise typer.Exit(1)
    return done.stdout


@app.command(help=__doc__)
def main(
    customers: Annotated[int, typer.Option(help="Customers of the province")] = 1000,
    history_days: Annotated[int, typer.Option(help="Days of the initial load")] = 60,
    days: Annotated[int, typer.Option(help="Daily deliveries after it")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the province")] = 1,
) -> None:
    """Make the province, run the jobs, print the table."""
    home = REPO / ".wattlake" / "faults"
    shutil.rmtree(home, ignore_errors=True)
    os.environ["WATTLAKE_HOME"] = str(home)
    place = Place("faults")
    shares = ",".join(f"{name}:{share}" for name, share in SHARES.items())
    named = {"customers": customers, "history_days": history_days, "seed": seed, "faults": shares}
    options = [word for name, value in named.items() for word in ("--key", f"{name}={value}")]
    dates = [LAST_DAY_OF_HISTORY + timedelta(days=n) for n in range(days + 1)]
    try:
        start_services(place, ["connect"])
        env = {**os.environ, **places(str(home)), **job_environment(place), "WATTLAKE_ENV": ""}
        for number, day in enumerate(dates):
            begun = time.monotonic()
            run("generate_province", day, env, options if number == 0 else ())
            one_by_one = ((job,) for job in (*VALIDATION, "build_customer_days", *DISTRICTS))
            for step in (REFERENCE, (*METER, *BILLING_AND_SERVICE), *one_by_one):
                # as Airflow would run them: what does not wait for another one, two at a time
                with ThreadPoolExecutor(max_workers=2) as pool:
                    list(pool.map(partial(run, day=day, env=env), step))
            typer.echo(f"{day}: taken in and built in {time.monotonic() - begun:.0f} s")
        typer.echo(run("report_faults", dates[-1], env))
    except ServiceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    finally:
        stop_children(place.run)


if __name__ == "__main__":
    app()
