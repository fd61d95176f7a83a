"""How injected faults are found: `python deploy/faults.py`. A province of its own, through the jobs, to the report.

Generates a province with all classes of faults into `.wattlake/faults`, ingests it, builds customer days (for the check
against the registers), and prints the table of classes.
"""

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
DATE = "2025-06-27"
JOBS = (
    "ingest_calendar",
    "ingest_tariffs",
    "ingest_customers",
    "ingest_metering_points",
    "ingest_weather_hours",
    "ingest_meter_days",
    "ingest_register_readings",
    "build_customer_days",
    "report_faults",
)


def main() -> int:
    """Run the jobs one after the other in sessions of their own; the exit code of the first that fails."""
    home = REPO / ".wattlake" / "faults"
    env = os.environ | {
        "WATTLAKE_LAKE__ROOT": str(home / "lake"),
        "WATTLAKE_LANDING__ROOT": str(home / "landing"),
        "WATTLAKE_SECRETS__FOLDER": str(home / "secrets"),
    }
    generate = ("generate_province", "--key", "customers=1000", "--key", "history_days=60", "--key", "seed=1")
    for job, *options in (generate, *((name,) for name in JOBS)):
        command = [sys.executable, "-m", "jobs", job, "--date", DATE, *options]
        code = subprocess.run(command, env=env, cwd=REPO, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
