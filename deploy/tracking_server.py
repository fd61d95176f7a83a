"""MLflow's pages behind a sign-in of its own. Jobs do not need them: they write to the tracking store directly."""

import configparser
import os
import sys
from pathlib import Path

USER = "admin"


def command(port: int, uri: str, artifacts: str) -> list[str]:
    """The command of the server over the jobs' tracking store."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", uri, "--default-artifact-root", str(Path(artifacts).resolve())),
    ]


def environment(folder: Path, password: str, session_key: str) -> dict[str, str]:
    """Variables of the server. Writes its sign-in into the folder, readable by the owner only; no default password."""
    config = configparser.ConfigParser()
    config["mlflow"] = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{folder / 'basic_auth.db'}",
        "admin_username": USER,
        "admin_password": password,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path = folder / "basic_auth.ini"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        config.write(file)
    return {
        **os.environ,
        "MLFLOW_AUTH_CONFIG_PATH": str(path),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": session_key,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
