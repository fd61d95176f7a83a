"""The data dictionary and the catalogue of rules: `python deploy/make_docs.py` writes them into `docs/`.

Both are made from the declarations in `schemas` and `expectations` and from nothing else, so they need no lake. A test
compares the committed pages with what would be made now.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from expectations import SUITES, Rule, Suite
from schemas import TABLES, Table

DOCS = Path(__file__).resolve().parents[1] / "docs"

# in the order in which data pass through them
LAYERS = {
    "core": "validated, typed, merged: one row a fact, the latest value",
    "features": "derived for each customer and area, made again where what they depend on has changed",
    "mart": "published: what other people read",
    "quarantine": "refused rows with the rules they broke",
    "vault": "the only place of names, phone numbers and addresses, encrypted",
    "ops": "the books: deliveries, reconciliation, results of rules, runs of jobs",
}
WRITE_METHODS = {
    "upsert": "keyed merge, in which the row received later wins",
    "append": "rows are added, each delivery once; what is held stays",
    "replace": "rows of the keys or the date of the run are replaced, in one commit",
}
SEVERITIES = {
    ("row", "error"): "the row goes to quarantine; where the table is derived, nothing is written",
    ("row", "warn"): "the row is taken and marked",
    ("key", "warn"): "of several rows of one key in a delivery: the one that is taken is marked",
    ("batch", "error"): "the job stops, nothing is written",
    ("batch", "warn"): "it is reported",
}
_MADE = "Made by `make docs`: change the declarations, not this page."


def pages() -> dict[str, str]:
    """Text of each page by its file name."""
    return {"data-dictionary.md": data_dictionary(TABLES.values()), "rules.md": rules(SUITES.values())}


def data_dictionary(tables: Iterable[Table]) -> str:
    """All tables: first what and how each is written, then every column, by layer."""
    ordered = sorted(tables, key=lambda table: list(LAYERS).index(table.layer))
    lines = ["# Data dictionary", "", f"{_MADE} They are in `schemas/`.", ""]
    lines += [f"- *{name}*: {meaning}." for name, meaning in WRITE_METHODS.items()]
    for layer, of_layer in groupby(ordered, key=lambda table: table.layer):
        held = list(of_layer)
        lines += ["", f"## {layer}", f"{_sentence(LAYERS[layer])}", ""]
        lines += _grid(("table", "a row is", "key", "write"), (_overview(table) for table in held))
        for table in held:
            lines += ["", f"### {table.name}", *_facts(table), ""]
            columns = table.columns
            if origin := _origin(table, ordered):
                columns = tuple(column for column in columns if column not in origin.columns)
                left_out = [name for name in origin.column_names if name not in table.column_names]
                but = f" but {_names(left_out)}" if left_out else ""
                lines += [f"All columns of {_link(origin)}{but}{', and:' if columns else '.'}"]
                lines += [""] if columns else []
            cells = ((f"`{c.name}`", f"`{c.type.simpleString()}`", c.comment) for c in columns)
            lines += _grid(("column", "type", "meaning"), cells) if columns else []
    return _text(lines)


def _origin(table: Table, tables: Iterable[Table]) -> Table | None:
    """The core table whose rows a table of refused rows, earlier versions or repeats keeps; None for all others."""
    if table.layer != "quarantine" and not table.noun.endswith(("_versions", "_repeats")):
        return None
    for other in tables:
        kept = {column for column in other.columns if column.name != "flags"}
        if other.layer == "core" and other is not table and kept < set(table.columns):
            return other
    return None


def rules(suites: Iterable[Suite]) -> str:
    """All rules, by table."""
    lines = ["# Rules", "", f"{_MADE} They are in `expectations/`.", ""]
    lines += ["A rule is broken only where its condition is false: where a value is null, it is not.", ""]
    lines += ["*Since* is the release in which the rule came. The data quality pages have a catalogue with counts.", ""]
    lines += _grid(("scope", "severity", "where it is broken"), ((*key, what) for key, what in SEVERITIES.items()))
    for suite in suites:
        lines += ["", f"## {suite.table}", ""]
        lines += _grid(("id", "condition", "reason", "severity", "scope", "since"), map(_rule, suite.rules))
    return _text(lines)


def _overview(table: Table) -> tuple[str, ...]:
    return _link(table), table.comment, _names(table.key), table.write


def _link(table: Table) -> str:
    # headings are addressed without their dots
    return f"[{table.name}](#{table.name.replace('.', '')})"


def _facts(table: Table) -> Iterable[str]:
    yield f"{_sentence(table.comment)}"
    yield ""
    facts = [f"Key: {_names(table.key)}", f"written by {table.write}"]
    facts.append(f"partitioned by {_names(table.partitioned_by)}" if table.partitioned_by else "not partitioned")
    facts.append(f"deletion vectors {'on' if table.deletion_vectors else 'off'}")
    yield "; ".join(facts) + "."


def _rule(rule: Rule) -> tuple[str, ...]:
    return rule.id, f"`{rule.condition}`", rule.reason, rule.severity, rule.scope, rule.since


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table. A bar or a line end in a cell would end the cell."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in line) + " |" for line in lines]


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"docs/{name}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
