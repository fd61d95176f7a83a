"""What a person enters for a row in quarantine: `column=value`, typed as the table declares the column."""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, DataType, DateType, DecimalType, DoubleType, IntegerType, TimestampType

from jobs.runtime.errors import UserError
from jobs.runtime.reading import Readers
from schemas import Table
from schemas.feed import CURVE_READERS, Feed

_INTERVAL = re.compile(r"kwh\[(\d{1,4})\]")
_NOT_ENTERED = {"received_at", "delivery_id", "flags"}
# of a table of curves: they are the curve, which is entered by interval, or follow from it
_OF_CURVES = {
    *("kwh", "quality", "interval_minutes", "total_kwh", "measured_count", "estimated_count", "missing_count"),
}
_INT_BITS = 31


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError
    return value


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**_INT_BITS:
        raise ValueError
    return value


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError
    return value


_PARSERS: dict[type[DataType], tuple[str, Callable[[str], Any]]] = {
    DateType: ("date (YYYY-MM-DD)", date.fromisoformat),
    TimestampType: ("instant with its offset from UTC (2025-06-30T08:00:00+08:00)", _instant),
    DoubleType: ("number", _finite),
    IntegerType: ("whole number of 32 bits", _integer),
    DecimalType: ("decimal number", _decimal),
    BooleanType: ("true or false", _boolean),
}


class Correction:
    """Columns and intervals as a person entered them; an empty text stands for no value."""

    def __init__(self, table: Table, feed: Feed, entered: Mapping[str, str]) -> None:
        """UserError where something cannot be entered, or is not of its column's type."""
        if not entered:
            raise UserError("A correction needs what is to be set: --set column=value.")
        self._feed = feed
        self.columns: dict[str, Any] = {}
        self.kwh: dict[int, float | None] = {}
        for name, text in entered.items():
            interval = _INTERVAL.fullmatch(name)
            if interval and feed.reader in CURVE_READERS:
                self.kwh[int(interval[1])] = _typed(name, DoubleType(), str(text))
            else:
                self.columns[name] = _typed(name, _type_of(table, feed, name), str(text))
        self._types = {name: table.type_of(name) for name in self.columns}

    def check_intervals(self, curve: list[float | None] | None) -> None:
        """UserError where the row's curve does not have an interval that was entered."""
        points = len(curve or ())
        if self.kwh and max(self.kwh) >= points:
            raise UserError(
                f"kwh[{max(self.kwh)}]: the day has {points} intervals, counted from kwh[0] to kwh[{points - 1}]."
            )

    def change(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """What the row says where something is entered, before and after, as JSON."""
        curve = row.get("kwh") or ()
        before = {name: row[name] for name in self.columns} | {f"kwh[{n}]": curve[n] for n in sorted(self.kwh)}
        after = self.columns | {f"kwh[{n}]": self.kwh[n] for n in sorted(self.kwh)}
        texts = [json.dumps(said, ensure_ascii=False, default=str) for said in (before, after)]
        return texts[0], texts[1]

    def apply(self, rows: DataFrame, readers: Readers) -> DataFrame:
        """The rows with what was entered; an entered column is not unreadable any more."""
        sources = {c.source for c in self._feed.columns if c.target in self.columns and c.source}
        if self._feed.unpivot and self._feed.unpivot_value in self.columns:
            sources |= set(self._feed.unpivot)
        entered = F.array(*(F.lit(name) for name in sorted(sources))).cast("array<string>")
        rows = rows.withColumns(
            {
                **{name: F.lit(value).cast(self._types[name]) for name, value in self.columns.items()},
                "unreadable": F.array_except(F.coalesce("unreadable", F.array().cast("array<string>")), entered),
            }
        )
        return _with_intervals(rows, self._feed, self.kwh, readers) if self.kwh else rows


def _with_intervals(rows: DataFrame, feed: Feed, kwh: Mapping[int, float | None], readers: Readers) -> DataFrame:
    import pyarrow as pa

    wanted = to_arrow_schema(rows.schema, timezone="UTC")

    def edit(batches: Any) -> Any:
        for batch in batches:
            rows_of_batch = pa.Table.from_batches([batch]).cast(wanted)
            yield from readers.edited(rows_of_batch, feed, kwh).cast(wanted).to_batches()

    return rows.mapInArrow(edit, rows.schema)


def _type_of(table: Table, feed: Feed, name: str) -> DataType:
    has_curves = "quality" in table.column_names
    closed = _NOT_ENTERED | _OF_CURVES if has_curves else _NOT_ENTERED
    if name in closed or name not in table.column_names:
        given = [c for c in table.column_names if c not in closed]
        intervals = ", kwh[0], kwh[1], ..." if has_curves else ""
        raise UserError(f"{name} cannot be set. Columns of {table.name}: {', '.join(given)}{intervals}.")
    if any(c.target == name and c.personal for c in feed.columns):
        raise UserError(f"{name} may hold personal data and is not entered by hand: have the row delivered again.")
    return table.type_of(name)


def _typed(name: str, kind: DataType, text: str) -> Any:
    if text == "":
        return None
    what, parse = _PARSERS.get(type(kind), ("text", str))
    try:
        return parse(text)
    except (ValueError, KeyError, InvalidOperation):
        raise UserError(f"{name}: what is given is no {what}.") from None
