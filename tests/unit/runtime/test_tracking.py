"""The tracking store of a new environment: whoever comes first makes it, and nobody is in the way of another."""

import os
import subprocess
import sys
from pathlib import Path

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
