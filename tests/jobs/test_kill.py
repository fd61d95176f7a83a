"""A job killed in the middle of its write and started again leaves the same tables (law 2)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from schemas.mart import PUBLICATIONS
from tests.province import SECOND_DAY, Site, job_environment


def _start(job: str, home: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs", job, "--date", SECOND_DAY.isoformat()]
    return subprocess.Popen(
        command,
        env=os.environ | job_environment(home) | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
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


def test_the_meter_upsert_killed_in_its_write_is_finished_by_the_next_run(
    tmp_path: Path, province_before_second_day: Site
) -> None:
    whole = province_before_second_day.copy(tmp_path / "whole")
    whole.run("ingest_meter_days", SECOND_DAY)
    killed = province_before_second_day.copy(tmp_path / "killed")
    staging = killed.home / "lake" / "_staging" / "meter_days"
    commits = killed.home / "lake" / "core" / "meter_days" / "_delta_log"
    before = len(list(commits.glob("*.json")))

    def appended_but_not_merged() -> bool:
        return bool(list(staging.glob("*/plan.json"))) and len(list(commits.glob("*.json"))) > before

    # many rows: those of new dates are appended, the others merged after it
    process = _start("ingest_meter_days", killed.home, WATTLAKE_SPARK__COMPILE_FROM_ROWS="0")
    _kill_when(process, appended_but_not_merged)
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
    # what is published once more differs from what is out
    for name in ("whole", "killed"):
        site = province.copy(tmp_path / name)
        days = site.home / "lake" / "features" / "customer_days"
        site.spark.sql(f"UPDATE delta.`{days}` SET peak_kw = peak_kw + 1 WHERE usage_date = DATE'{SECOND_DAY}'")
    whole, killed = Site(tmp_path / "whole", province.spark), Site(tmp_path / "killed", province.spark)
    whole.run("publish_customer_tables", SECOND_DAY)
    assert whole.fingerprints("mart") != province.fingerprints("mart")
    commits = killed.home / "lake" / "mart" / "customer_profiles" / "_delta_log"
    before = len(list(commits.glob("*.json")))
    _kill_when(_start("publish_customer_tables", killed.home), lambda: len(list(commits.glob("*.json"))) > before)
    # one table is replaced, others are not: nobody is sent there
    announced = killed.context("look", SECOND_DAY).lake.read(PUBLICATIONS)
    assert announced.where(f"as_of_date = DATE'{SECOND_DAY}'").isEmpty()
    killed.run("publish_customer_tables", SECOND_DAY)
    assert killed.fingerprints("mart") == whole.fingerprints("mart")
