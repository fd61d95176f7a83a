"""A throw-away Airflow for the session: its home and settings made before the first import of it, its database once."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

REPO = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="wattlake-airflow-"))

# at import: Airflow reads its settings once, when the first test module imports it
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(REPO / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME / 'airflow.db'}",
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(HOME / "logs"),
)
sys.path += [str(REPO / "dags"), str(REPO / "deploy")]

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

# a job which writes down how it was called, and ends as the file <job>.code beside it says
STAND_IN = """
import json, os, sys
from pathlib import Path

here = Path(__file__).parent
job = sys.argv[1]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps({"job": job, "words": sys.argv[2:], "root": os.environ.get("WATTLAKE_LAKE__ROOT")}) + "\\n")
print("the job says why")
code = here / f"{job}.code"
sys.exit(int(code.read_text()) if code.exists() else 0)
"""


@pytest.fixture(scope="session")
def dag_bag() -> Iterator["DagBag"]:
    """All DAG files, read once, beside a fresh database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    bag = BundleDagBag(dag_folder=REPO / "dags", bundle_path=REPO / "dags", bundle_name="dags-folder")
    sync_bag_to_db(bag, "dags-folder", None)
    yield bag
    shutil.rmtree(HOME, ignore_errors=True)


class StandIn:
    """The recorded calls of the stand-in job, and how it ends."""

    def __init__(self, folder: Path) -> None:
        """Keeps everything in the folder."""
        self.folder = folder

    def ends(self, job: str, code: int) -> None:
        """Let a job end with this exit code."""
        (self.folder / f"{job}.code").write_text(str(code))

    def calls(self) -> list[dict[str, Any]]:
        """The calls so far."""
        import json

        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A program in place of the jobs, which the DAGs start as they would start them."""
    (tmp_path / "job.py").write_text(STAND_IN)
    monkeypatch.setenv("WATTLAKE_COMMAND", f"{sys.executable} {tmp_path / 'job.py'}")
    for name in ("WATTLAKE_ENV", "WATTLAKE_SUBMIT", "WATTLAKE_SPARK_MASTER"):
        monkeypatch.delenv(name, raising=False)
    return StandIn(tmp_path)


@pytest.fixture
def run_dag(dag_bag: "DagBag") -> Callable[..., dict[str, str]]:
    """Run a DAG by hand, as the trigger form does; returns the state of each task."""

    def run(dag_id: str, **form: str) -> dict[str, str]:
        done = dag_bag.dags[dag_id].test(logical_date=None, run_conf=form)
        return {task.task_id: str(task.state) for task in done.get_task_instances()}

    return run
