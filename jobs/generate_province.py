"""Write deliveries of a demonstration province as its source systems would: an initial load, or those of a day.

The first call writes the history of `history_days` up to the date, each later one the deliveries of its date with late
and corrected rows. Seeded: the same options give the same files. Faults go to a ledger which no job reads. Load shapes
come from the SimBench profiles (www.simbench.net, ODbL), scaled, shifted and perturbed per customer.

    wattlake generate_province --date 2025-06-27 --env demo --key customers=2000 --key history_days=120
"""

import json
from collections.abc import Mapping
from datetime import timedelta

from jobs.province import FAULT_CLASSES, ProvinceError, write_deliveries
from jobs.runtime.context import Context
from jobs.runtime.errors import UserError
from jobs.runtime.roots import check_writable


def run(ctx: Context) -> str:
    """Write what the options ask for; `customers`, `history_days`, `seed`, `workers`, and shares of faults by class."""
    ledger = ctx.settings.landing.root.parent / "province"
    check_writable(ledger, "landing.root", "the folder beside the landing root")
    book = ledger / "province.json"
    initial = not book.exists() or ctx.option("initial", "no") == "yes"
    held = {} if initial else json.loads(book.read_text(encoding="utf-8"))
    days = _whole_number(ctx, "history_days", 120)
    try:
        summary = write_deliveries(
            ctx.settings.landing.root,
            ledger,
            first_date=ctx.date - timedelta(days=days - 1),
            last_date=ctx.date,
            initial=initial,
            customers=_whole_number(ctx, "customers", held.get("customers", 2000)),
            seed=_whole_number(ctx, "seed", held.get("seed", 20250630)),
            faults=_faults(ctx),
            report=ctx.log.info,
            workers=_whole_number(ctx, "workers", 1),
        )
    except ProvinceError as error:
        raise UserError(str(error)) from None
    rows = sum(summary.rows.values())
    return f"{len(summary.deliveries)} deliveries, {rows:,} rows, {sum(summary.faults.values()):,} faults in the ledger"


def _whole_number(ctx: Context, name: str, default: int) -> int:
    text = ctx.option(name, str(default))
    if not text.isdigit():
        raise UserError(f"--key {name}={text}: a whole number is needed.")
    return int(text)


def _faults(ctx: Context) -> Mapping[str, float] | None:
    """`faults=none`, or `faults=spike:0.01,late:0.05`; None = the defaults."""
    text = ctx.option("faults", "")
    if not text:
        return None
    if text == "none":
        return {}
    try:
        return {name: float(share) for name, _, share in (part.partition(":") for part in text.split(","))}
    except ValueError:
        raise UserError(
            f"--key faults={text}: give class:share,class:share. Classes: {', '.join(FAULT_CLASSES)}."
        ) from None
