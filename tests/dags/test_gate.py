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
    features = spoilt.home / "lake" / "features"
    # what passes its own suite would look otherwise, were it replaced: profiles show the peak, forecasts their P90
    days, made = features / "customer_days", features / "usage_forecasts"
    spoilt.spark.sql(f"UPDATE delta.`{days}` SET peak_kw = peak_kw + 1 WHERE usage_date = DATE'{SECOND_DAY}'")
    spoilt.spark.sql(f"UPDATE delta.`{made}` SET p90_kwh = p90_kwh + 1 WHERE origin_date = DATE'{SECOND_DAY}'")
    # a segment without a model is refused by rule CS-10 of the scores, the last suite
    segments = features / "segment_scores"
    spoilt.spark.sql(f"UPDATE delta.`{segments}` SET model_version = NULL WHERE as_of_date = DATE'{SECOND_DAY}'")

    run = dag_bag.dags["score_and_publish"].test(
        logical_date=None,
        run_conf={"date": SECOND_DAY.isoformat()},
        # what it publishes is scored already: only the publication itself is run
        mark_success_pattern="score_.*|write_quality_pages",
    )

    states = {task.task_id: str(task.state) for task in run.get_task_instances()}
    assert states["publish_customer_tables"] == "failed"
    assert str(run.state) == "failed"
    assert spoilt.fingerprints("mart") == before
