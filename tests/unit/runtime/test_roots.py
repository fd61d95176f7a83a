"""One run of a job at a time, on a root that can be written."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from jobs.runtime import roots
from jobs.runtime.cli import run_job
from jobs.runtime.errors import UserError
from jobs.runtime.settings import Settings, load_settings

DAY = date(2025, 6, 30)
HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WATTLAKE_LAKE__ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("WATTLAKE_LANDING__ROOT", str(tmp_path / "landing"))
    monkeypatch.setattr(roots, "WAIT_SECONDS", 0.3)
    return load_settings()


@contextmanager
def _another_run(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock and never lets it go."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_run_of_a_job_is_refused_and_touches_nothing(tmp_path: Path, settings: Settings) -> None:
    staged = tmp_path / "lake" / "_staging" / "ingest_bills" / DAY.isoformat() / "rows"
    staged.mkdir(parents=True)
    with _another_run(tmp_path / "lake" / "_locks" / "ingest_bills.lock"):
        with pytest.raises(UserError, match="Another run of ingest_bills is at work") as raised:
            run_job("ingest_bills", DAY, None, {})
        assert "\n" not in str(raised.value)
        assert staged.is_dir()
        assert not (tmp_path / "lake" / "ops").exists()
        # another job of the same lake does not wait for it
        run_job("ingest_payments", DAY, None, {})


def test_a_run_that_was_killed_holds_nothing(tmp_path: Path, settings: Settings) -> None:
    with _another_run(tmp_path / "lake" / "_locks" / "ingest_bills.lock") as process:
        process.kill()
        process.wait()
        run_job("ingest_bills", DAY, None, {})
    run_job("ingest_bills", DAY, None, {})


def test_a_run_which_is_just_ending_is_waited_for(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(roots, "WAIT_SECONDS", 30.0)
    with _another_run(tmp_path / "lake" / "_locks" / "ingest_bills.lock") as process:
        ending = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {process.pid}"])
        with caplog.at_level("INFO", logger="wattlake.ingest_bills"), roots.held("ingest_bills", settings):
            assert "waiting for another run of ingest_bills" in caplog.text
        ending.wait()


def test_a_job_is_alone_on_the_root_it_writes_to(tmp_path: Path, settings: Settings) -> None:
    with roots.held("generate_province", settings):
        assert (tmp_path / "landing" / "_locks" / "generate_province.lock").exists()
    assert not (tmp_path / "lake").exists()
    with roots.held("report_faults", settings):
        assert [path.name for path in tmp_path.iterdir()] == ["landing"]
