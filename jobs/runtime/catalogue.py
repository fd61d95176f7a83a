"""The catalogue of rules as a page: every rule, and how many rows broke it in the last runs which judged its table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from expectations.rule import Rule, Suite
from schemas import TABLES

RUNS_SHOWN = 7


@dataclass(frozen=True)
class Outcome:
    """What one rule came to on one date: rows judged and rows which broke it, over all deliveries."""

    rule: Rule
    judged: int
    broken: int

    @property
    def share(self) -> float:
        """Share of the judged rows which broke the rule."""
        return self.broken / self.judged if self.judged else 0.0

    @property
    def told(self) -> str:
        """The count as it stands in its cell. A batch rule is judged once for all rows."""
        if self.rule.scope == "batch":
            return "broken" if self.broken else "holds"
        return f"{self.broken:,}"

    @property
    def percent(self) -> str:
        """The share in percent; nothing where none was broken, and where there is no share of one."""
        if not self.broken or self.rule.scope == "batch":
            return ""
        return f"{self.share:.2%}" if self.share >= 0.0001 else "<0.01%"


@dataclass(frozen=True)
class Line:
    """One rule with its outcomes by date; None where it was not judged."""

    rule: Rule
    outcomes: tuple[Outcome | None, ...]

    @cached_property
    def _most(self) -> float:
        return max((one.share for one in self.outcomes if one), default=0.0)

    def height(self, outcome: Outcome) -> int:
        """Height of the bar in percent: against the rule's worst date, so that a jump stands out; seen however low."""
        return max(8, round(100 * outcome.share / self._most)) if outcome.broken else 0


@dataclass(frozen=True)
class Section:
    """One table: its rules over the last dates on which it was judged. `meaning` has the Chinese word, if any."""

    name: str
    meaning: str
    dates: tuple[date, ...]
    rows_read: tuple[int, ...]
    lines: tuple[Line, ...]

    @property
    def broken_last(self) -> int:
        """How many rules were broken on the last date."""
        return sum(1 for line in self.lines if line.outcomes and line.outcomes[-1] and line.outcomes[-1].broken)

    @property
    def suite_page(self) -> str:
        """Where Great Expectations shows the rules of the table."""
        return f"expectations/{self.name.replace('.', '/')}.html"


def write_catalogue(path: Path, suites: Iterable[Suite], runs: Mapping[str, Mapping[date, Sequence[Any]]]) -> None:
    """Write the page whole or not at all. `runs`: results by table and date, see `last_runs`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(page([section(suite, runs.get(suite.table, {})) for suite in suites]), encoding="utf-8")
    unfinished.replace(path)


def page(sections: Sequence[Section]) -> str:
    """The page as text. Everything that is filled in is escaped."""
    environment = Environment(
        loader=PackageLoader("jobs.runtime", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("catalogue.html.j2").render(sections=sections, runs_shown=RUNS_SHOWN)


def section(suite: Suite, results: Mapping[date, Sequence[Any]]) -> Section:
    """All rules of a suite over the given dates, also those which were never broken or never judged."""
    lines = tuple(Line(rule, tuple(_outcome(rule, results[on]) for on in sorted(results))) for rule in suite.rules)
    table = TABLES.get(suite.table)
    return Section(
        name=suite.table,
        meaning=table.comment if table else "",
        dates=tuple(sorted(results)),
        rows_read=tuple(_rows_read(suite, results[on]) for on in sorted(results)),
        lines=lines,
    )


def _outcome(rule: Rule, results: Sequence[Any]) -> Outcome | None:
    of_rule = [row for row in results if row["rule_id"] == rule.id]
    if not of_rule:
        return None
    return Outcome(rule, sum(row["rows_judged"] for row in of_rule), sum(row["rows_broken"] for row in of_rule))


def _rows_read(suite: Suite, results: Sequence[Any]) -> int:
    """Rows which came before the rules: those which any row rule judged."""
    found = (_outcome(rule, results) for rule in suite.counted_rules())
    return max((outcome.judged for outcome in found if outcome), default=0)
