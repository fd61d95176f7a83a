"""A Spark standalone cluster on the loopback interface: `python deploy/cluster.py start|stop|status`.

One master and two workers, as own children. The same jobs and DAGs run on it by one setting: `start` prints the
variables. A cluster on other machines is used in the same way, with its own master's address.
"""

import os
from pathlib import Path
from typing import Annotated

import typer
from children import Record, ServiceError, free_port, listens, records, start, stop, tail, wait_until
from connect import spark_environment, spark_home

REPO = Path(__file__).resolve().parents[1]
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
START_SECONDS = 60.0

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


def run_folder() -> Path:
    """Where the cluster keeps its records, logs and work files."""
    return Path(os.environ.get("WATTLAKE_HOME") or REPO / ".wattlake" / "cluster").resolve() / "run"


def spark_class(name: str, *words: str) -> list[str]:
    """The command of one of Spark's classes. The pip package has no start scripts for them."""
    return [str(spark_home() / "bin" / "spark-class"), name, "--host", "127.0.0.1", *words]


def start_cluster(run: Path, workers: int, cores: int, memory: str) -> str:
    """Start master and workers. Returns the master's address when all workers have registered."""
    stop(run)
    run.mkdir(parents=True, exist_ok=True)
    port = free_port(7077)
    address = f"spark://127.0.0.1:{port}"
    # the heap of the daemons themselves, not of what they run
    env = {**spark_environment(os.environ), "SPARK_DAEMON_MEMORY": "512m", "SPARK_NO_DAEMONIZE": "1"}
    command = spark_class(MASTER, "--port", str(port), "--webui-port", str(free_port(8081)))
    master = start(run, "master", command, cwd=run, env=env, address=address)
    wait_until(master, lambda: listens(port), seconds=START_SECONDS)
    for number in range(1, workers + 1):
        words = [
            "--cores",
            str(cores),
            "--memory",
            memory,
            "--work-dir",
            str(run / "work"),
            "--webui-port",
            "0",
            address,
        ]
        worker = start(run, f"worker-{number}", spark_class(WORKER, *words), cwd=run, env=env, address=address)
        wait_until(worker, lambda worker=worker: _has_registered(worker), seconds=START_SECONDS)  # type: ignore[misc]
    return address


def _has_registered(worker: Record) -> bool:
    return "Successfully registered with master" in tail(Path(worker.log), lines=100)


@app.command(name="start")
def start_command(
    workers: Annotated[int, typer.Option(help="Workers")] = 2,
    cores: Annotated[int, typer.Option(help="Cores of each worker")] = 1,
    memory: Annotated[str, typer.Option(help="Memory of each worker")] = "2g",
) -> None:
    """Start the cluster and print the variables by which jobs and DAGs use it."""
    try:
        address = start_cluster(run_folder(), workers, cores, memory)
    except ServiceError as error:
        stop(run_folder())
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    # the workers must reach the driver where the master is: on the loopback interface
    typer.echo("export SPARK_LOCAL_IP=127.0.0.1\nexport WATTLAKE_SUBMIT=spark-submit")
    typer.echo(f"export WATTLAKE_SPARK_MASTER={address}")


@app.command(name="stop")
def stop_command() -> None:
    """Stop the cluster."""
    stopped = stop(run_folder())
    typer.echo("Stopped: " + ", ".join(stopped) if stopped else "No cluster was running.")


@app.command()
def status() -> None:
    """Say what of the cluster runs. Exit code 1 when nothing does."""
    known = records(run_folder())
    for record in known:
        typer.echo(f"{record.name:<10} {'running' if record.process() else 'ended':<8} {record.address}   {record.log}")
    if not any(record.process() for record in known):
        typer.echo("No cluster is running.")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
