"""The demonstration from an empty folder to published scores: `python deploy/demo.py [--customers 2000] [--days 3]`.

Writes a province with its history, starts the embedded services, and lets Airflow run all DAGs for the initial load and
for each daily delivery after it. Ends with what is published, the reconciliation, and where the pages are. Exit code 0
only when all of it is so. Run again, it finds everything loaded and changes nothing.
"""

import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

DEPLOY = Path(__file__).resolve().parent
LAST_DAY_OF_HISTORY = date(2025, 6, 27)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *command], cwd=DEPLOY.parent)


def _end(started: subprocess.Popen[bytes], *command: str) -> None:
    if code := started.wait():
        typer.echo(f"The demonstration stopped at: {' '.join(command)}", err=True)
        raise typer.Exit(code)


def _run(*command: str) -> None:
    _end(_start(*command), *command)


@app.command(help=__doc__)
def main(
    customers: Annotated[int, typer.Option(help="Customers of the province")] = 2000,
    history_days: Annotated[int, typer.Option(help="Days of the initial load")] = 120,
    days: Annotated[int, typer.Option(help="Daily deliveries after it")] = 3,
    env: Annotated[str, typer.Option(help="Environment: a file in conf/")] = "demo",
    keep: Annotated[bool, typer.Option(help="Leave the services running at the end")] = False,
) -> None:
    """Run the demonstration."""
    begun = time.monotonic()
    dates = [LAST_DAY_OF_HISTORY + timedelta(days=n) for n in range(days + 1)]
    services = str(DEPLOY / "services.py")
    up = (services, "up", "--env", env, "--only", "connect,airflow")
    starting = _start(*up)
    try:
        for number, day in enumerate(dates):
            options = ["--key", f"customers={customers}", "--key", f"history_days={history_days}"]
            _run("-m", "jobs", "generate_province", "--date", day.isoformat(), "--env", env, *options)
            _end(starting, *up)
            training = ["--train-on", day.isoformat()] if number == 0 else []
            # the pages of a date are written while the next one begins
            leaving = ["--leave-pages"] if day != dates[-1] else []
            _run(str(DEPLOY / "run_dags.py"), "--env", env, "--date", day.isoformat(), *training, *leaving)
        _run("-m", "jobs", "show_publication", "--date", dates[-1].isoformat(), "--env", env)
    finally:
        starting.wait()
        if not keep:
            subprocess.run([sys.executable, services, "down", "--env", env], check=False, cwd=DEPLOY.parent)
    typer.echo(
        f"Done in {time.monotonic() - begun:.0f} s. `make up` leaves Airflow and MLflow running, `make down` ends them."
    )


if __name__ == "__main__":
    app()
