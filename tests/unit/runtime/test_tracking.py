"""The tracking store of a new environment, made by whoever comes first; and which code a run says it was."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from jobs.runtime import tracking

FIRST_USE = """
from datetime import date

from jobs.runtime.lake import Lake
from jobs.runtime.settings import load_settings
from jobs.runtime.tracking import Tracking

settings = load_settings(None)
print(Tracking(settings, date(2025, 6, 27), Lake(settings.lake.root, lambda: None)).trained("segments"))
"""


def test_two_jobs_may_be_the_first_at_once(tmp_path: Path) -> None:
    env = os.environ | {
        "WATTLAKE_TRACKING__URI": f"sqlite:///{tmp_path}/mlflow.db",
        "WATTLAKE_TRACKING__ARTIFACTS": str(tmp_path / "artifacts"),
        "WATTLAKE_LAKE__ROOT": str(tmp_path / "lake"),
    }
    command = [sys.executable, "-W", "ignore", "-c", FIRST_USE]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ended = [(*job.communicate(timeout=120), job.returncode) for job in both]
    assert [code for _, _, code in ended] == [0, 0], ended
    assert [said.strip() for said, _, _ in ended] == ["None", "None"]


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in the place of the code's."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "checkout"
    (folder / "jobs").mkdir(parents=True)
    (folder / "jobs" / "a.py").write_text("a = 1\n", encoding="utf-8")
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "-m", "first")
    monkeypatch.setattr(tracking, "CHECKOUT", folder)
    return folder


def test_code_of_a_checkout_is_named_by_its_commit_and_whether_it_was_changed(checkout: Path) -> None:
    commit = f"{version('wattlake')}+g{_git(checkout, 'rev-parse', 'HEAD')[:12]}"
    assert tracking.code_version() == commit
    (checkout / "notes.md").write_text("no code", encoding="utf-8")
    assert tracking.code_version() == commit
    (checkout / "jobs" / "b.py").write_text("b = 1\n", encoding="utf-8")
    assert tracking.code_version() == f"{commit}.dirty"
    (checkout / "jobs" / "b.py").unlink()
    (checkout / "jobs" / "a.py").write_text("a = 2\n", encoding="utf-8")
    assert tracking.code_version() == f"{commit}.dirty"


def test_variables_of_a_hook_do_not_lead_to_another_repository(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = tracking.code_version()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert tracking.code_version() == commit


def test_installed_code_and_a_machine_without_git_name_the_version_alone(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert tracking.code_version() == version("wattlake")
    monkeypatch.undo()
    # an environment inside of somebody's repository is not a checkout of ours
    monkeypatch.setattr(tracking, "CHECKOUT", checkout / "jobs")
    assert tracking.code_version() == version("wattlake")
