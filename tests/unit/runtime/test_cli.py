"""What a person who asks wrongly reads: one line, exit code 2, and nothing stored."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.runtime.errors import UserError
from jobs.runtime.session import check_java
from jobs.runtime.settings import FeedFiles, load_settings


def _wattlake(tmp_path: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {
        "WATTLAKE_LAKE__ROOT": str(tmp_path / "lake"),
        "WATTLAKE_LANDING__ROOT": str(tmp_path / "landing"),
    }
    env.pop("WATTLAKE_ENV", None)
    command = [sys.executable, "-W", "ignore", "-m", "jobs", *words]
    return subprocess.run(command, env=env | variables, capture_output=True, text=True, check=False, timeout=120)


WRONG = {
    "unknown job": (("ingest_bill", "--date", "2025-06-30"), {}, "Unknown job 'ingest_bill'"),
    "no date": (("ingest_bills",), {}, "--date YYYY-MM-DD"),
    "a date that does not exist": (("ingest_bills", "--date", "2025-06-31"), {}, "not a date"),
    "unknown environment": (("ingest_bills", "--date", "2025-06-30", "--env", "nope"), {}, "Known: demo, lcl"),
    "unknown settings key": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_LAKE__ROT": "x"},
        "WATTLAKE_LAKE__ROT",
    ),
    "unknown settings section": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_LAKES__ROOT": "x"},
        "WATTLAKE_LAKES__ROOT",
    ),
    "unknown option": (("ingest_bills", "--date", "2025-06-30", "--foo"), {}, "--foo"),
    "a key without value": (("ingest_bills", "--date", "2025-06-30", "--key", "x"), {}, "name=value"),
    "a lake root that cannot be written": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_LAKE__ROOT": "/dev/null/lake"},
        "cannot be written",
    ),
    "unknown table": (("tables", "core.nope"), {}, "Unknown table 'core.nope'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_prints_one_line_and_ends_with_2(tmp_path: Path, case: str) -> None:
    words, variables, said = WRONG[case]
    done = _wattlake(tmp_path, *words, **variables)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "lake" / "core").exists()


def test_data_that_do_not_allow_the_job_end_with_3(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "bills" / "2025-06-30" / "d1"
    folder.mkdir(parents=True)
    (folder / "_manifest.json").write_text("{}", encoding="utf-8")
    done = _wattlake(tmp_path, "ingest_bills", "--date", "2025-06-30")
    assert done.returncode == 3
    assert "manifest cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_with_nothing_new_ends_with_0_and_without_a_session(tmp_path: Path) -> None:
    done = _wattlake(tmp_path, "ingest_bills", "--date", "2025-06-30", WATTLAKE_SPARK__REMOTE="sc://localhost:1")
    assert done.returncode == 0, done.stderr
    assert "0 delivery(ies)" in done.stdout


def test_jobs_are_listed_with_what_they_do(tmp_path: Path) -> None:
    done = _wattlake(tmp_path, "jobs")
    assert done.returncode == 0
    assert "ingest_meter_days" in done.stdout
    assert "publish_customer_scores" in done.stdout


def _java(folder: Path, version: str) -> None:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n", encoding="utf-8")
    java.chmod(0o755)


def test_no_java_or_the_wrong_one_is_said_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="Install Java 17"):
        check_java()
    for version in ("1.8.0_392", "11.0.2"):
        home = tmp_path / version
        _java(home, version)
        monkeypatch.setenv("JAVA_HOME", str(home))
        with pytest.raises(UserError, match="needs Java 17"):
            check_java()
    _java(tmp_path / "good", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "good"))
    check_java()


def test_every_declared_feed_can_be_read_and_an_unknown_key_in_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for env in (None, "lcl"):
        feeds = FeedFiles(env, "UTC")
        assert len([feeds.load(name) for name in feeds.names]) >= 11
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "x.yaml").write_text("table: core.bills\nreader: table_csv\ncolumns: []\nfoo: 1\n")
    monkeypatch.setenv("WATTLAKE_CONF", str(tmp_path))
    with pytest.raises(UserError, match="foo: unknown key"):
        FeedFiles(None, "UTC").load("x")


def test_the_environment_wins_over_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTLAKE_LAKE__ROOT", "/somewhere/else")
    settings = load_settings("demo")
    assert str(settings.lake.root) == "/somewhere/else"
    assert str(settings.landing.root) == ".wattlake/demo/landing"
