"""How jobs are started, what their exit codes mean, and that nothing outlives its task."""

import datetime
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from tests.dags.conftest import StandIn

DATE = "2025-06-30"
DAGS = [
    *("ingest_meter", "ingest_billing", "ingest_service", "ingest_reference"),
    *("build_features", "train_models", "score_and_publish"),
]


class Outlet:
    """Collects what a task says of a table."""

    def __init__(self) -> None:
        """Nothing said yet."""
        self.keys: list[str] = []

    def add_partitions(self, key: str) -> None:
        """As Airflow's."""
        self.keys.append(key)


def context() -> dict[str, Any]:
    """What Airflow gives to a task of a run which was started by the form."""
    return {
        "dag_run": SimpleNamespace(partition_key=None),
        "params": {"date": DATE},
        "outlet_events": defaultdict(Outlet),
    }


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_run_by_hand_runs_every_job_for_the_date_of_the_form(
    dag_id: str, run_dag: Callable[..., dict[str, str]], stand_in: "StandIn", dag_bag: "DagBag"
) -> None:
    states = run_dag(dag_id, date=DATE)
    assert set(states.values()) == {"success"}
    called = [call["job"] for call in stand_in.calls()]
    assert sorted(called) == sorted(states)
    for call in stand_in.calls():
        assert call["words"] == ["--date", DATE]
        task = dag_bag.dags[dag_id].get_task(call["job"])
        assert all(called.index(before) < called.index(call["job"]) for before in task.upstream_task_ids)


def test_a_failing_job_fails_its_task_and_stops_what_depends_on_it(
    run_dag: Callable[..., dict[str, str]], stand_in: "StandIn"
) -> None:
    stand_in.ends("score_usage_forecast", 3)
    states = run_dag("score_and_publish", date=DATE)
    # the run as a whole is red although its last task, which reports on the rules, still runs
    assert states["score_usage_forecast"] == "failed"
    assert states["publish_customer_tables"] == "upstream_failed"
    assert states["score_segments"] == "success"
    assert "publish_customer_tables" not in {call["job"] for call in stand_in.calls()}


@pytest.mark.parametrize(("code", "said"), [(2, "asked for something"), (3, "data do not allow")])
def test_a_refusal_of_the_job_is_not_tried_again(code: int, said: str, stand_in: "StandIn") -> None:
    from airflow.sdk.exceptions import AirflowFailException
    from spark_job import spark_job

    stand_in.ends("ingest_bills", code)
    with pytest.raises(AirflowFailException, match=said) as failure:
        spark_job("ingest_bills", outlets=["core.bills"]).execute(context())
    assert "the job says why" in str(failure.value)


@pytest.mark.parametrize("code", [1, 137])
def test_a_crash_of_the_job_is_tried_again(code: int, stand_in: "StandIn") -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
    from spark_job import spark_job

    stand_in.ends("ingest_bills", code)
    with pytest.raises(AirflowException, match=f"exit code {code}") as failure:
        spark_job("ingest_bills", outlets=["core.bills"]).execute(context())
    assert not isinstance(failure.value, AirflowFailException)


def test_the_date_goes_on_with_every_table_the_job_writes(stand_in: "StandIn") -> None:
    from spark_job import spark_job

    task = spark_job("ingest_customers", outlets=["core.customers", "vault.customer_identities"])
    given = context()
    task.execute(given)
    assert [call["job"] for call in stand_in.calls()] == ["ingest_customers"]
    assert {asset.name: outlet.keys for asset, outlet in given["outlet_events"].items()} == {
        "core.customers": [DATE],
        "vault.customer_identities": [DATE],
    }


def test_a_failed_job_announces_no_table(stand_in: "StandIn") -> None:
    from airflow.sdk.exceptions import AirflowException
    from spark_job import spark_job

    stand_in.ends("ingest_bills", 3)
    given = context()
    with pytest.raises(AirflowException):
        spark_job("ingest_bills", outlets=["core.bills"]).execute(given)
    assert not given["outlet_events"]


def test_the_environment_and_the_settings_reach_the_job(stand_in: "StandIn", monkeypatch: pytest.MonkeyPatch) -> None:
    from spark_job import spark_job

    monkeypatch.setenv("WATTLAKE_ENV", "demo")
    monkeypatch.setenv("WATTLAKE_LAKE__ROOT", "/somewhere/else")
    spark_job("ingest_bills", outlets=["core.bills"]).execute(context())
    [call] = stand_in.calls()
    assert call["words"] == ["--date", DATE, "--env", "demo"]
    assert call["root"] == "/somewhere/else"


def test_one_setting_submits_the_same_job_to_a_spark_master(monkeypatch: pytest.MonkeyPatch) -> None:
    from spark_job import command

    monkeypatch.setenv("WATTLAKE_SUBMIT", "spark-submit")
    monkeypatch.setenv("WATTLAKE_SPARK_MASTER", "spark://127.0.0.1:7077")
    monkeypatch.setenv("WATTLAKE_SPARK__REMOTE", "sc://localhost:1")
    monkeypatch.setenv("WATTLAKE_SUBMIT_OPTIONS", "--executor-memory 2g")
    monkeypatch.delenv("WATTLAKE_ENV", raising=False)
    words, env = command("ingest_bills", datetime.date(2025, 6, 30))
    assert Path(words[0]).name == "spark-submit"
    assert words[words.index("--master") + 1] == "spark://127.0.0.1:7077"
    assert words[words.index("--executor-memory") + 1] == "2g"
    assert words[-3:] == ["ingest_bills", "--date", DATE]
    assert env["WATTLAKE_SPARK__MASTER"] == "spark://127.0.0.1:7077"
    assert "WATTLAKE_SPARK__REMOTE" not in env


def test_without_a_named_master_it_is_the_one_of_the_airflow_connection(
    monkeypatch: pytest.MonkeyPatch, dag_bag: "DagBag"
) -> None:
    from spark_job import command

    assert dag_bag.dags
    monkeypatch.setenv("WATTLAKE_SUBMIT", "spark-submit")
    monkeypatch.delenv("WATTLAKE_SPARK_MASTER", raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "spark://cluster", "port": 7077}')
    words, _ = command("ingest_bills", datetime.date(2025, 6, 30))
    assert words[words.index("--master") + 1] == "spark://cluster:7077"


def test_an_unknown_way_of_submitting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowFailException
    from spark_job import command

    monkeypatch.setenv("WATTLAKE_SUBMIT", "carrier-pigeon")
    with pytest.raises(AirflowFailException, match="known are process and spark-submit"):
        command("ingest_bills", datetime.date(2025, 6, 30))


def test_ending_a_task_ends_its_job_and_what_the_job_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowException
    from spark_job import spark_job

    os.mkfifo(tmp_path / "begun")
    (tmp_path / "job.py").write_text(
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(tmp_path / 'begun')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "child.wait()\n"
    )
    monkeypatch.setenv("WATTLAKE_COMMAND", f"{sys.executable} {tmp_path / 'job.py'}")
    task = spark_job("ingest_bills", outlets=["core.bills"])
    failures: list[BaseException] = []

    def run() -> None:
        try:
            task.execute(context())
        except AirflowException as failure:
            failures.append(failure)

    running = threading.Thread(target=run)
    running.start()
    # opening a pipe waits for the other side: the job is running now
    job, child = (psutil.Process(int(pid)) for pid in (tmp_path / "begun").read_text().split())
    task.on_kill()
    running.join(timeout=20)
    _, left = psutil.wait_procs([job, child], timeout=5)
    assert left == []
    assert len(failures) == 1


def test_a_replay_takes_what_the_form_says_with_who_started_it_and_when(
    run_dag: Callable[..., dict[str, str]], stand_in: "StandIn"
) -> None:
    asked = {"table": "core.bills", "rule": "BI-06", "reason": "amounts = known now"}
    assert run_dag("replay_quarantine", date=DATE, **asked) == {"replay_quarantine": "success"}
    [call] = stand_in.calls()
    assert call["words"][:2] == ["--date", DATE]
    pairs = zip(call["words"][2::2], call["words"][3::2], strict=True)
    options = dict(word.split("=", 1) for key, word in pairs if key == "--key")
    assert {name: options[name] for name in asked} == asked
    assert (options["action"], options["delivery"]) == ("release", "")
    assert options["user"]
    assert datetime.datetime.fromisoformat(options["at"]).tzinfo is not None


def test_a_replay_announces_every_table_that_features_wait_for(dag_bag: "DagBag") -> None:
    task = dag_bag.dags["replay_quarantine"].get_task("replay_quarantine")
    awaited = dag_bag.dags["build_features"].timetable.asset_condition.objects
    announced = {asset.name for asset in task.outlets}
    assert announced - {asset.name for asset in awaited} == {"core.channel_days"}
    assert {asset.name for asset in awaited} < announced
