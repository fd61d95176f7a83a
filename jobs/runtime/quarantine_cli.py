"""`wattlake quarantine`: what is refused, and what a person does with it.

`list` and `show` read without Spark. The others run the job `replay_quarantine`, and know the two things which a job
must be told: who it is, and what time it is.
"""

import csv
import getpass
import io
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table as Grid

from expectations import SUITES
from jobs.runtime.books import Books
from jobs.runtime.cli import console, run_job
from jobs.runtime.errors import UserError
from jobs.runtime.lake import Lake
from jobs.runtime.quarantine import Wanted, actions_on, rows_in_quarantine, table_of_quarantine, whole_row
from jobs.runtime.replay import CORRECT, DROP, RELEASE
from jobs.runtime.settings import Settings, load_settings
from schemas import Table
from schemas.core import CORE

# a day in seconds has fewer values
_MOST_BYTES = 2**20

quarantine_app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Rows which broke an error rule: look at them, release, correct or drop them.",
)

_Env = Annotated[str | None, typer.Option("--env", envvar="WATTLAKE_ENV", help="Settings conf/NAME.yaml.")]
_OfTable = Annotated[str | None, typer.Option("--table", help="Table the rows were refused for, as core.meter_days.")]
_Rule = Annotated[str | None, typer.Option("--rule", help="Rows which broke this rule.")]
_Delivery = Annotated[str | None, typer.Option("--delivery", help="Rows of this delivery.")]
_Rows = Annotated[list[str] | None, typer.Option("--row", help="A row by its id, as `list` names it; several times.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why, for those who look at it later. Needed.")]
_User = Annotated[str | None, typer.Option("--user", help="Who does it. Default: you, as the system knows you.")]
_At = Annotated[str | None, typer.Option("--at", help="When it is done: an instant with offset. Default: now.")]
_Date = Annotated[str | None, typer.Option("--date", help="The run's date. Default: the local date of --at.")]


@quarantine_app.command("list")
def list_rows(
    table: _OfTable = None,
    rule: _Rule = None,
    delivery: _Delivery = None,
    on: Annotated[str | None, typer.Option("--date", help="Rows of deliveries of this business date.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="held, released, corrected, dropped, cancelled.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", help="Rows shown one by one, with their ids.")] = 20,
    env: _Env = None,
) -> None:
    """How many rows there are, by table, delivery, date, rule and status; and the first of them."""
    lake = _lake(load_settings(env))
    wanted = Wanted(rule, delivery, on_date=_day(on) if on else None)
    tables = [table_of_quarantine(table)] if table else list(CORE)
    found = [
        (one.name, row)
        for one in tables
        for row in rows_in_quarantine(lake, one, wanted)
        if status in (None, row["quarantine_status"])
    ]
    if not found:
        console.print("No such rows in quarantine.")
        return
    counts = Counter(
        (name, row["delivery_id"], str(row["business_date"]), broken, row["quarantine_status"])
        for name, row in found
        for broken in row["broken_rules"] or ("-",)
    )
    grid = Grid("table", "delivery", "date", "rule", "status", "rows", box=None, header_style="bold")
    for key, count in sorted(counts.items()):
        grid.add_row(*map(escape, key), f"{count:,}")
    console.print(grid)
    single = Grid("row", "table", "delivery", "file", "row in file", "rules", "status", box=None, header_style="bold")
    for name, row in found[: max(0, rows)]:
        place = (escape(row["delivery_id"]), escape(row["source_file"]), str(row["source_row"]))
        single.add_row(row["quarantine_id"], name, *place, " ".join(row["broken_rules"]), row["quarantine_status"])
    console.print(single)


@quarantine_app.command()
def show(
    row_id: Annotated[str, typer.Argument(help="The row, as `list` names it.", metavar="ROW")],
    table: _OfTable = None,
    env: _Env = None,
) -> None:
    """One row in full: its values, what each rule it broke means, and what was done with it."""
    settings = load_settings(env)
    lake = _lake(settings)
    of_table = _table_of(lake, table, [row_id])
    row = whole_row(lake, of_table, row_id)
    reasons = {rule.id: rule.reason for rule in SUITES[of_table.name].rules}
    values = Grid("column", "value", box=None, header_style="bold")
    for name, value in row.items():
        if name == "raw_values":
            continue
        values.add_row(name, escape(_shown(value)))
    console.print(values)
    for rule in row["broken_rules"] or ():
        console.print(f"{rule}: {reasons.get(rule, 'a rule which is no longer there')}", highlight=False, markup=False)
    for column, text in sorted(dict(row["raw_values"] or ()).items()):
        console.print(f"written in {column}: {text!r}", highlight=False, markup=False)
    for done in actions_on(Books(settings.lake.root), of_table).get(row_id, []):
        change = f": {done['before']} -> {done['after']}" if done["after"] else ""
        console.print(
            f"{done['acted_at'].isoformat()} {done['acted_by']} {done['action']} ({done['reason']}){change}: "
            f"{done['result']} {' '.join(done['broken_rules'] or ())}",
            highlight=False,
            markup=False,
        )


@quarantine_app.command()
def release(
    reason: _Reason = "",
    table: _OfTable = None,
    rule: _Rule = None,
    delivery: _Delivery = None,
    row: _Rows = None,
    user: _User = None,
    at: _At = None,
    run_date: _Date = None,
    env: _Env = None,
) -> None:
    """Let rows go through their rules again, as if just delivered; what still breaks one stays held."""
    _run(RELEASE, table, {"rule": rule, "delivery": delivery}, row, reason, user, at, run_date, env)


@quarantine_app.command()
def correct(
    reason: _Reason = "",
    row: _Rows = None,
    table: _OfTable = None,
    entered: Annotated[
        list[str] | None,
        typer.Option("--set", help="column=value; of a meter day also kwh[12]=0.35, counted from kwh[0]. Empty: none."),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option("--values", help='Intervals: JSON ([0.3, null, ...] or {"12": 0.35}) or CSV (interval,kwh).'),
    ] = None,
    user: _User = None,
    at: _At = None,
    run_date: _Date = None,
    env: _Env = None,
) -> None:
    """Enter values for rows by hand; they count as received now, and intervals are marked as edited."""
    texts = {**(_intervals(values) if values else {}), **dict(_pair(pair) for pair in entered or ())}
    _run(CORRECT, table, {"set": json.dumps(texts)}, row, reason, user, at, run_date, env)


@quarantine_app.command()
def drop(
    reason: _Reason = "",
    table: _OfTable = None,
    rule: _Rule = None,
    delivery: _Delivery = None,
    row: _Rows = None,
    user: _User = None,
    at: _At = None,
    run_date: _Date = None,
    env: _Env = None,
) -> None:
    """Decide that rows are never merged."""
    _run(DROP, table, {"rule": rule, "delivery": delivery}, row, reason, user, at, run_date, env)


def _run(
    action: str,
    table: str | None,
    further: dict[str, str | None],
    rows: list[str] | None,
    reason: str,
    user: str | None,
    at: str | None,
    run_date: str | None,
    env: str | None,
) -> None:
    settings = load_settings(env)
    if not reason.strip():
        raise UserError('No reason is given: say why, --reason "...".')
    moment = at or datetime.now(UTC).isoformat()
    options = {
        **{name: value for name, value in further.items() if value},
        "action": action,
        "table": _table_of(_lake(settings), table, rows or []).name,
        "row": ",".join(rows or ()),
        "reason": reason,
        "user": getpass.getuser() if user is None else user,
        "at": moment,
    }
    day = _day(run_date) if run_date else _local_date(moment, settings)
    run_job("replay_quarantine", day, env, options)


def _lake(settings: Settings) -> Lake:
    return Lake(settings.lake.root, _no_session)


def _no_session() -> Any:
    raise AssertionError("rows in quarantine are looked at without Spark")


def _table_of(lake: Lake, table: str | None, rows: list[str]) -> Table:
    """The table that is named, or which holds the first row."""
    if table is not None:
        return table_of_quarantine(table)
    if not rows:
        raise UserError("Which table? --table core.meter_days, for example.")
    for one in CORE:
        if rows_in_quarantine(lake, one, Wanted(rows=frozenset(rows[:1]))):
            return one
    raise UserError(f"No row {rows[0]} in quarantine: wattlake quarantine list names them.")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError("The date is none: give it as YYYY-MM-DD.") from None


def _local_date(moment: str, settings: Settings) -> date:
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise UserError("--at is no instant: 2025-06-30T08:00:00+08:00, for example.") from None
    return at.astimezone(ZoneInfo(settings.site.time_zone)).date()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UserError("--set takes column=value.")
    return name, value


def _intervals(path: Path) -> dict[str, str]:
    """Intervals out of a file, as `--set` would name them."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path}: too large for the intervals of a day.")
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            held = json.loads(text)
            pairs = enumerate(held) if isinstance(held, list) else held.items()
        else:
            pairs = ((line["interval"], line["kwh"]) for line in csv.DictReader(io.StringIO(text)))
        return {f"kwh[{int(n)}]": "" if value in (None, "") else str(value) for n, value in pairs}
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UserError(
            f'{path} holds no intervals: JSON [0.3, null, ...] or {{"12": 0.35}}, or CSV with the columns interval,kwh.'
        ) from None


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > 8:
        return " ".join("-" if one is None else f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    return "" if value is None else str(value)
