"""Runs, metrics, plots, registered models and their champion. The only place where MLflow is spoken.

A model is stored as bytes which its own code reads without running anything (`models.*.from_bytes`), registered under
a name, and used by its alias `champion`.
"""

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from jobs.runtime.errors import DataError
from jobs.runtime.lake import Lake
from jobs.runtime.settings import Settings
from schemas.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

USAGE_FORECAST = "usage_forecast"
SEGMENTS = "segments"
CHAMPION = "champion"
AS_OF_TAG = "as_of_date"  # of a run and of a model version: the date it was trained for
PROMOTED_TAG = "promoted"  # of a model version: whether it was decided to use it, stored with the version itself
MODEL_FILE = "model.bin"

# the folder of the code, and in it what a run's outcome depends on
CHECKOUT = Path(__file__).parents[2]
CODE = ("jobs", "schemas", "expectations", "conf", "setup.py", "requirements.lock")


@dataclass(frozen=True)
class Champion:
    """The model version which a date uses."""

    name: str
    version: str
    data: bytes

    @property
    def label(self) -> str:
        """Name and version as score rows carry them."""
        return f"{self.name}/{self.version}"


class TrackedRun:
    """An MLflow run that is open."""

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        """Of a client and a run."""
        self._client = client
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        self._client.log_batch(self.run_id, params=[Param(name, str(value)) for name, value in values.items()])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics; a value that is not a number is left out, as a plot of it would say nothing."""
        from mlflow.entities import Metric

        at = _millis(datetime.now(UTC))
        known = [Metric(name, float(value), at, step) for name, value in values.items() if value == value]
        self._client.log_batch(self.run_id, metrics=known)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self._client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in values.items()])

    def figure(self, figure: "Figure", name: str) -> None:
        """Log a plot under a file name such as calibration.png."""
        self._client.log_figure(self.run_id, figure, f"plots/{name}")

    def text(self, text: str, name: str) -> None:
        """Log a text file, such as a table in CSV."""
        self._client.log_text(self.run_id, text, name)

    def model(self, data: bytes) -> None:
        """Log the model's bytes."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / MODEL_FILE
            file.write_bytes(data)
            self._client.log_artifact(self.run_id, str(file), "model")


class Tracking:
    """Access to the tracking store and the registry."""

    def __init__(self, settings: Settings, run_date: date, lake: Lake) -> None:
        """`lake` tells the versions of the input tables."""
        self._settings = settings
        self._date = run_date
        self._lake = lake

    @cached_property
    def _client(self) -> "MlflowClient":
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        for name in ("alembic", "mlflow"):
            logging.getLogger(name).setLevel(logging.WARNING)
        from mlflow import MlflowClient

        uri = self._settings.tracking.uri
        if not uri.startswith("sqlite:///"):
            return MlflowClient(tracking_uri=uri, registry_uri=uri)
        file = Path(uri.removeprefix("sqlite:///"))
        file.parent.mkdir(parents=True, exist_ok=True)
        # the first client makes the tables: two jobs which begin at once would both try
        with FileLock(file.with_suffix(".lock")):
            return MlflowClient(tracking_uri=uri, registry_uri=uri)

    @contextmanager
    def run(self, kind: str, inputs: Sequence[Table]) -> Iterator[TrackedRun]:
        """A run of one kind of model, tagged with the run's date, the code's and the input tables' versions."""
        client = self._client
        tags = {
            "mlflow.runName": f"{kind} {self._date.isoformat()}",
            AS_OF_TAG: self._date.isoformat(),
            "code_version": code_version(),
            **{f"input.{table.name}": str(self._lake.version(table)) for table in inputs},
        }
        run = client.create_run(self._experiment(kind), tags=tags, start_time=_millis(datetime.now(UTC)))
        tracked = TrackedRun(client, run.info.run_id)
        try:
            yield tracked
        except BaseException:
            client.set_terminated(run.info.run_id, "FAILED")
            raise
        client.set_terminated(run.info.run_id, "FINISHED")

    def _experiment(self, kind: str) -> str:
        name = f"{self._settings.tracking.experiment}/{kind}"
        held = self._client.get_experiment_by_name(name)
        if held is not None:
            return str(held.experiment_id)
        location = None
        if self._settings.tracking.uri.startswith("sqlite:///"):
            location = (self._settings.tracking.artifacts.resolve() / kind).as_uri()
        return str(self._client.create_experiment(name, artifact_location=location))

    def register(self, name: str, run: TrackedRun, description: str, *, is_promoted: bool) -> str:
        """Register the run's model under a name together with the decision on it; the new version's number.

        `settle` then does what was decided: a job killed between the two does it when it runs again.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{self._client.get_run(run.run_id).info.artifact_uri}/model"
        tags = {AS_OF_TAG: self._date.isoformat(), PROMOTED_TAG: str(is_promoted).lower()}
        made = self._client.create_model_version(
            name, source=source, run_id=run.run_id, description=description, tags=tags
        )
        return str(made.version)

    def trained(self, name: str) -> str | None:
        """The newest version which was trained for the run's date; None where there is none."""
        mine = [version for version in self._versions(name) if _trained_for(version) == self._date]
        return str(mine[-1].version) if mine else None

    def settle(self, name: str, version: str) -> str:
        """Let the alias champion point to a version which was promoted; what the version is now, in words.

        The champion of a later training stays.
        """
        if self._client.get_model_version(name, version).tags.get(PROMOTED_TAG) != "true":
            return "not promoted"
        held = self._aliased(name)
        if held is not None and _order(held) > (self._date, int(version)):
            return f"promoted for dates before {_trained_for(held)}, from which {name} {held.version} is used"
        if held is None or str(held.version) != version:
            self._client.set_registered_model_alias(name, CHAMPION, version)
        return "champion now"

    def champion(self, name: str) -> Champion | None:
        """The champion of the run's date with its bytes; None where there is none.

        It is the version with the alias. Where that was trained after the run's date, of which it then knows what was
        not known by then, it is the newest promoted one which was not.
        """
        from mlflow.artifacts import download_artifacts

        held = self._aliased(name)
        if held is not None and _trained_for(held) > self._date:
            promoted = [version for version in self._versions(name) if version.tags.get(PROMOTED_TAG) == "true"]
            held = next((version for version in reversed(promoted) if _trained_for(version) <= self._date), None)
        if held is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = download_artifacts(
                f"{held.source}/{MODEL_FILE}", dst_path=folder, tracking_uri=self._settings.tracking.uri
            )
            return Champion(name, str(held.version), Path(file).read_bytes())

    def required_champion(self, name: str, trained_by: str) -> Champion:
        """The champion of the run's date; DataError saying how to get one where there is none."""
        held = self.champion(name)
        if held is None:
            raise DataError(
                f"There is no champion of {name} trained by {self._date}: run {trained_by} for this date or an earlier "
                "one. If it ran, its model did not beat the baseline; the reasons stand in its MLflow run."
            )
        return held

    def _versions(self, name: str) -> "list[ModelVersion]":
        """All versions of a model, the one of the latest training last."""
        return sorted(self._client.search_model_versions(f"name = '{name}'"), key=_order)

    def _aliased(self, name: str) -> "ModelVersion | None":
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version_by_alias(name, CHAMPION)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise


def _trained_for(version: "ModelVersion") -> date:
    """The date a version was trained for; one which does not tell may know anything, and is as of the last of days."""
    told = version.tags.get(AS_OF_TAG)
    return date.fromisoformat(told) if told else date.max


def _order(version: "ModelVersion") -> tuple[date, int]:
    return _trained_for(version), int(version.version)


def code_version() -> str:
    """Version of the installed packages, with the commit where they are a checkout: `0.1.0+g1234567890ab.dirty`.

    Dirty is a checkout in which something of the code differs from the commit.
    """
    installed = installed_version("wattlake")
    commit = _git("rev-parse", "HEAD") if (CHECKOUT / ".git").exists() else ""
    if not commit:
        return installed
    changed = _git("status", "--porcelain", "--", *CODE)
    return f"{installed}+g{commit[:12]}{'.dirty' if changed else ''}"


def _git(*words: str) -> str:
    """What git says of the checkout; nothing where it cannot say it."""
    # a hook of another repository sets variables which would lead git there; looking must not lock anything
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), *words], env=env, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def as_of_instant(day: date) -> datetime:
    """End of a date, UTC: the as-of instant of what a run of that date publishes."""
    return datetime.combine(day, time.max, UTC).replace(microsecond=0)


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
