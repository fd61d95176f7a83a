"""The embedded Airflow: its settings, its database and its processes. SQLite and local children, loopback only."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
from children import ServiceError

DAGS = Path(__file__).resolve().parents[1] / "dags"
BIN = Path(sys.executable).parent
USER = "admin"

COMPONENTS = {
    "airflow-api": ["api-server"],
    # the log server of the scheduler would listen on every interface; the files are read where they are
    "airflow-scheduler": ["scheduler", "--skip-serve-logs"],
    "airflow-dags": ["dag-processor"],
    "airflow-triggerer": ["triggerer", "--skip-serve-logs"],
}


def settings(home: Path, *, port: int, jwt_secret: str, fernet_key: str, session_key: str) -> dict[str, str]:
    """Airflow's settings as environment variables, the same for all its processes."""
    options = {
        "core": {
            "dags_folder": str(DAGS),
            "executor": "LocalExecutor",
            # every job is a process beside the shared Spark server: more at a time than cores only wait for each other
            "parallelism": os.environ.get("WATTLAKE_PARALLEL_JOBS") or str(max(2, os.cpu_count() or 2)),
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            # follows the port: task processes find nothing at the default one
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": str(home / "passwords.json"),
            "fernet_key": fernet_key,
            "min_serialized_dag_update_interval": "5",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}"},
        "api": {
            "host": "127.0.0.1",
            "port": str(port),
            "base_url": f"http://127.0.0.1:{port}",
            "secret_key": session_key,
        },
        "api_auth": {"jwt_secret": jwt_secret},
        "scheduler": {
            # the defaults of 5 s and 1 s are most of what a short task costs
            "job_heartbeat_sec": "2",
            "scheduler_heartbeat_sec": "1",
            "scheduler_idle_sleep_time": "0.2",
            "usage_data_collection_enabled": "False",
        },
        # a supervisor that misses the end of its task sees it at the next heartbeat: many tasks would take 5 s longer
        "workers": {"min_heartbeat_interval": "1"},
        # a new DAG file is seen after 5 s instead of 5 minutes; unchanged files are parsed again rarely
        "dag_processor": {"refresh_interval": "5", "min_file_process_interval": "300", "parsing_processes": "1"},
        "usage_data_collection": {"enabled": "False"},
        "logging": {"base_log_folder": str(home / "logs")},
    }
    variables = {
        f"AIRFLOW__{section}__{key}".upper(): value for section, keys in options.items() for key, value in keys.items()
    }
    return {"AIRFLOW_HOME": str(home), **variables}


def prepare(home: Path, password: str, env: Mapping[str, str]) -> None:
    """The database and the sign-in. ServiceError with what Airflow said when the database cannot be made."""
    home.mkdir(parents=True, exist_ok=True)
    passwords = home / "passwords.json"
    # Airflow would write it readable for all
    with os.fdopen(os.open(passwords, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({USER: password}, file)
    made = subprocess.run(
        [str(BIN / "airflow"), "db", "migrate"],
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if made.returncode != 0:
        raise ServiceError(f"Airflow's database cannot be made.\n{made.stdout[-2000:]}\n{made.stderr[-2000:]}")


def command(component: str) -> list[str]:
    """The command of one of COMPONENTS."""
    return [str(BIN / "airflow"), *COMPONENTS[component]]


def is_healthy(address: str) -> bool:
    """Whether API, scheduler and DAG processor work, and every DAG file has been read."""
    try:
        parts = httpx.get(f"{address}/api/v2/monitor/health", timeout=5).json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(
        (parts.get(name) or {}).get("status") == "healthy" for name in ("metadatabase", "scheduler", "dag_processor")
    )
