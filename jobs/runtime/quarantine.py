"""Rows in quarantine: which there are, how each is named, and what was done with them. Read without Spark.

A row that was refused stays in `quarantine.<table>` as it was delivered. A person may

- *release* it, when what it broke has been mended elsewhere (master data loaded, a rule or a feed's declaration
  changed): it goes through the same steps and rules again as if it were just delivered, under its own delivery and the
  time at which that came in. So a correction received later still wins, and the row is then found in the versions;
- *correct* it: the values which a person enters replace those delivered, entered intervals are marked as edited, and
  the row goes through the rules too. It counts as received when it was corrected, under a delivery of its own
  (`edit-...`), so that it wins over what it corrects, and what is delivered later wins over it;
- *drop* it: it is never merged.

What still breaks a rule stays held. Each action says who, when and why in `ops.quarantine_actions`. Releasing and
correcting the same row do not depend on their order: the released row is then what the correction followed. Actions on
a row whose delivery is cancelled do not bring it back (cancellations.py); a correction stands by itself. The same row
delivered once more is another row, and is looked at by itself: where it is good it wins, as it was received later.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from deltalake import DeltaTable

from jobs.runtime.books import Books
from jobs.runtime.errors import UserError
from jobs.runtime.lake import Lake
from schemas import QUARANTINES, Table
from schemas.ops import QUARANTINE_ACTIONS

HELD, RELEASED, CORRECTED, DROPPED, CANCELLED = "held", "released", "corrected", "dropped", "cancelled"

# a small part of the columns, however wide the table is
_ALWAYS = (
    *("delivery_id", "received_at", "source_file", "source_row", "business_date"),
    *("broken_rules", "quarantine_status", "settled_by"),
)


_IN_ORDER = ("received_at", "delivery_id", "source_file", "source_row", "quarantine_id")


@dataclass(frozen=True)
class Wanted:
    """Which rows are meant: all that is given must hold. `rows` are ids."""

    rule: str | None = None
    delivery: str | None = None
    rows: frozenset[str] = frozenset()
    on_date: date | None = None

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is this row."""
        return (
            (self.rule is None or self.rule in (row["broken_rules"] or ()))
            and (self.delivery is None or row["delivery_id"] == self.delivery)
            and (not self.rows or row["quarantine_id"] in self.rows)
            and (self.on_date is None or row["business_date"] == self.on_date)
        )


def table_of_quarantine(name: str | None) -> Table:
    """The core table whose refused rows are meant; UserError where there is none."""
    from schemas.core import CORE

    named = {key: table for table in CORE for key in (table.name, table.noun, f"quarantine.{table.noun}")}
    if name not in named:
        raise UserError(f"Unknown table {name!r}. Tables: {', '.join(table.name for table in CORE)}.")
    return named[name]


def rows_in_quarantine(lake: Lake, table: Table, wanted: Wanted) -> list[dict[str, Any]]:
    """The rows that are meant, in the order of their deliveries, each with its `quarantine_id`; without arrays."""
    held = QUARANTINES[table.name]
    if not lake.exists(held):
        return []
    stored = DeltaTable(str(lake.path(held))).to_pyarrow_dataset()
    names = [name for name in dict.fromkeys((*_ALWAYS, *table.key)) if name in stored.schema.names]
    rows = [{**dict.fromkeys(_ALWAYS), **row} for row in stored.to_table(columns=names).to_pylist()]
    found = [row for row in (_named(row, table) for row in rows) if wanted.holds(row)]
    return sorted(found, key=lambda row: tuple(row[name] for name in _IN_ORDER))


def whole_row(lake: Lake, table: Table, quarantine_id: str) -> dict[str, Any]:
    """One row with all its columns. UserError where there is none of that id."""
    found = rows_in_quarantine(lake, table, Wanted(rows=frozenset({quarantine_id})))
    if not found:
        raise unknown_row(table, [quarantine_id])
    (row,) = found
    place = [(name, "=", row[name]) for name in ("delivery_id", "source_file", "source_row") if row[name] is not None]
    stored = DeltaTable(str(lake.path(QUARANTINES[table.name])))
    rows = (_named(one, table) for one in stored.to_pyarrow_table(filters=place or None).to_pylist())
    return next(one for one in rows if one["quarantine_id"] == quarantine_id)


def unknown_row(table: Table, ids: Iterable[str]) -> UserError:
    """What to say of ids which name no row."""
    return UserError(
        f"No row {', '.join(sorted(ids))} in quarantine.{table.noun}: wattlake quarantine list --table {table.noun} "
        "names them."
    )


def _named(row: dict[str, Any], table: Table) -> dict[str, Any]:
    return {"quarantine_id": quarantine_id(row, table), **row}


def quarantine_id(row: Mapping[str, Any], table: Table) -> str:
    """The name of a row: a hash of its key, the same in every run."""
    text = "\x1f".join(_text(row[name]) for name in QUARANTINES[table.name].key)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _text(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, datetime):
        instant = value if value.tzinfo else value.replace(tzinfo=UTC)
        return str(round(instant.timestamp() * 1_000_000))
    return value.isoformat() if isinstance(value, date) else str(value)


def actions_on(books: Books, table: Table) -> dict[str, list[dict[str, Any]]]:
    """What was done with rows of the table, by row, earliest first."""
    done: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(books.read(QUARANTINE_ACTIONS, table_name=table.name), key=lambda row: row["acted_at"]):
        done.setdefault(row["quarantine_id"], []).append(row)
    return done
