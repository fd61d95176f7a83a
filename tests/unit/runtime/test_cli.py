"""What a person who asks wrongly reads: one line, exit code 2, and nothing stored."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.runtime.errors import UserError
from jobs.runtime.feed_files import FeedFiles
from jobs.runtime.session import check_java
from jobs.runtime.settings import NOT_SETTINGS, load_settings


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
    "unknown environment": (("ingest_bills", "--date", "2025-06-30", "--env", "nope"), {}, "Known: bench, demo, lcl"),
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
    "a setting whose section ends in one underscore": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_LAKE_ROOT": "x"},
        "Unknown variable WATTLAKE_LAKE_ROOT: the nearest known is WATTLAKE_LAKE__ROOT",
    ),
    "a variable of no program": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_SCHEDULES": "off"},
        "Unknown variable WATTLAKE_SCHEDULES: the nearest known is WATTLAKE_SCHEDULE.",
    ),
    "a time zone that does not exist": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_SITE__TIME_ZONE": "Mars"},
        "site.time_zone: 'Mars' is no IANA time zone",
    ),
    "a mapping that is no JSON": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_SPARK__CONF": "foo"},
        "WATTLAKE_SPARK__CONF: write it as JSON",
    ),
    "unknown option": (("ingest_bills", "--date", "2025-06-30", "--foo"), {}, "--foo"),
    "a key without value": (("ingest_bills", "--date", "2025-06-30", "--key", "x"), {}, "name=value"),
    "a lake root that cannot be written": (
        ("ingest_bills", "--date", "2025-06-30"),
        {"WATTLAKE_LAKE__ROOT": "/dev/null/lake"},
        "cannot be written",
    ),
    "a lake root that cannot be written, of a job that takes in nothing": (
        ("build_customer_days", "--date", "2025-06-30"),
        {"WATTLAKE_LAKE__ROOT": "/dev/null/lake"},
        "set lake.root (or WATTLAKE_LAKE__ROOT)",
    ),
    "a landing root that cannot be written": (
        ("generate_province", "--date", "2025-06-30"),
        {"WATTLAKE_LANDING__ROOT": "/dev/null/landing"},
        "set landing.root (or WATTLAKE_LANDING__ROOT)",
    ),
    "a landing root that cannot be written, for London": (
        ("prepare_lcl", "--date", "2013-12-31"),
        {"WATTLAKE_LANDING__ROOT": "/dev/null/landing"},
        "set landing.root (or WATTLAKE_LANDING__ROOT)",
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


def test_a_province_whose_books_cannot_be_kept_beside_landing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "province").touch()
    done = _wattlake(tmp_path, "generate_province", "--date", "2025-06-30")
    assert done.returncode == 2, done.stderr
    assert "the folder beside the landing root" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_job_that_only_prints_needs_no_lake_and_makes_none(tmp_path: Path) -> None:
    done = _wattlake(tmp_path, "show_publication", "--date", "2025-06-30")
    assert done.returncode == 3
    assert "Nothing is published" in done.stderr
    assert not (tmp_path / "lake").exists()


def test_jobs_are_listed_with_what_they_do(tmp_path: Path) -> None:
    done = _wattlake(tmp_path, "jobs")
    assert done.returncode == 0
    assert "ingest_meter_days" in done.stdout
    assert "publish_customer_tables" in done.stdout


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
    (home / "bin" / "java").write_bytes(b"\x7fELF, of another machine")
    with pytest.raises(UserError, match="of unknown version"):
        check_java()
    _java(tmp_path / "good", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "good"))
    assert check_java() == str(tmp_path / "good" / "bin" / "java")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match=f"JAVA_HOME, which is {tmp_path / 'nothing'}"):
        check_java()


def _conf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the settings, in use."""
    shutil.copytree(Path("conf"), folder / "conf")
    monkeypatch.setenv("WATTLAKE_CONF", str(folder / "conf"))
    return folder / "conf"


BROKEN_YAML = {
    "a syntax error": ("table: [core.bills\nreader: x\n", r"x\.yaml, line 2, column \d+: this is no YAML"),
    "a list": ("- table\n", r"x\.yaml must be a mapping"),
    "a word": ("table\n", r"x\.yaml must be a mapping"),
    "keys that are no words": ("1: 2\n", r"x\.yaml must be a mapping"),
    "another encoding": ("description: 电\n".encode("gbk"), r"x\.yaml cannot be read: save it in UTF-8"),
}


@pytest.mark.parametrize("case", BROKEN_YAML)
def test_a_feed_or_settings_file_that_is_no_mapping_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    conf = _conf(tmp_path, monkeypatch)
    written, said = BROKEN_YAML[case]
    for path, read in (
        (conf / "feeds" / "x.yaml", lambda: FeedFiles(None, "UTC").load("x")),
        (conf / "x.yaml", lambda: load_settings("x")),
    ):
        path.write_bytes(written if isinstance(written, bytes) else written.encode())
        with pytest.raises(UserError, match=said) as raised:
            read()
        assert "\n" not in str(raised.value)


def test_an_unknown_key_in_a_settings_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = _conf(tmp_path, monkeypatch)
    for written, said in (
        ("lake: {rot: x}\n", r"lake\.rot: unknown key"),
        ("lakes: {root: x}\n", "lakes: unknown key"),
        ("site: {time_zone: Mars}\n", "'Mars' is no IANA time zone"),
    ):
        (conf / "x.yaml").write_text(written, encoding="utf-8")
        with pytest.raises(UserError, match=said):
            load_settings("x")


def test_a_settings_file_of_an_environment_replaces_single_keys_and_may_be_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = _conf(tmp_path, monkeypatch)
    base = load_settings()
    (conf / "x.yaml").write_text("# nothing yet\n", encoding="utf-8")
    assert load_settings("x") == base
    (conf / "x.yaml").write_text("spark: {conf: {spark.a: b}}\n", encoding="utf-8")
    assert load_settings("x").spark.conf == {**base.spark.conf, "spark.a": "b"}
    assert load_settings("x").lake == base.lake


def test_a_time_zone_of_a_feed_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = _conf(tmp_path, monkeypatch)
    bills = (conf / "feeds" / "bills.yaml").read_text(encoding="utf-8")
    (conf / "feeds" / "bills.yaml").write_text(bills + "time_zone: Mars\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"bills\.yaml: time_zone: 'Mars' is no IANA time zone"):
        FeedFiles(None, "UTC").load("bills")


def test_variables_of_other_programs_and_parts_of_mappings_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NOT_SETTINGS:
        monkeypatch.setenv(f"WATTLAKE_{name}", "conf")
    monkeypatch.setenv("WATTLAKE_SPARK__CONF__spark.a", "b")
    monkeypatch.setenv("WATTLAKE_SPARK__CLUSTER_CONF", '{"spark.c": "d"}')
    settings = load_settings()
    assert settings.spark.conf["spark.a"] == "b"
    assert settings.spark.cluster_conf == {"spark.c": "d"}


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
