"""What a person wants to see after a run: published rows, an example, the reconciliation, the pages."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as Grid

from jobs.runtime.errors import DataError
from jobs.runtime.quality import PAGES
from schemas.mart import CUSTOMER_SCORES, PUBLICATIONS
from schemas.ops import RECONCILIATION

if TYPE_CHECKING:
    from jobs.runtime.context import Context

_PARTS = ("rows_accepted", "rows_superseding", "rows_duplicate", "rows_quarantined")
_SHOWN = 5


def publication_summary(ctx: "Context") -> str:
    """Print the publication of the date, the books and where the pages are; DataError when one of them is missing.

    DataError also where a delivery does not add up.
    """
    console = Console(soft_wrap=True, width=max(Console().width, 130))
    published = [row for row in ctx.books.read(PUBLICATIONS) if row["as_of_date"] == ctx.date]
    if not published:
        raise DataError(f"Nothing is published for {ctx.date}: run score_and_publish, or look why it stopped.")
    _print_scores(ctx, console)
    totals = _print_reconciliation(ctx, console)
    rows = dict(published[0]["table_rows"])
    console.print(
        f"Published {ctx.date}: " + ", ".join(f"{name} {count:,} rows" for name, count in sorted(rows.items()))
    )
    console.print(f"Models: {', '.join(published[0]['model_versions'])}")
    pages = ctx.settings.quality.docs.resolve() / PAGES
    console.print(f"Tables: {ctx.settings.lake.root.resolve()} (wattlake tables shows them)")
    if not pages.exists():
        raise DataError(f"There are no data quality pages at {pages}: run write_quality_pages --date {ctx.date}.")
    console.print(f"Data quality pages: {pages}")
    return f"{sum(rows.values()):,} rows published, {totals:,} rows read are all accounted for"


def _print_scores(ctx: "Context", console: Console) -> None:
    columns = ("segment_name", "next_14d_p10_kwh", "next_14d_p50_kwh", "next_14d_p90_kwh", "sufficiency", "reasons")
    rows = ctx.lake.query(
        CUSTOMER_SCORES,
        f"SELECT customer_key, {', '.join(columns)} FROM held WHERE as_of_date = DATE '{ctx.date.isoformat()}' "
        f"ORDER BY customer_key LIMIT {_SHOWN}",
    )
    grid = Grid(
        "customer", "segment", "P10 kWh", "P50 kWh", "P90 kWh", "sufficiency", "reasons", title="Customer scores"
    )
    keys = rows["customer_key"].to_pylist()
    for i, key in enumerate(keys):
        values = [rows[name][i].as_py() for name in columns]
        grid.add_row(key[:12] + "…", *(_shown(value) for value in values))
    console.print(grid)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _print_reconciliation(ctx: "Context", console: Console) -> int:
    """Counts by feed; the number of rows read. DataError where a delivery's parts are not its whole."""
    by_feed: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in ctx.books.read(RECONCILIATION):
        if sum(row[part] for part in _PARTS) != row["rows_read"]:
            raise DataError(f"Delivery {row['delivery_id']} of {row['feed']} does not add up.")
        by_feed[row["feed"]]["deliveries"] += 1
        for part in ("rows_read", *_PARTS):
            by_feed[row["feed"]][part] += row[part]
    grid = Grid("feed", "deliveries", "read", "= accepted", "+ superseding", "+ duplicate", "+ quarantined")
    grid.title = "Reconciliation"
    for feed in sorted(by_feed):
        counts = by_feed[feed]
        grid.add_row(feed, *(f"{counts[name]:,}" for name in ("deliveries", "rows_read", *_PARTS)))
    console.print(grid)
    return sum(counts["rows_read"] for counts in by_feed.values())


def print_fault_table(
    found: Mapping[str, Mapping[str, Any]], classes: Sequence[str], counts_as: Mapping[str, str]
) -> str:
    """Print all classes as a Markdown table, as it stands in the documentation; which are not found in full.

    found: by class, injected, mixed, detected, to_name, named_right, wrongly_flagged, clean; None where it does not
    apply.
    """
    console = Console(soft_wrap=True, width=200)
    header = ("class", "injected", "of which mixed", "detected", "named right", "wrongly flagged", "counts as detected")
    lines: list[Sequence[str]] = [header, ["---"] * len(header)]
    silent, absent = [], []
    for name in classes:
        row = found.get(name)
        if row is None:
            absent.append(name)
            continue
        judged = row["injected"] - row["mixed"]
        if row["detected"] < judged:
            silent.append(f"{name} ({judged - row['detected']:,} of {judged:,})")
        share = f" ({row['detected'] / judged:.1%})" if judged else ""
        numbers = (row["injected"], row["mixed"], row["wrongly_flagged"])
        injected, mixed, wrong = ("-" if number is None else f"{number:,}" for number in numbers)
        named = "-" if row["to_name"] is None else f"{row['named_right']:,} of {row['to_name']:,}"
        lines.append((name, injected, mixed, f"{row['detected']:,}{share}", named, wrong, counts_as[name]))
    for line in lines:
        console.print(f"| {' | '.join(line)} |", highlight=False)
    clean = max((row["clean"] for row in found.values() if row["clean"] is not None), default=0)
    told = (
        f"{len(classes) - len(absent)} classes, {clean:,} clean meter days; "
        f"not found in full: {', '.join(silent) or 'none'}"
    )
    return f"{told}; not injected: {', '.join(absent)}" if absent else told
