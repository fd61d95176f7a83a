"""A publication whose suite fails, run by Airflow: it ends what depends on it, and readers see nothing of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.province import SECOND_DAY, Site, job_environment

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


def test_a_failing_suite_leaves_the_mart_untouched(
    province: Site, tmp_path: Path, dag_bag: "DagBag", monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = province.copy(tmp_path)
    for name, value in job_environment(spoilt.home).items():
        monkeypatch.setenv(name, value)
    for name in ("WATTLAKE_ENV", "WATTLAKE_COMMAND", "WATTLAKE_SUBMIT", "WATTLAKE_SPARK__REMOTE"):
        monkeypatch.delenv(name, raising=False)
    before = spoilt.fingerprints("mart")
    days = spoilt.home / "lake" / "features" / "customer_days"
    # no share of intervals is 3: rule CP-03 of the profiles
    spoilt.spark.sql(f"UPDATE delta.`{days}` SET completeness = 3 WHERE usage_date = DATE'{SECOND_DAY}'")

    run = dag_bag.dags["score_and_publish"].test(
        logical_date=None,
        run_conf={"date": SECOND_DAY.isoformat()},
        # what it publishes is scored already: only the publication itself is run
        mark_success_pattern="score_.*|write_quality_pages",
    )

    states = {task.task_id: str(task.state) for task in run.get_task_instances()}
    assert states["publish_customer_profiles"] == "failed"
    assert states["publish_customer_scores"] == "upstream_failed"
    assert str(run.state) == "failed"
    assert spoilt.fingerprints("mart") == before
