"""Started processes: what is stopped is what was started, and nothing else."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

WAITING = [sys.executable, "-c", "import signal; signal.pause()"]


def test_a_started_process_runs_until_it_is_stopped(tmp_path: Path) -> None:
    from children import running, start, stop

    record = start(tmp_path, "waiting", WAITING, cwd=tmp_path, env=os.environ)
    assert running(tmp_path, "waiting") == record
    assert stop(tmp_path) == ["waiting"]
    assert running(tmp_path, "waiting") is None
    assert not psutil.pid_exists(record.pid)


def test_what_a_process_has_started_is_stopped_with_it(tmp_path: Path) -> None:
    from children import start, stop

    os.mkfifo(tmp_path / "begun")
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], start_new_session=True)\n"
        f"open({str(tmp_path / 'begun')!r}, 'w').write(str(child.pid))\n"
        "child.wait()\n"
    )
    start(tmp_path, "parent", [sys.executable, "-c", code], cwd=tmp_path, env=os.environ)
    grandchild = psutil.Process(int((tmp_path / "begun").read_text()))
    stop(tmp_path)
    assert psutil.wait_procs([grandchild], timeout=5)[1] == []


def test_a_process_that_has_taken_over_a_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    from children import running, start, stop

    record = start(tmp_path, "waiting", WAITING, cwd=tmp_path, env=os.environ)
    stop(tmp_path)
    with subprocess.Popen(WAITING) as somebody_else:
        replace(record, pid=somebody_else.pid, created=record.created - 60).write(tmp_path)
        found, stopped, ended = running(tmp_path, "waiting"), stop(tmp_path), somebody_else.poll()
        somebody_else.kill()
    assert (found, stopped, ended) == (None, [], None)


def test_a_service_that_ends_while_starting_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    from children import ServiceError, start, wait_until

    record = start(
        tmp_path, "broken", [sys.executable, "-c", "raise SystemExit('no such port')"], cwd=tmp_path, env=os.environ
    )
    with pytest.raises(ServiceError, match=r"broken ended while starting(.|\n)*no such port"):
        wait_until(record, lambda: False, seconds=30)


def test_secrets_are_made_once_and_are_readable_by_their_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services import Place

    monkeypatch.setenv("WATTLAKE_HOME", str(tmp_path))
    place = Place("demo")
    assert place.secret("connect.token") == Place("demo").secret("connect.token")
    assert place.secret("connect.token") != place.secret("airflow.password")
    assert (tmp_path / "secrets" / "connect.token").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
