"""The catalogue of rules: which runs it shows, what it counts, and that it opens no file of the runs before."""

from collections.abc import Sequence
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from expectations import SUITES
from expectations.rule import Rule, Suite
from jobs.runtime.books import Books
from jobs.runtime.catalogue import page, section, write_catalogue
from jobs.runtime.results import last_runs
from schemas.ops import RULE_RESULTS

DAY = date(2025, 6, 27)
SUITE = Suite(
    "core.meter_days",
    (
        Rule("MD-01", "meter_id IS NOT NULL", "a day without a meter is nobody's"),
        Rule(
            "MD-02", "kwh < 10 AND note <> '<b>&\"x\"</b>'", "more than <i>10</i> kWh", severity="warn", since="0.2.0"
        ),
        Rule("MD-03", "count(*) > 0", "there is nothing at all", scope="batch"),
    ),
)


def rows(
    day: date, counts: dict[str, tuple[int, int]], delivery: str | None = "d1", **other: Any
) -> list[dict[str, Any]]:
    return [
        {
            "job": "ingest_meter_days",
            "run_date": day,
            "table_name": SUITE.table,
            "delivery_id": delivery,
            "rule_id": rule,
            "severity": "error",
            "rows_judged": judged,
            "rows_broken": broken,
            **other,
        }
        for rule, (judged, broken) in counts.items()
    ]


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "lake")


class _Cells(HTMLParser):
    """Texts of the cells of every table, row by row, and every tag's name."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.heights: list[str] = []
        self.is_in_cell = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.is_in_cell = True
        self.heights += [(value or "").removeprefix("--height: ") for name, value in attrs if name == "style"]

    def handle_endtag(self, tag: str) -> None:
        self.is_in_cell = self.is_in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.is_in_cell and data.strip():
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()


def parsed(text: str) -> _Cells:
    cells = _Cells()
    cells.feed(text)
    return cells


def of_rule(cells: _Cells, rule: str) -> list[str]:
    [found] = [row for row in cells.rows if row[0] == rule]
    return found[6:]


def test_each_table_shows_the_last_dates_on_which_it_was_judged(books: Books) -> None:
    for number in range(10):
        books.revise(RULE_RESULTS, rows(DAY + timedelta(number), {"MD-01": (100, number)}))
    # judged far more rarely, and long before
    for number in range(2):
        day = date(2024, 1 + number, 1)
        books.revise(RULE_RESULTS, rows(day, {"TA-01": (5, 0)}, table_name="core.tariffs"))
    runs = last_runs(books, 7)
    assert list(runs["core.meter_days"]) == [DAY + timedelta(number) for number in range(3, 10)]
    assert list(runs["core.tariffs"]) == [date(2024, 1, 1), date(2024, 2, 1)]
    assert [row["rows_broken"] for held in runs["core.meter_days"].values() for row in held] == list(range(3, 10))


def test_no_file_of_earlier_runs_is_opened(books: Books) -> None:
    for number in range(9):
        books.revise(RULE_RESULTS, rows(DAY + timedelta(number), {"MD-01": (100, number)}))
    folder = books.path(RULE_RESULTS)
    for action in pa.table(DeltaTable(folder).get_add_actions(flatten=True)).to_pylist():
        if action["max.run_date"] < DAY + timedelta(2):
            (folder / action["path"]).unlink()
    assert len(last_runs(books, 7)["core.meter_days"]) == 7
    with pytest.raises(Exception, match=r"not found|No such file"):
        last_runs(books, 8)


def test_dates_are_found_as_well_where_the_files_were_compacted(books: Books) -> None:
    for number in range(9):
        books.revise(RULE_RESULTS, rows(DAY + timedelta(number), {"MD-01": (100, number)}))
        books.revise(RULE_RESULTS, rows(DAY, {"PU-04": (1, 0)}, table_name="mart.publications"))
    before = last_runs(books, 7)
    table = DeltaTable(books.path(RULE_RESULTS))
    table.optimize.compact()
    assert len(table.get_add_actions()) == 1
    assert last_runs(books, 7) == before
    books.revise(RULE_RESULTS, rows(DAY + timedelta(9), {"MD-01": (100, 9)}))
    assert list(last_runs(books, 2)["core.meter_days"]) == [DAY + timedelta(8), DAY + timedelta(9)]


def test_counts_are_those_of_the_latest_run_added_up_over_deliveries(books: Books) -> None:
    books.revise(RULE_RESULTS, rows(DAY, {"MD-01": (1000, 4), "MD-02": (1000, 0)}))
    books.revise(RULE_RESULTS, rows(DAY, {"MD-01": (500, 2), "MD-02": (500, 0)}, "d2"))
    books.revise(RULE_RESULTS, rows(DAY, {"MD-01": (1000, 1), "MD-02": (1000, 0)}))
    cells = parsed(page([section(SUITE, last_runs(books, 7)[SUITE.table])]))
    assert of_rule(cells, "MD-01") == ["3 0.20%"]
    assert of_rule(cells, "MD-02") == ["0"], "a rule that was never broken is shown"
    assert of_rule(cells, "MD-03") == ["–"], "it was not judged"
    assert "2025-06-27 1,500 rows read" in cells.rows[2]
    assert cells.rows[1][:1] + cells.rows[1][2:] == ["core.meter_days", "3", "2025-06-27", "1,500", "1"]
    assert "负荷曲线" in cells.rows[1][1]


def test_a_jump_stands_out_beside_the_dates_before() -> None:
    shares = (10, 12, 8, 0, 900)
    results = {
        DAY + timedelta(i): rows(DAY + timedelta(i), {"MD-01": (10_000, broken), "MD-03": (1, int(i == 4))})
        for i, broken in enumerate(shares)
    }
    cells = parsed(page([section(SUITE, results)]))
    assert of_rule(cells, "MD-01") == ["10 0.10%", "12 0.12%", "8 0.08%", "0", "900 9.00%"]
    assert of_rule(cells, "MD-03") == ["holds", "holds", "holds", "holds", "broken"]
    assert cells.heights == ["8%", "8%", "8%", "100%", "100%"]
    few = parsed(page([section(SUITE, {DAY: rows(DAY, {"MD-01": (1_000_000, 1)})})]))
    assert of_rule(few, "MD-01") == ["1 <0.01%"]


def test_a_rule_is_told_whole_and_what_it_says_is_no_markup() -> None:
    cells = parsed(page([section(SUITE, {})]))
    [line] = [row for row in cells.rows if row[0] == "MD-02"]
    rule = SUITE.rules[1]
    assert line == ["MD-02", rule.condition, rule.reason, "warn", "row", "0.2.0"]
    assert not {"b", "i"} & set(cells.tags)
    hostile = Suite('core."><script>alert(1)</script>', (Rule('X"><img src=x>', "1 = 1", "it is always so"),))
    tags = parsed(page([section(hostile, {})])).tags
    assert not {"script", "img"} & set(tags)


def test_all_rules_of_the_suite_are_on_the_page_also_before_anything_is_judged(tmp_path: Path) -> None:
    target = tmp_path / "pages" / "catalogue.html"
    write_catalogue(target, SUITES.values(), {})
    cells = parsed(target.read_text(encoding="utf-8"))
    shown = {row[0] for row in cells.rows if len(row) == 6}
    assert {rule.id for suite in SUITES.values() for rule in suite.rules} <= shown
    assert sum("not judged yet" in row for row in cells.rows) == len(SUITES)
    assert [path.name for path in target.parent.iterdir()] == ["catalogue.html"]
