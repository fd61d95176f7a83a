"""How injected faults are found: `python deploy/faults.py`. A province of its own, through the jobs, to the report.

Generates a province with all classes of faults into `.wattlake/faults`, ingests it, builds customer days (for the check
against the registers), and prints the table of classes.
"""

import os
import subprocess
import sys
from pathlib import Path

from chain import METER, REFERENCE, places

REPO = Path(__file__).resolve().parents[1]
DATE = "2025-06-27"
JOBS = (*REFERENCE, *METER, "build_customer_days", "report_faults")


def main() -> int:
    """Run the jobs one after the other in sessions of their own; the exit code of the first that fails."""
    home = REPO / ".wattlake" / "faults"
    env = os.environ | places(str(home))
    generate = ("generate_province", "--key", "customers=1000", "--key", "history_days=60", "--key", "seed=1")
    for job, *options in (generate, *((name,) for name in JOBS)):
        command = [sys.executable, "-m", "jobs", job, "--date", DATE, *options]
        code = subprocess.run(command, env=env, cwd=REPO, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
