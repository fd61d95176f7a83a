"""The pages which are made from declarations are those that would be made now, and tell everything declared."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from expectations import SUITES
from schemas import TABLES

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", REPO / "deploy" / "make_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_current(make_docs: ModuleType) -> None:
    for name, text in make_docs.pages().items():
        assert (REPO / "docs" / name).read_text(encoding="utf-8") == text, f"docs/{name} is old: run `make docs`"


def test_every_table_tells_its_columns_or_whose_columns_it_has(make_docs: ModuleType) -> None:
    text = make_docs.data_dictionary(TABLES.values())
    sections = {part.split("\n", 1)[0]: part for part in text.split("\n### ")[1:]}
    assert set(sections) == set(TABLES)
    for name, table in TABLES.items():
        section = sections[name]
        assert f"written by {table.write};" in section
        origin = section.partition("All columns of [")[2].partition("]")[0]
        told = section + sections.get(origin, "")
        for column in table.columns:
            assert f"| `{column.name}` | `{column.type.simpleString()}` | {column.comment} |" in told, column.name


def test_every_rule_is_told_with_its_reason(make_docs: ModuleType) -> None:
    text = make_docs.rules(SUITES.values())
    for suite in SUITES.values():
        section = text.partition(f"## {suite.table}\n")[2].partition("\n## ")[0]
        for rule in suite.rules:
            [line] = [line for line in section.splitlines() if line.startswith(f"| {rule.id} |")]
            assert line.endswith(f"| {rule.reason} | {rule.severity} | {rule.scope} | {rule.since} |")


def test_no_cell_breaks_its_table(make_docs: ModuleType) -> None:
    for text in make_docs.pages().values():
        for block in text.split("\n\n"):
            rows = [line.replace(r"\|", "") for line in block.splitlines() if line.startswith("|")]
            assert len({row.count("|") for row in rows}) <= 1, block
