"""`wattlake tables`: which tables there are, and the first rows of one, read without Spark."""

from deltalake import DeltaTable, QueryBuilder
from rich.console import Console
from rich.table import Table as Grid

from jobs.runtime.lake import Lake, table_named
from jobs.runtime.settings import Settings
from schemas import TABLES, Table


def show_tables(settings: Settings, name: str | None, rows: int, console: Console) -> None:
    """Print all tables with version and files, or the first rows of one with what its columns mean."""
    lake = Lake(settings.lake.root, _no_session)
    if name is None:
        _list(lake, console)
    else:
        _show(lake, table_named(name), rows, console)


def _no_session() -> None:
    raise AssertionError("a preview reads without Spark")


def _list(lake: Lake, console: Console) -> None:
    grid = Grid("table", "a row is", "version", "MB", box=None, header_style="bold")
    for table in TABLES.values():
        if lake.exists(table):
            held = DeltaTable(str(lake.path(table)))
            size = sum(held.get_add_actions(flatten=True)["size_bytes"].to_pylist()) / 1e6
            grid.add_row(table.name, table.comment, str(held.version()), f"{size:.1f}")
        else:
            grid.add_row(table.name, table.comment, "-", "-", style="dim")
    console.print(grid)


def _show(lake: Lake, table: Table, rows: int, console: Console) -> None:
    console.print(
        f"[bold]{table.name}[/bold]: {table.comment}\nkey: {', '.join(table.key)}; folder: {lake.path(table)}"
    )
    meanings = Grid("column", "type", "meaning", box=None, header_style="bold")
    for column in table.columns:
        meanings.add_row(column.name, column.type.simpleString(), column.comment)
    console.print(meanings)
    if not lake.exists(table):
        console.print("The table does not exist yet: no job has written it.")
        return
    shown = (
        QueryBuilder()
        .register("shown", DeltaTable(str(lake.path(table))))
        .execute(f"SELECT * FROM shown LIMIT {max(0, int(rows))}")
        .read_all()
    )
    first = Grid(*table.column_names, header_style="bold")
    for row in zip(*(shown[name].to_pylist() for name in shown.column_names), strict=True):
        first.add_row(*(_short(value) for value in row))
    console.print(first)


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"
