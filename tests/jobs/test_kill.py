"""A job killed in the middle of its write and started again leaves the same tables (law 2)."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.jobs.conftest import SECOND_DAY, Site


def _environment(home: Path) -> dict[str, str]:
    return os.environ | {
        "WATTLAKE_LAKE__ROOT": str(home / "lake"),
        "WATTLAKE_LANDING__ROOT": str(home / "landing"),
        "WATTLAKE_SECRETS__FOLDER": str(home / "secrets"),
        "WATTLAKE_TRACKING__URI": f"sqlite:///{home}/mlflow.db",
        "WATTLAKE_TRACKING__ARTIFACTS": str(home / "mlartifacts"),
        "WATTLAKE_QUALITY__DOCS": str(home / "docs"),
        "WATTLAKE_SPARK__MASTER": "local[2]",
        "WATTLAKE_SPARK__DRIVER_MEMORY": "1g",
    }


def _start(job: str, home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs", job, "--date", SECOND_DAY.isoformat()]
    return subprocess.Popen(
        command, env=_environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _kill_when(process: subprocess.Popen[bytes], is_time: Callable[[], bool]) -> None:
    """SIGKILL to the job and its JVM as soon as `is_time`; the job must not have ended before."""
    deadline = time.monotonic() + 240
    while not is_time():
        assert process.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline, "the job never came to its write"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def _copy(province: Site, home: Path) -> Site:
    shutil.copytree(province.home, home, dirs_exist_ok=True)
    return Site(home, province.spark)


def test_the_meter_upsert_killed_in_its_write_is_finished_by_the_next_run(
    tmp_path: Path, province_before_second_day: Site
) -> None:
    whole = _copy(province_before_second_day, tmp_path / "whole")
    whole.run("ingest_meter_days", SECOND_DAY)
    killed = _copy(province_before_second_day, tmp_path / "killed")
    staging = killed.home / "lake" / "_staging" / "meter_days"
    commits = killed.home / "lake" / "core" / "meter_days" / "_delta_log"
    before = len(list(commits.glob("*.json")))

    def appended_but_not_merged() -> bool:
        return bool(list(staging.glob("*/plan.json"))) and len(list(commits.glob("*.json"))) > before

    _kill_when(_start("ingest_meter_days", killed.home), appended_but_not_merged)
    said = killed.run("ingest_meter_days", SECOND_DAY)
    assert "delivery(ies)" in said
    layers = ("core", "quarantine")
    assert killed.fingerprints(*layers) == whole.fingerprints(*layers)
    counts = ("rows_read", "rows_accepted", "rows_superseding", "rows_duplicate", "rows_quarantined")

    def reconciled(site: Site) -> list[tuple[object, ...]]:
        from schemas.ops import RECONCILIATION

        rows = site.context("look", SECOND_DAY).books.read(RECONCILIATION, feed="meter_days")
        return sorted((r["delivery_id"], *(r[c] for c in counts)) for r in rows)

    assert reconciled(killed) == reconciled(whole)


def test_the_publication_killed_in_its_write_is_finished_by_the_next_run(tmp_path: Path, province: Site) -> None:
    before = province.fingerprints("mart")
    killed = _copy(province, tmp_path / "killed")
    staging = killed.home / "lake" / "_staging" / "publish_customer_scores"
    _kill_when(_start("publish_customer_scores", killed.home), lambda: bool(list(staging.rglob("_SUCCESS"))))
    assert killed.fingerprints("mart")["mart.publications"] == before["mart.publications"]
    killed.run("publish_customer_scores", SECOND_DAY)
    assert killed.fingerprints("mart") == before
