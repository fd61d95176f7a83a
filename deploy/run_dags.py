"""Run DAGs of the embedded Airflow over its REST API and follow them: `python deploy/run_dags.py --date 2025-06-30`.

For each date: all feeds are ingested, the meters' after the reference data, as they are checked against them; the run
ends when the DAGs that their tables start have ended (features, then scores). With `--train-on DATE` the models are
trained after that date's features, before its scores. With `--dags` exactly those DAGs are triggered, one after the
other, and nothing else is waited for.

Exit code 1 when a run fails, after the end of the failed task's log.
"""

import time
from collections.abc import Sequence
from datetime import date as Date
from typing import Annotated, Any

import airflow_home
import httpx
import typer
from children import ServiceError, running
from services import Env, Place

REFERENCE = "ingest_reference"
METER = "ingest_meter"
INGEST = (REFERENCE, "ingest_billing", "ingest_service", METER)
FEATURES = "build_features"
TRAIN = "train_models"
SCORES = "score_and_publish"
PAGES = "write_quality_pages"

# each look costs Airflow's API a tenth of a second of cpu, which the jobs would use
POLL_SECONDS = 1.0
READ_SECONDS = 90.0
ENDED = {"success", "failed"}
TASK_ENDED = {"success", "failed", "upstream_failed", "skipped", "removed"}
LOG_TAIL_LINES = 30

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class RunError(Exception):
    """A DAG run did not succeed: which, and what its failed task said."""


class Airflow:
    """What this needs of Airflow's REST API."""

    def __init__(self, address: str, password: str) -> None:
        """Signs in."""
        self.client = httpx.Client(base_url=address, timeout=60)
        token = self._json("POST", "/auth/token", json={"username": airflow_home.USER, "password": password})[
            "access_token"
        ]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def _json(self, method: str, path: str, **request: Any) -> Any:
        answer = self.client.request(method, path, **request)
        if answer.is_error:
            raise ServiceError(f"Airflow answers {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer.json()

    def wait_for_dags(self, names: Sequence[str]) -> None:
        """Wait until these DAGs have been read. ServiceError with the import errors when they are not."""
        deadline = time.monotonic() + READ_SECONDS
        missing = set(names)
        while missing:
            missing -= {dag["dag_id"] for dag in self._json("GET", "/api/v2/dags", params={"limit": 100})["dags"]}
            errors = self._json("GET", "/api/v2/importErrors")["import_errors"]
            if errors or (missing and time.monotonic() > deadline):
                said = "\n".join(f"{error['filename']}: {error['stack_trace']}" for error in errors)
                raise ServiceError(f"DAGs not there: {', '.join(sorted(missing)) or 'none'}.\n{said}")
            time.sleep(POLL_SECONDS if missing else 0)

    def listen(self, dag: str, *, is_listening: bool) -> None:
        """Whether table updates start this DAG. One that does not listen misses them for good."""
        self._json("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": not is_listening})

    def trigger(self, dag: str, date: str) -> str:
        """Start a run for the date. Returns its id."""
        body: dict[str, Any] = {"logical_date": None, "partition_key": date, "conf": {}}
        return str(self._json("POST", f"/api/v2/dags/{dag}/dagRuns", json=body)["dag_run_id"])

    def run_ids(self, dag: str, date: str) -> set[str]:
        """Ids of the runs which the DAG has for the date."""
        found = self._json("GET", f"/api/v2/dags/{dag}/dagRuns", params={"partition_key_pattern": date, "limit": 100})
        return {run["dag_run_id"] for run in found["dag_runs"] if run["partition_key"] == date}

    def asset_id(self, name: str) -> int:
        """Airflow's id of a table."""
        found = self._json("GET", "/api/v2/assets", params={"name_pattern": name, "limit": 100})["assets"]
        return next(int(asset["id"]) for asset in found if asset["name"] == name)

    def latest_runs(self, dag: str) -> list[str]:
        """Ids of the DAG's latest runs, with or without a partition key."""
        runs = self._json("GET", f"/api/v2/dags/{dag}/dagRuns", params={"order_by": "-run_after", "limit": 100})
        return [str(run["dag_run_id"]) for run in runs["dag_runs"]]

    def run(self, dag: str, run_id: str) -> dict[str, Any]:
        """A run."""
        return dict(self._json("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}"))

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        """The tasks of a run."""
        return list(self._json("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"])

    def log_tail(self, task: dict[str, Any]) -> str:
        """The end of a task's last log."""
        run = f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}"
        path = f"{run}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        entries = self._json("GET", path, params={"full_content": True})["content"]
        lines = [line for entry in entries for line in _lines(entry)]
        return "\n".join("    " + line for line in lines[-LOG_TAIL_LINES:])


def _lines(entry: Any) -> list[str]:
    # Airflow's own grouping marks are no news; what a task raised stands beside its entry, not in it
    said = str(entry.get("event", "")) if isinstance(entry, dict) else str(entry)
    raised = [f"{error['exc_type']}: {error['exc_value']}" for error in (entry.get("error_detail") or [])]
    return [line for line in [*said.splitlines(), *raised] if not line.startswith("::")]


def _state_of(states: Sequence[str]) -> str:
    if not states or not set(states) <= TASK_ENDED:
        return "running"
    return "failed" if {"failed", "upstream_failed"} & set(states) else "success"


class Follower:
    """Follows runs to their end and says when a task ends."""

    def __init__(self, airflow: Airflow) -> None:
        """Nothing has been said yet."""
        self.airflow = airflow
        self.said: set[tuple[str, str, str, int]] = set()

    def follow(self, runs: Sequence[tuple[str, str]], *, without: str | None = None) -> None:
        """Wait until all runs (DAG, run id) have ended, apart from a task. RunError when one has failed."""
        open_runs = list(runs)
        failed = []
        while open_runs:
            for dag, run_id in list(open_runs):
                # the run's state first: when it has ended, so have all the tasks read after it
                state = self.airflow.run(dag, run_id)["state"]
                tasks = self.airflow.tasks(dag, run_id)
                self._say(tasks)
                if state not in ENDED and without:
                    state = _state_of([task["state"] for task in tasks if task["task_id"] != without])
                if state in ENDED:
                    open_runs.remove((dag, run_id))
                if state == "failed":
                    failed.append((dag, tasks))
            time.sleep(POLL_SECONDS if open_runs else 0)
        if failed:
            raise RunError("\n".join(self._explain(dag, tasks) for dag, tasks in failed))

    def await_run(self, dag: str, date: str, known: set[str], *, seconds: float = READ_SECONDS) -> tuple[str, str]:
        """The run which table updates have started for the date, beside those known before."""
        deadline = time.monotonic() + seconds
        while not (new := self.airflow.run_ids(dag, date) - known):
            if time.monotonic() > deadline:
                raise RunError(f"{dag} was not started for {date}: a table it waits for was not updated.")
            time.sleep(POLL_SECONDS)
        return dag, sorted(new)[-1]

    def _say(self, tasks: list[dict[str, Any]]) -> None:
        for task in sorted(tasks, key=lambda task: task["end_date"] or ""):
            mark = (task["dag_id"], task["dag_run_id"], task["task_id"], task["try_number"])
            if task["state"] in TASK_ENDED and mark not in self.said:
                self.said.add(mark)
                seconds = f"{task['duration']:6.1f} s" if task["duration"] is not None else " " * 8
                typer.echo(f"  {task['task_id']:<30} {task['state']:<16} {seconds}")

    def _explain(self, dag: str, tasks: list[dict[str, Any]]) -> str:
        broken = [task for task in tasks if task["state"] == "failed"]
        said = [f"{dag}: {task['task_id']} failed.\n{self.airflow.log_tail(task)}" for task in broken]
        return "\n".join(said) or f"{dag} failed, and none of its tasks says why."


def daily_chain(
    airflow: Airflow, follower: Follower, date: str, *, is_training: bool, without: str | None = None
) -> None:
    """All DAGs of one date, in the order in which their tables start each other; the last task may be left running."""
    known = {dag: airflow.run_ids(dag, date) for dag in (FEATURES, SCORES)}
    # without champions the scores would fail: they wait for the training, and are then started here
    airflow.listen(SCORES, is_listening=not is_training)
    runs = {dag: (dag, airflow.trigger(dag, date)) for dag in INGEST if dag != METER}
    # a meter is known only once the reference data are loaded
    follower.follow([runs.pop(REFERENCE)])
    follower.follow([*runs.values(), (METER, airflow.trigger(METER, date))])
    follower.follow([follower.await_run(FEATURES, date, known[FEATURES])])
    if is_training:
        follower.follow([(TRAIN, airflow.trigger(TRAIN, date))])
        airflow.listen(SCORES, is_listening=True)
        scores = (SCORES, airflow.trigger(SCORES, date))
    else:
        scores = follower.await_run(SCORES, date, known[SCORES])
    follower.follow([scores], without=without)


@app.command(help=__doc__)
def main(
    date: Annotated[list[str], typer.Option(help="Business date, YYYY-MM-DD; may be given several times")],
    env: Env = "demo",
    train_on: Annotated[str, typer.Option(help="The date after whose features the models are trained")] = "",
    dags: Annotated[str, typer.Option(help="Run exactly these DAGs, separated by commas")] = "",
    leave_pages: Annotated[
        bool, typer.Option(help="End when all is published, while the quality pages are still being written")
    ] = False,
) -> None:
    """Run the DAGs for each date."""
    dates = [Date.fromisoformat(day).isoformat() for day in date]
    place = Place(env)
    try:
        record = running(place.run, "airflow-api")
        if record is None:
            raise ServiceError(f"Airflow of {env} does not run: python deploy/services.py up --env {env}")
        airflow = Airflow(record.address, place.secret("airflow.password"))
        airflow.wait_for_dags([*INGEST, FEATURES, TRAIN, SCORES])
        follower = Follower(airflow)
        for day in dates:
            begun = time.monotonic()
            typer.echo(day)
            if dags:
                for dag in dags.split(","):
                    follower.follow([(dag, airflow.trigger(dag, day))])
            else:
                without = PAGES if leave_pages else None
                daily_chain(airflow, follower, day, is_training=day == train_on, without=without)
            typer.echo(f"{day} done in {time.monotonic() - begun:.0f} s")
    except (ServiceError, RunError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
