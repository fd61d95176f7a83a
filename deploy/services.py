"""The embedded services of an environment: `python deploy/services.py up|down|status|env [--env demo]`.

`up` starts what is not running yet, each service as a child of its own with pid record and log in `.wattlake/<env>/run`
and a password or token of its own in `.wattlake/<env>/secrets`. Everything listens on the loopback interface only.
`down` stops exactly what `up` has started.
"""

import base64
import contextlib
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import airflow_home
import connect
import tracking_server
import typer
import yaml
from children import Record, ServiceError, free_port, listens, records, running, start, stop, wait_until

REPO = Path(__file__).resolve().parents[1]
START_SECONDS = 240.0

Env = Annotated[str, typer.Option("--env", envvar="WATTLAKE_ENV", help="Environment: a file in conf/")]
Only = Annotated[str, typer.Option(help="Services to start, separated by commas")]
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@dataclass(frozen=True)
class Starting:
    """A started process and how to see that it is ready."""

    record: Record
    is_ready: Callable[[], bool]


class Place:
    """Where an environment keeps what belongs to its services."""

    def __init__(self, env: str) -> None:
        """`.wattlake/<env>`, or WATTLAKE_HOME where it is set."""
        self.env = env
        self.home = Path(os.environ.get("WATTLAKE_HOME") or REPO / ".wattlake" / env).resolve()
        self.run = self.home / "run"
        self.airflow = self.home / "airflow"

    def secret(self, name: str, size: int = 32) -> str:
        """The secret of this name: random bytes in base64, made at its first use, readable by its owner only."""
        folder = self.home / "secrets"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / name
        with contextlib.suppress(FileExistsError):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(base64.urlsafe_b64encode(secrets.token_bytes(size)))
        return path.read_text(encoding="utf-8").strip()

    @cached_property
    def conf(self) -> dict[str, dict[str, str]]:
        """The settings which services need too: the sections of base.yaml under those of the environment."""
        merged: dict[str, dict[str, str]] = {}
        for path in (REPO / "conf" / "base.yaml", REPO / "conf" / f"{self.env}.yaml"):
            for section, keys in (yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}).items():
                merged[section] = {**merged.get(section, {}), **keys}
        return merged

    def setting(self, section: str, key: str) -> str:
        """One setting, as the jobs see it."""
        return os.environ.get(f"WATTLAKE_{section}__{key}".upper()) or str(self.conf[section][key])


def chosen_port(variable: str, preferred: int | None = None) -> int:
    """The port which the variable names, else the preferred one if it is free, else any free one."""
    named = os.environ.get(variable)
    if not named:
        return free_port(preferred)
    if listens(int(named)):
        raise ServiceError(f"{variable} names port {named}, which is in use.")
    return int(named)


def start_connect(place: Place) -> Iterator[Starting]:
    """The Spark Connect server."""
    port = chosen_port("WATTLAKE_CONNECT_PORT")
    scratch = place.run / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    command = connect.server_command(port, REPO / place.setting("spark", "jars"), scratch)
    env = connect.server_environment(place.secret("connect.token"))
    yield Starting(
        start(place.run, "connect", command, cwd=REPO, env=env, address=f"sc://localhost:{port}"), lambda: listens(port)
    )


def start_airflow(place: Place) -> Iterator[Starting]:
    """Airflow's API with its pages, the scheduler, the DAG processor and the triggerer."""
    port = chosen_port("WATTLAKE_AIRFLOW_PORT", 8080)
    address = f"http://127.0.0.1:{port}"
    env = {
        **os.environ,
        **job_environment(place),
        **airflow_home.settings(
            place.airflow,
            port=port,
            jwt_secret=place.secret("airflow-jwt.key", size=64),
            fernet_key=place.secret("airflow-fernet.key"),
            session_key=place.secret("airflow-session.key"),
        ),
    }
    airflow_home.prepare(place.airflow, place.secret("airflow.password"), env)
    for component in airflow_home.COMPONENTS:
        record = start(place.run, component, airflow_home.command(component), cwd=REPO, env=env, address=address)
        yield Starting(record, lambda: airflow_home.is_healthy(address))


def start_mlflow(place: Place) -> Iterator[Starting]:
    """MLflow's pages over the tracking store of the jobs."""
    port = chosen_port("WATTLAKE_MLFLOW_PORT", 5000)
    folder = place.run / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    command = tracking_server.command(port, place.setting("tracking", "uri"), place.setting("tracking", "artifacts"))
    env = tracking_server.environment(folder, place.secret("mlflow.password"), place.secret("mlflow-session.key"))
    address = f"http://127.0.0.1:{port}"
    yield Starting(start(place.run, "mlflow", command, cwd=REPO, env=env, address=address), lambda: listens(port))


# Airflow hands the address of the Connect server to the jobs: it comes after it
STARTERS = {"connect": start_connect, "airflow": start_airflow, "mlflow": start_mlflow}
FIRST_CHILD = {"connect": "connect", "airflow": "airflow-api", "mlflow": "mlflow"}


def job_environment(place: Place) -> dict[str, str]:
    """Variables by which jobs of this environment find the services that run now."""
    found = {
        "WATTLAKE_ENV": place.env,
        "WATTLAKE_SITE__TIME_ZONE": place.setting("site", "time_zone"),
        # the embedded services serve past data; where they are to follow the clock, say so
        "WATTLAKE_SCHEDULE": os.environ.get("WATTLAKE_SCHEDULE", "off"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
    record = running(place.run, "connect")
    if record:
        found |= connect.client_environment(int(record.address.rpartition(":")[2]), place.secret("connect.token"))
    return found


def start_services(place: Place, names: list[str]) -> None:
    """Start those of the services which do not run yet, and wait until all of them are ready."""
    unknown = [name for name in names if name not in STARTERS]
    if unknown:
        raise ServiceError(f"Unknown service: {', '.join(unknown)}. Known: {', '.join(STARTERS)}.")
    started: list[Starting] = []
    for name, starter in STARTERS.items():
        if name in names and not running(place.run, FIRST_CHILD[name]):
            if name == "connect":
                # an Airflow that runs already would hand its jobs the address of the server before
                stop(place.run, list(airflow_home.COMPONENTS))
            stop(place.run, [FIRST_CHILD[name]])
            started += starter(place)
    for starting in started:
        wait_until(starting.record, starting.is_ready, seconds=START_SECONDS)


@app.command()
def up(env: Env = "demo", only: Only = "connect,airflow,mlflow") -> None:
    """Start the services that do not run yet, and say where they are and how to sign in."""
    place = Place(env)
    try:
        start_services(place, only.split(","))
    except ServiceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    for title, child, sign_in in (
        ("Airflow", "airflow-api", (airflow_home.USER, "airflow.password")),
        ("MLflow", "mlflow", (tracking_server.USER, "mlflow.password")),
    ):
        if record := running(place.run, child):
            typer.echo(f"{title:<14}{record.address}   sign in as {sign_in[0]} / {place.secret(sign_in[1])}")
    if record := running(place.run, "connect"):
        typer.echo(f"Spark Connect {record.address}   (token in {place.home / 'secrets' / 'connect.token'})")


@app.command()
def down(env: Env = "demo") -> None:
    """Stop what `up` has started."""
    stopped = stop(Place(env).run)
    typer.echo("Stopped: " + ", ".join(stopped) if stopped else f"Nothing of {env} was running.")


@app.command()
def status(env: Env = "demo") -> None:
    """Say which services run. Exit code 1 when none does."""
    known = records(Place(env).run)
    for record in known:
        typer.echo(f"{record.name:<18} {'running' if record.process() else 'ended':<8} {record.address}   {record.log}")
    if not any(record.process() for record in known):
        typer.echo(f"Nothing of {env} is running.")
        raise typer.Exit(1)


@app.command(name="env")
def export(env: Env = "demo") -> None:
    """Print `export` lines for a shell in which jobs are started by hand: `eval "$(python deploy/services.py env)"`."""
    for key, value in job_environment(Place(env)).items():
        if key != "PATH":
            typer.echo(f"export {key}={shlex.quote(value)}")


if __name__ == "__main__":
    app()
