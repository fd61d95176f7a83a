"""The embedded services of an environment: `python deploy/services.py up|down|status|env [--env demo]`.

`up` starts what is not running yet, each service as a child of its own with pid record and log in `.wattlake/<env>/run`
and a password or token of its own in `.wattlake/<env>/secrets`. Everything listens on the loopback interface only.
`down` stops exactly what `up` has started.
"""

import os
import secrets
import shlex
from pathlib import Path
from typing import Annotated

import typer

import connect
from children import Record, ServiceError, free_port, listens, records, running, start, stop, wait_until

REPO = Path(__file__).resolve().parents[1]
JARS = REPO / ".wattlake" / "jars"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Env = Annotated[str, typer.Option("--env", envvar="WATTLAKE_ENV", help="Environment: a file in conf/")]
Only = Annotated[str, typer.Option(help="Services to start, separated by commas")]


class Place:
    """Where an environment keeps what belongs to its services."""

    def __init__(self, env: str) -> None:
        """`.wattlake/<env>`, or WATTLAKE_HOME where it is set."""
        self.env = env
        self.home = Path(os.environ.get("WATTLAKE_HOME") or REPO / ".wattlake" / env).resolve()
        self.run = self.home / "run"
        self.secrets = self.home / "secrets"

    def secret(self, name: str) -> str:
        """The secret of this name, made at its first use and readable by its owner only."""
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.secrets / name
        if not path.exists():
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "w", encoding="utf-8") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text(encoding="utf-8").strip()


def chosen_port(variable: str, preferred: int | None = None) -> int:
    """The port which the variable names, else the preferred one if it is free, else any free one."""
    named = os.environ.get(variable)
    if not named:
        return free_port(preferred)
    if listens(int(named)):
        raise ServiceError(f"{variable} names port {named}, which is in use.")
    return int(named)


def start_connect(place: Place) -> Record:
    """The Spark Connect server, started unless it runs."""
    port = chosen_port("WATTLAKE_CONNECT_PORT")
    scratch = place.run / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    record = start(
        place.run,
        "connect",
        connect.server_command(port, JARS, scratch),
        cwd=REPO,
        env=connect.server_environment(place.secret("connect.token")),
        address=f"sc://localhost:{port}",
    )
    wait_until(record, lambda: listens(port), seconds=90)
    return record


def job_environment(place: Place) -> dict[str, str]:
    """Variables by which jobs of this environment find the services that run now."""
    record = running(place.run, "connect")
    found = {"WATTLAKE_ENV": place.env}
    if record:
        found |= connect.client_environment(int(record.address.rpartition(":")[2]), place.secret("connect.token"))
    return found


STARTERS = {"connect": start_connect}


@app.command()
def up(env: Env = "demo", only: Only = ",".join(STARTERS)) -> None:
    """Start the services that do not run yet, and say where they are."""
    place = Place(env)
    try:
        for name in only.split(","):
            record = running(place.run, name) or STARTERS[name](place)
            typer.echo(f"{name:<12} {record.address}")
    except ServiceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def down(env: Env = "demo") -> None:
    """Stop what `up` has started."""
    place = Place(env)
    stopped = stop(place.run)
    typer.echo("Stopped: " + ", ".join(stopped) if stopped else f"Nothing of {env} was running.")


@app.command()
def status(env: Env = "demo") -> None:
    """Say which services run. Exit code 1 when none does."""
    place = Place(env)
    known = records(place.run)
    for record in known:
        typer.echo(f"{record.name:<12} {'running' if record.process() else 'ended':<8} {record.address}  {record.log}")
    if not any(record.process() for record in known):
        typer.echo(f"Nothing of {env} is running.")
        raise typer.Exit(1)


@app.command(name="env")
def export(env: Env = "demo") -> None:
    """Print `export` lines for a shell in which jobs are started by hand: `eval "$(python deploy/services.py env)"`."""
    for key, value in job_environment(Place(env)).items():
        typer.echo(f"export {key}={shlex.quote(value)}")


if __name__ == "__main__":
    app()
