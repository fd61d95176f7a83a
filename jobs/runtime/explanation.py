"""The story of one meter day, for whoever has to answer for a figure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as Grid

from expectations.districts import METER_LEVELS_SUITE
from expectations.meter_days import METER_DAYS_SUITE
from expectations.meter_profiles import METER_PROFILES_SUITE
from expectations.validated_days import VALIDATED_DAYS_SUITE
from jobs.runtime.books import literal
from jobs.runtime.errors import UserError
from schemas import QUARANTINES, VERSIONS, Table
from schemas.mart import PUBLICATIONS
from schemas.meter_days import METER_DAYS
from schemas.meter_levels import METER_LEVELS
from schemas.meter_profiles import METER_PROFILES
from schemas.ops import CONSUMPTIONS, DELIVERIES
from schemas.quality_codes import MEANING
from schemas.register_readings import REGISTER_READINGS
from schemas.validated_days import VALIDATED_DAYS

if TYPE_CHECKING:
    from jobs.runtime.context import Context

_FEED = "meter_days"
# a profile speaks of the dates so far before its week
_WINDOW_DAYS = 28
_SUITES = (METER_DAYS_SUITE, VALIDATED_DAYS_SUITE, METER_LEVELS_SUITE, METER_PROFILES_SUITE)
_REASONS = {rule.id: rule.reason for suite in _SUITES for rule in suite.rules}


@dataclass(frozen=True)
class _Version:
    """A value of the day which was delivered, and what became of it."""

    received_at: datetime
    delivery_id: str
    row: dict[str, Any]
    fate: str

    @property
    def rules(self) -> list[str]:
        return sorted({*(self.row.get("broken_rules") or []), *(self.row.get("flags") or [])})


def explain_meter_day(ctx: "Context", meter_id: str) -> str:
    """Print every version of the meter's day, its registers, what validation made of it, and which runs read it.

    UserError where none of the tables knows the meter and date.
    """
    versions = sorted(_versions(ctx, meter_id), key=lambda v: (v.received_at, v.delivery_id))
    validated = _rows(ctx, VALIDATED_DAYS, meter_id)
    if not versions and not validated:
        raise UserError(
            f"Nothing is known of meter {meter_id} on {ctx.date}: see `wattlake tables core.metering_points`, "
            "and `wattlake tables ops.deliveries` for what has come in."
        )
    console = Console(soft_wrap=True, width=max(Console().width, 130))
    _print_versions(console, versions, f"Meter {meter_id}, {ctx.date}: what was delivered, in the order it came in")
    _print_registers(ctx, console, meter_id)
    for row in validated:
        _print_validated(console, row)
    said = {rule for v in versions for rule in v.rules} | {flag for row in validated for flag in row["flags"]}
    _print_rules(console, said | _print_lasting(ctx, console, meter_id))
    reads = _print_readers(ctx, console, {v.delivery_id for v in versions})
    return f"{len(versions)} version(s) delivered, {reads} run(s) read them"


def _rows(ctx: "Context", table: Table, meter_id: str, *days: date) -> list[dict[str, Any]]:
    """Rows of a table with the meter and the run's date, or these dates."""
    if not ctx.lake.exists(table):
        return []
    dates = ", ".join(literal(day) for day in days or (ctx.date,))
    found = ctx.lake.query(table, f"SELECT * FROM held WHERE meter_id = {literal(meter_id)} AND read_date IN ({dates})")
    return found.to_pylist()


def _versions(ctx: "Context", meter_id: str) -> Iterator[_Version]:
    for row in _rows(ctx, METER_DAYS, meter_id):
        yield _Version(row["received_at"], row["delivery_id"], row, "holds")
    for row in _rows(ctx, VERSIONS[METER_DAYS.name], meter_id):
        fate = f"gave way to {row['replaced_by']} at {row['replaced_at']:%Y-%m-%d %H:%M} UTC"
        yield _Version(row["received_at"], row["delivery_id"], row, fate)
    for row in _rows(ctx, QUARANTINES[METER_DAYS.name], meter_id):
        yield _Version(row["received_at"], row["delivery_id"], row, f"quarantine: {row['quarantine_status']}")


def _print_versions(console: Console, versions: Sequence[_Version], title: str) -> None:
    grid = Grid(
        "received at (UTC)", "delivery", "kWh", "measured", "estimated", "missing", "rules", "became", title=title
    )
    for v in versions:
        counts = (v.row.get(name) for name in ("measured_count", "estimated_count", "missing_count"))
        grid.add_row(
            f"{v.received_at:%Y-%m-%d %H:%M}", v.delivery_id, _number(v.row.get("total_kwh")),
            *(_number(count) for count in counts), " ".join(v.rules) or "-", v.fate,
        )  # fmt: skip
    console.print(grid)


def _print_registers(ctx: "Context", console: Console, meter_id: str) -> None:
    rows = _rows(ctx, REGISTER_READINGS, meter_id, ctx.date - timedelta(days=1), ctx.date)
    if not rows:
        console.print("No register was read at the beginning or end of the date.")
        return
    grid = Grid("register", "read at the end of", "dial kWh", "received at (UTC)", "delivery", title="Registers")
    for row in sorted(rows, key=lambda r: (r["register_code"], r["read_date"])):
        grid.add_row(
            row["register_code"], str(row["read_date"]), _number(row["reading_kwh"]),
            f"{row['received_at']:%Y-%m-%d %H:%M}", row["delivery_id"],
        )  # fmt: skip
    console.print(grid)


def _print_validated(console: Console, row: dict[str, Any]) -> None:
    codes = list(row["quality"] or [])
    kinds = ", ".join(f"{codes.count(code)} {meaning}" for code, meaning in MEANING.items() if codes.count(code))
    grid = Grid("validated", "value", title="What was made of it", show_header=False)
    for name, value in (
        ("energy", f"{_number(row['total_kwh'])} kWh on the dial"),
        ("intervals", kinds or "none known"),
        ("by the register", f"{_number(row['register_kwh'])} kWh"),
        ("delivered - register", f"{_number(row['sum_gap_kwh'])} kWh"),
        ("uncertainty of what is estimated", f"+- {_number(row['estimate_sd_kwh'])} kWh (one standard deviation)"),
        ("flags", " ".join(row["flags"]) or "none"),
        ("known since (UTC)", f"{row['available_at']:%Y-%m-%d %H:%M}" if row["available_at"] else "-"),
    ):
        grid.add_row(name, value)
    console.print(grid)


def _print_lasting(ctx: "Context", console: Console, meter_id: str) -> set[str]:
    """What is said of weeks of the meter or from a date on, and holds for the date; the rules."""
    of_meter, on = f"meter_id = {literal(meter_id)}", literal(ctx.date)
    found = []
    if ctx.lake.exists(METER_PROFILES):
        weeks = ", ".join(literal(ctx.date + timedelta(days=n)) for n in range(1, _WINDOW_DAYS + 1))
        wanted = "week_start, clock_shift_minutes, clock_shift_days, flags"
        sql = f"SELECT {wanted} FROM held WHERE {of_meter} AND week_start IN ({weeks}) ORDER BY week_start"
        for row in ctx.lake.query(METER_PROFILES, sql).to_pylist():
            if row["flags"] and row["week_start"] - ctx.date <= timedelta(days=row["clock_shift_days"]):
                minutes = f"{row['clock_shift_minutes']:+} minutes in the days before {row['week_start']}"
                found.append((row["flags"], minutes))
    if ctx.lake.exists(METER_LEVELS):
        sql = f"SELECT since, ratio, flags FROM held WHERE {of_meter} AND since <= {on} ORDER BY since"
        for row in ctx.lake.query(METER_LEVELS, sql).to_pylist():
            if row["flags"]:
                found.append((row["flags"], f"{row['ratio']:.3g} times what it was, since {row['since']}"))
    if found:
        grid = Grid("rules", "what", title="What is said of the meter at that time")
        for flags, what in found:
            grid.add_row(" ".join(flags), what)
        console.print(grid)
    return {flag for flags, _ in found for flag in flags}


def _print_rules(console: Console, rules: set[str]) -> None:
    for rule in sorted(rules):
        console.print(f"  {rule}: {_REASONS.get(rule, 'a rule of an earlier release')}", highlight=False)


def _print_readers(ctx: "Context", console: Console, deliveries: set[str]) -> int:
    """Runs which took up one of the deliveries, and what was published on the strength of them."""
    taken = [row for row in ctx.books.read(CONSUMPTIONS, feed=_FEED) if row["delivery_id"] in deliveries]
    loaded = [row for row in ctx.books.read(DELIVERIES, feed=_FEED) if row["delivery_id"] in deliveries]
    grid = Grid("run of", "for date", "read delivery", title="Who read it")
    for row in sorted(loaded, key=lambda r: (r["received_at"], r["delivery_id"])):
        grid.add_row(f"{row['job']} ({row['status']})", str(row["business_date"]), row["delivery_id"])
    for row in sorted(taken, key=lambda r: (r["run_date"], r["job"], r["delivery_id"])):
        grid.add_row(row["job"], str(row["run_date"]), row["delivery_id"])
    console.print(grid)
    if taken:
        first = min(row["run_date"] for row in taken)
        published = sorted({row["as_of_date"] for row in ctx.books.read(PUBLICATIONS) if row["as_of_date"] >= first})
        if published:
            console.print("Published since with it: " + ", ".join(str(day) for day in published))
    return len(taken)


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"
