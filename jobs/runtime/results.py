"""Results of rules as they hold: of each date the latest one, however often the date was judged."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from jobs.runtime.books import Books, literal
from schemas.ops import RULE_RESULTS

Result = dict[str, Any]


def results_of(books: Books, run_date: date) -> dict[str, list[Result]]:
    """What holds of each table that was judged on a date."""
    return _by(latest(books.read(RULE_RESULTS, run_date=run_date)), "table_name")


def last_runs(books: Books, count: int) -> dict[str, dict[date, list[Result]]]:
    """What holds of each table on each of the last dates on which it was judged, ascending.

    The dates come from the log of the books, so that only files of these dates are opened.
    """
    dates = books.latest_values(RULE_RESULTS, "run_date", of="table_name", count=count)
    wanted = [
        f"table_name = {literal(table)} AND run_date IN ({', '.join(map(literal, held))})"
        for table, held in dates.items()
    ]
    held = books.find(RULE_RESULTS, " OR ".join(f"({one})" for one in wanted)) if wanted else []
    by_table = _by(latest(held), "table_name")
    return {table: dict(sorted(_by(rows, "run_date").items())) for table, rows in by_table.items()}


def latest(results: Iterable[Result]) -> list[Result]:
    """The last revision of each result.

    Of several results of before there were revisions nobody knows the last: the worst one stands.
    """
    found: dict[tuple[Any, ...], Result] = {}
    for row in sorted(results, key=lambda row: (row["revision"] or 0, row["rows_broken"], row["rows_judged"])):
        found[tuple(row[name] for name in RULE_RESULTS.key[:-1])] = row
    return list(found.values())


def _by(rows: Iterable[Result], name: str) -> dict[Any, list[Result]]:
    found: dict[Any, list[Result]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found
