"""What the documents promise of the code: one place for each library, suites and meanings for all tables."""

import ast
import re
from pathlib import Path

import pytest

from expectations import SUITES
from expectations.rule import FIRST_RELEASE
from jobs.runtime.cli import first_line, job_files
from schemas import REPEATS, TABLES, VERSIONS

REPO = Path(__file__).parents[2]
PACKAGES = ("jobs", "schemas", "expectations", "dags")


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def _importers(*libraries: str) -> set[str]:
    return {
        str(path.relative_to(REPO))
        for package in PACKAGES
        for path in (REPO / package).rglob("*.py")
        if _imports(path) & set(libraries)
    }


def test_each_of_the_great_libraries_is_spoken_in_one_file() -> None:
    assert _importers("mlflow") == {"jobs/runtime/tracking.py"}
    assert _importers("great_expectations") == {"jobs/runtime/quality.py"}
    assert _importers("delta") == set()


def test_delta_sql_is_written_in_one_file() -> None:
    writers = {
        str(path.relative_to(REPO))
        for path in (REPO / "jobs").rglob("*.py")
        if 'format("delta")' in path.read_text(encoding="utf-8") or "MERGE INTO" in path.read_text(encoding="utf-8")
    }
    assert writers == {"jobs/runtime/lake.py"}


def test_dags_import_none_of_ours() -> None:
    for path in (REPO / "dags").glob("*.py"):
        assert not _imports(path) & {"jobs", "schemas", "expectations"}, path.name


@pytest.mark.parametrize("name", sorted(job_files()))
def test_a_job_says_in_one_line_what_it_does_and_how_it_is_called(name: str) -> None:
    path = job_files()[name]
    assert len(first_line(path)) > 30
    tree = ast.parse(path.read_text(encoding="utf-8"))
    doc = ast.get_docstring(tree) or ""
    assert f"wattlake {name} --date" in doc
    assert any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body)
    others = {f"jobs.{job}" for job in job_files()}
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not modules & others, "jobs never import jobs"


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_has_a_key_and_a_meaning_for_each_column(table) -> None:
    assert set(table.key) <= set(table.column_names)
    assert set(table.partitioned_by) <= set(table.column_names)
    assert len(table.column_names) == len(set(table.column_names))
    for column in table.columns:
        assert len(column.comment) > 3, column.name


def test_every_table_which_a_job_judges_has_a_suite() -> None:
    judged = {t.name for t in TABLES.values() if t.layer in {"core", "features", "mart"}}
    assert set(SUITES) == judged - {t.name for t in (*VERSIONS.values(), *REPEATS.values())}


def test_ids_of_rules_are_unique_and_each_has_a_reason() -> None:
    rules = [rule for suite in SUITES.values() for rule in suite.rules]
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(len(rule.reason) > 10 for rule in rules)


def test_no_rule_came_with_a_release_that_is_not_out_yet() -> None:
    def numbers(release: str) -> tuple[int, ...]:
        return tuple(int(number) for number in re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", release).groups())

    [current] = re.findall(r'version="(.+?)"', (REPO / "setup.py").read_text(encoding="utf-8"))
    for suite in SUITES.values():
        for rule in suite.rules:
            assert numbers(FIRST_RELEASE) <= numbers(rule.since) <= numbers(current), rule.id
