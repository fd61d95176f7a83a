"""What the packaging, the Makefile and the list of variables promise."""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import setuptools

from jobs.runtime.cli import job_files
from jobs.runtime.roots import written_root
from jobs.runtime.settings import NOT_SETTINGS, load_settings

REPO = Path(__file__).parents[2]

# imports what the workers import to apply a model, without what trains and tracks
SCORE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sklearn", "mlflow", "matplotlib", "airflow", "great_expectations"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import jobs.models.naive_forecast, jobs.models.segment_profiles, jobs.models.segments, jobs.models.usage_forecast
print(*(name for name in sys.modules if name.startswith("jobs.models.")))
"""


def _asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **named: asked.update(named))
    runpy.run_path(str(REPO / "setup.py"))
    return asked


def _extras(monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], dict[str, set[str]]]:
    """Names of the packages which setup.py asks for: always, and by extra."""
    asked = _asked(monkeypatch)

    def names(wanted: list[str]) -> set[str]:
        return {re.split("[<>=; ]", one)[0].lower() for one in wanted}

    return names(asked["install_requires"]), {name: names(wanted) for name, wanted in asked["extras_require"].items()}


def test_a_worker_that_scores_imports_only_what_its_extras_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    always, extras = _extras(monkeypatch)
    done = subprocess.run([sys.executable, "-c", SCORE], capture_output=True, text=True, check=True, cwd=REPO)
    imported = set()
    for module in done.stdout.split():
        for node in ast.parse((REPO / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    imported -= set(sys.stdlib_module_names) | {"jobs"}
    assert {"lightgbm", "threadpoolctl"} <= imported
    assert imported <= always | extras["scoring"]
    assert extras["scoring"] <= extras["models"]
    assert "mlflow" not in extras["scoring"]


def test_files_which_are_no_code_are_installed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = _asked(monkeypatch)["package_data"]
    for package in ("jobs", "schemas", "expectations", "conf"):
        folder = REPO / package
        there = {p for p in folder.rglob("*") if p.is_file() and p.suffix not in {".py", ".pyc"}}
        assert there == {path for pattern in declared[package] for path in folder.glob(pattern)}, package


def test_every_variable_is_documented_and_every_documented_one_is_known() -> None:
    page = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("## Variables")[2].partition("\n## ")[0]
    listed = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`WATTLAKE_([A-Z]+(?:_[A-Z]+)*)`", line.split("|")[1])
    }
    assert listed == NOT_SETTINGS


@pytest.mark.parametrize("job", sorted(job_files()))
def test_a_job_whose_verb_says_that_it_only_prints_promises_to_write_nothing(job: str) -> None:
    doc = ast.get_docstring(ast.parse(job_files()[job].read_text(encoding="utf-8"))) or ""
    prints_only = written_root(job, load_settings()) is None
    assert prints_only == (doc.split()[0] in {"Print", "Report"})
    assert not prints_only or re.search("writes nothing|changes nothing", doc, re.IGNORECASE)


# -- make -------------------------------------------------------------------------------------------------------------


def _make(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The Makefile in another folder, as if everything were installed there."""
    shutil.copy(REPO / "Makefile", folder)
    shutil.copytree(REPO / "conf", folder / "conf")
    for name in ("requirements.lock", "setup.py", ".venv/.installed"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=folder, env=env | variables, capture_output=True, text=True, check=False)


def _program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_setup_without_java_says_so_in_one_line_and_ends_with_2(tmp_path: Path) -> None:
    python = Path(sys.executable).parent
    done = _make(tmp_path, "setup", f"BIN={python}", JAVA_HOME=str(tmp_path / "no java"))
    assert done.returncode == 2
    said, by_make = done.stderr.strip().splitlines()
    assert said.startswith("wattlake: Java is not there")
    assert by_make.endswith("Error 2")


def test_setup_fetches_with_the_java_which_it_has_checked(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    for home in ("good", "other"):
        _program(
            tmp_path / home / "bin" / "java", f"echo {home} >> {calls}; echo 'openjdk version \"17.0.1\" 2021' >&2"
        )
    path = f"{tmp_path / 'other' / 'bin'}:{os.environ['PATH']}"
    done = _make(tmp_path, "setup", f"BIN={Path(sys.executable).parent}", JAVA_HOME=str(tmp_path / "good"), PATH=path)
    assert done.returncode == 0, done.stderr
    assert calls.read_text(encoding="utf-8").split() == ["good", "good"]
    assert (tmp_path / ".wattlake" / "jars" / ".fetched").exists()


@pytest.mark.parametrize("failing", ["services.py up", "run_dags.py", "report_sum_check", "show_publication", ""])
def test_london_stops_its_services_however_it_ends(tmp_path: Path, failing: str) -> None:
    calls = tmp_path / "calls"
    fails = f'case "$*" in *"{failing}"*) exit 3;; esac' if failing else ""
    _program(
        tmp_path / "bin" / "python",
        f'echo "$* $SITE" >> {calls}\n{fails}\ncase "$*" in *" env "*) echo export SITE=x;; esac',
    )
    done = _make(tmp_path, "lcl", "--old-file=setup", f"BIN={tmp_path / 'bin'}")
    steps = calls.read_text(encoding="utf-8").splitlines()
    assert steps[0].startswith("-m jobs prepare_lcl")
    assert steps[-1].startswith("deploy/services.py down --env lcl")
    if failing:
        assert done.returncode == 2
        assert "Error 3" in done.stderr
        assert failing in steps[-2]
    else:
        assert done.returncode == 0, done.stderr
        assert steps[-2] == "-m jobs show_publication --date 2013-12-31 --env lcl x"
