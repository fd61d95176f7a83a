"""What holds for every DAG file, whatever it runs."""

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.core import CORE

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

REPO = Path(__file__).resolve().parents[2]
HELPERS = {"run_date", "spark_job"}
DAG_FILES = sorted(path for path in (REPO / "dags").glob("*.py") if path.stem not in HELPERS)
SCREEN_LINES = 50


def awaited(dag: "DAG") -> set[str]:
    """Names of the tables whose updates start the DAG."""
    condition = getattr(dag.timetable, "asset_condition", None)
    return {asset.name for asset in condition.objects} if condition else set()


def test_every_dag_file_is_read_without_errors(dag_bag: "DagBag") -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == {path.stem for path in DAG_FILES}


def test_every_task_is_a_job_of_the_same_name(dag_bag: "DagBag") -> None:
    tasks = {task_id for dag in dag_bag.dags.values() for task_id in dag.task_ids}
    jobs = {path.stem for path in (REPO / "jobs").glob("*.py")}
    assert tasks - jobs == set()


def test_no_job_is_a_task_of_two_dags(dag_bag: "DagBag") -> None:
    tasks = [task_id for dag in dag_bag.dags.values() for task_id in dag.task_ids]
    assert len(tasks) == len(set(tasks))


def test_every_dag_says_who_owns_it_and_what_to_do_when_it_is_red(dag_bag: "DagBag") -> None:
    for dag in dag_bag.dags.values():
        assert dag.owner not in {"", "airflow"}, dag.dag_id
        assert dag.tags, dag.dag_id
        assert "When it is red" in (dag.doc_md or ""), dag.dag_id
        assert "Is a rerun safe?" in (dag.doc_md or ""), dag.dag_id


def test_every_dag_states_catchup_runs_retries_and_timeouts(dag_bag: "DagBag") -> None:
    for dag in dag_bag.dags.values():
        assert dag.catchup is False
        assert dag.max_active_runs == 1
        assert dag.dagrun_timeout is not None
        for task in dag.tasks:
            assert task.retries == 2, task.task_id
            assert task.execution_timeout is not None, task.task_id


@pytest.mark.parametrize("path", sorted((REPO / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_dags_import_airflow_and_nothing_of_ours(path: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names - set(sys.stdlib_module_names) - HELPERS <= {"airflow"}


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_fits_on_a_screen(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= SCREEN_LINES


def test_every_table_a_dag_waits_for_is_written_by_a_task_of_another(dag_bag: "DagBag") -> None:
    written = {asset.name: dag.dag_id for dag in dag_bag.dags.values() for task in dag.tasks for asset in task.outlets}
    for dag in dag_bag.dags.values():
        for table in awaited(dag):
            assert written.get(table, dag.dag_id) != dag.dag_id, f"{dag.dag_id} waits for {table}"


def test_features_wait_for_every_core_table_that_is_ingested_and_not_kept_apart(dag_bag: "DagBag") -> None:
    ingested = {
        asset.name
        for dag in dag_bag.dags.values()
        for task in dag.tasks
        for asset in task.outlets
        if asset.name.startswith("core.")
    }
    assert ingested - awaited(dag_bag.dags["build_features"]) == {"core.channel_days"}
    assert awaited(dag_bag.dags["build_features"]) < ingested


def test_rows_of_every_core_table_can_be_released(dag_bag: "DagBag") -> None:
    form = dag_bag.dags["replay_quarantine"].params.get_param("table").schema
    assert set(form["enum"]) == {table.name for table in CORE}


def test_every_task_that_writes_a_table_comes_before_the_announcement(dag_bag: "DagBag") -> None:
    dag = dag_bag.dags["score_and_publish"]
    writing = {task.task_id for task in dag.tasks if task.outlets}
    upstream = dag.get_task("publish_customer_tables").get_flat_relative_ids(upstream=True)
    assert upstream == writing - {"publish_customer_tables"}


def test_every_published_table_is_announced_as_an_asset(dag_bag: "DagBag") -> None:
    outlets = {asset.name for task in dag_bag.dags["score_and_publish"].tasks for asset in task.outlets}
    declared = re.findall(r'name="(mart\.\w+)"', (REPO / "schemas" / "mart.py").read_text(encoding="utf-8"))
    assert len(declared) >= 4
    assert set(declared) <= outlets
