"""How a job is submitted: the one place which knows.

All of it comes from environment variables of the Airflow processes.

WATTLAKE_SUBMIT          process (default): a child process; it uses the Spark Connect server of
                         WATTLAKE_SPARK__REMOTE or makes a session of its own. spark-submit: to the master of
                         WATTLAKE_SPARK_MASTER, else of the Airflow connection `spark_default`.
WATTLAKE_SUBMIT_OPTIONS  further options of spark-submit (`--executor-memory 2g --py-files …`)
WATTLAKE_COMMAND         what runs a job, instead of `python -m jobs`
WATTLAKE_ENV             the environment: passed on as `--env`
Every other WATTLAKE_* variable reaches the job as it is.

A job's exit code says what a retry could do: 2 (asked wrongly) and 3 (the data do not allow it) fail the task for good,
anything else is a crash and is tried again.
"""

import contextlib
import datetime
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from airflow.sdk import Asset, AssetAll, BaseHook, BaseOperator, PartitionedAssetTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from run_date import DATE_FORM, run_date

REPO = Path(__file__).resolve().parents[1]
NO_RETRY = {2: "The job was asked for something it cannot do", 3: "The data do not allow this job"}
KILL_SECONDS = 10

# a job's options, from what Airflow tells a task of its run
Options = Callable[[Mapping[str, Any]], Mapping[str, str]]

DAG_SETTINGS: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "params": DATE_FORM,
    "dagrun_timeout": datetime.timedelta(hours=12),
    "default_args": {
        "owner": "data-engineering",
        "retries": 2,
        "retry_delay": datetime.timedelta(seconds=30),
        "execution_timeout": datetime.timedelta(hours=3),
    },
}


# tables of core which features are made of, and so wait for
CORE_TABLES = (
    *("core.meter_days", "core.register_readings", "core.bills", "core.bill_lines", "core.payments", "core.complaints"),
    *("core.customers", "core.metering_points", "core.weather_hours", "core.calendar", "core.tariffs"),
    "core.class_profiles",
)
# those which are kept apart: no feature reads them, and none waits
TABLES_APART = ("core.channel_days",)


def tables(*names: str) -> list[Asset]:
    """The tables as Airflow assets."""
    return [Asset(name) for name in names]


def when_updated(*names: str) -> PartitionedAssetTimetable:
    """Once for each date for which all these tables have been updated."""
    return PartitionedAssetTimetable(assets=AssetAll(*tables(*names)))


def spark_job(job: str, *, outlets: Sequence[str] = (), **settings: Any) -> "SparkJob":
    """The task of a job: same name, and the tables which it writes."""
    return SparkJob(task_id=job, job=job, outlets=tables(*outlets), **settings)


class SparkJob(BaseOperator):
    """Runs one job for the date of the run, streams its output, and ends it when the task is ended."""

    ui_color = "#e8f1ea"

    def __init__(self, *, job: str, options: Options | None = None, **settings: Any) -> None:
        """Takes the job's name, and what makes its options of the run; everything else as any operator."""
        super().__init__(**settings)
        self.job = job
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Run the job. The date goes on with the assets, also where it came from the form."""
        date = run_date(context)
        self._run(*command(self.job, date, self._options(context) if self._options else {}))
        for outlet in self.outlets:
            context["outlet_events"][outlet].add_partitions(date.isoformat())

    def on_kill(self) -> None:
        """End the job and whatever it has started."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        # the group has the number of its first process, which is not reaped before poll() has seen it end
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self.log.warning("%s did not end within %s s of being asked to: killing it.", self.job, KILL_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _run(self, command: list[str], env: Mapping[str, str]) -> None:
        self.log.info("%s", shlex.join(command))
        last = ""
        self._process = subprocess.Popen(
            command,
            cwd=REPO,
            env={**env, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            for line in self._process.stdout or ():
                last = line.rstrip() or last
                self.log.info("%s", line.rstrip())
            code = self._process.wait()
        finally:
            self.on_kill()
        if code in NO_RETRY:
            raise AirflowFailException(f"{NO_RETRY[code]} (exit code {code}). {last}")
        if code != 0:
            raise AirflowException(f"{self.job} crashed (exit code {code}). {last}")


def command(
    job: str, date: datetime.date, options: Mapping[str, str] = MappingProxyType({})
) -> tuple[list[str], dict[str, str]]:
    """The command and the environment variables with which a job is started."""
    env = dict(os.environ)
    words = [job, "--date", date.isoformat()]
    for name, value in options.items():
        words += ["--key", f"{name}={value}"]
    if named := env.get("WATTLAKE_ENV"):
        words += ["--env", named]
    submit = env.get("WATTLAKE_SUBMIT", "process")
    if submit == "process":
        runner = shlex.split(env.get("WATTLAKE_COMMAND", "")) or [sys.executable, "-m", "jobs"]
    elif submit == "spark-submit":
        master = env.get("WATTLAKE_SPARK_MASTER") or _master_of_connection()
        runner = _spark_submit(f"wattlake {job} {date}", master, env)
        # the job's session takes its master from the settings, and must not look for a Connect server
        env.pop("WATTLAKE_SPARK__REMOTE", None)
        env |= {"WATTLAKE_SPARK__MASTER": master, "PYSPARK_PYTHON": sys.executable}
    else:
        raise AirflowFailException(f"WATTLAKE_SUBMIT={submit}: known are process and spark-submit.")
    return [*runner, *words], env


def _master_of_connection() -> str:
    # written there as Airflow's Spark provider reads it: host spark://name or local[2], and a port
    connection = BaseHook.get_connection("spark_default")
    return f"{connection.host}:{connection.port}" if connection.port else str(connection.host)


def _spark_submit(name: str, master: str, env: Mapping[str, str]) -> list[str]:
    # the environment's own comes before another one on the path
    program = shutil.which("spark-submit", path=f"{Path(sys.executable).parent}:{env.get('PATH', '')}")
    if program is None:
        raise AirflowFailException("spark-submit is neither in the environment nor on the path.")
    jars = sorted((REPO / env.get("WATTLAKE_SPARK__JARS", ".wattlake/jars")).glob("delta-*.jar"))
    # warnings only, or the job's own lines drown in Spark's
    quiet = f"-Dlog4j2.configurationFile={(REPO / 'conf' / 'log4j2.properties').as_uri()}"
    return [
        *(program, "--name", name, "--master", master),
        *("--jars", ",".join(map(str, jars)), "--driver-java-options", quiet),
        *shlex.split(env.get("WATTLAKE_SUBMIT_OPTIONS", "")),
        str(REPO / "jobs" / "__main__.py"),
    ]
