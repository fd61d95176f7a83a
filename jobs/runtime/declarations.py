"""What is wrong with the declaration of a feed beyond the types of its keys, said before a file is read."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from schemas.core import CORE
from schemas.feed import CURVE_READERS, CURVE_TARGETS, LONG_READERS, Feed, Selection
from schemas.quality_codes import NAMES

_MINUTES_A_DAY = 1440
_DELIMITED = frozenset({"curve_wide", "curve_long", "table_csv"})

# what a feed which reads the deliveries of another one may say; all else it has from there
_OF_TAKER = frozenset({"name", "description", "table", "deliveries_of", "takes"})


def problems_of_taker(declared: Mapping[str, Any], of: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with a declaration that says `deliveries_of`; `of` is that of the feed named, if there is one."""
    name = declared["deliveries_of"]
    if of is None:
        return [f"deliveries_of: no feed {name} is declared"]
    if "deliveries_of" in of:
        return [f"deliveries_of: {name} has no deliveries of its own: name the feed which it names"]
    if further := sorted(declared.keys() - _OF_TAKER):
        return [f"{', '.join(further)}: as declared for {name}: leave it out"]
    return []


def problems_of_takers(takers: Sequence[Feed]) -> list[str]:
    """Feeds which take the same rows: of the deliveries of one feed, each with what it takes."""
    return [
        f"takes: {one.name} and {other.name} take the same rows of {one.deliveries_of}"
        for one, other in combinations(takers, 2)
        if _overlap(one.takes or {}, other.takes or {})
    ]


def _overlap(one: Selection, other: Selection) -> bool:
    return all(set(one[column]) & set(other[column]) for column in one.keys() & other.keys())


def problems(feed: Feed, declared: Mapping[str, Any]) -> list[str]:
    """Each with the key it is about and what to do; `declared` is what the feed's file says, without defaults."""
    found = [*_of_columns(feed), *_of_takes(feed, declared)]
    if feed.reader in CURVE_READERS:
        found += _of_curve(feed)
    if feed.reader == "curve_wide":
        found += _of_wide(feed, declared)
    if feed.reader in LONG_READERS:
        found += _of_long(feed)
    return found


def _of_columns(feed: Feed) -> Iterator[str]:
    repeated = [target for target, count in Counter(column.target for column in feed.columns).items() if count > 1]
    if repeated:
        yield f"columns: {', '.join(repeated)} declared more than once"
    if feed.has_header or feed.reader not in _DELIMITED:
        return
    for source in [*(column.source for column in feed.columns if column.source), *(feed.unpivot or {})]:
        if not (source.isascii() and source.isdigit() and int(source) >= 1) or source.startswith("0"):
            yield f"columns: without a header line a source is its position in the row, such as '1', not {source!r}"


def _of_takes(feed: Feed, declared: Mapping[str, Any]) -> Iterator[str]:
    if "leaves" in declared:
        yield "leaves: is what other feeds take, and not declared: say it with `takes` in their files"
    if feed.deliveries_of is None:
        if feed.takes is not None:
            yield "takes: whose rows? It goes with deliveries_of"
        return
    if feed.table not in {table.name for table in CORE}:
        yield f"table: {feed.table}: no job loads it, so that its rows would be nobody's"
    elif feed.table != f"core.{feed.name}":
        # the job which takes the rows goes by the table
        yield f"table: a feed of {feed.table} is called {feed.table.partition('.')[2]}, and so is its file"
    if feed.reader not in CURVE_READERS:
        yield f"deliveries_of: only feeds of curves share their deliveries, not those of {feed.reader}"
    if not feed.takes or not all(feed.takes.values()):
        yield f"takes: which rows of {feed.deliveries_of}? Say column: [value, ...]"
    texts = {c.target for c in feed.columns if c.type == "string"} - CURVE_TARGETS
    if unknown := sorted((feed.takes or {}).keys() - texts):
        yield f"takes: {', '.join(unknown)}: no column of texts of {feed.deliveries_of}"


def _of_curve(feed: Feed) -> Iterator[str]:
    curve = feed.curve
    if personal := [column.target for column in feed.columns if column.personal]:
        yield f"columns: {feed.reader} takes no personal columns ({', '.join(personal)}): leave them out"
    if feed.unpivot:
        yield f"unpivot: {feed.reader} has none"
    if curve.interval_minutes < 1 or _MINUTES_A_DAY % curve.interval_minutes:
        yield f"curve.interval_minutes: a day cannot be divided into intervals of {curve.interval_minutes} minutes"
    elif curve.day == "elapsed" and 60 % curve.interval_minutes:
        yield "curve.interval_minutes: intervals of elapsed days must divide an hour, as dates have 23 or 25 of them"
    for column in feed.columns:
        if column.target != "quality":
            continue
        if column.source and not column.values:
            yield "columns: quality needs `values`, the source's codes mapped to " + ", ".join(NAMES)
        words = [*(column.values or {}).values(), *([column.constant] if column.constant is not None else [])]
        if wrong := sorted(set(words) - set(NAMES)):
            yield f"columns: quality knows {', '.join(NAMES)}, not {', '.join(wrong)}"


def _of_wide(feed: Feed, declared: Mapping[str, Any]) -> Iterator[str]:
    curve, by_target = feed.curve, {column.target: column for column in feed.columns}
    for target in ("meter_id", "read_date"):
        if target not in by_target:
            yield f"columns: curve_wide needs the target {target}"
    if "read_date" in by_target and by_target["read_date"].type != "date":
        yield "columns: read_date needs `type: date`"
    for target in sorted((CURVE_TARGETS - {"quality"}) & by_target.keys()):
        yield f"columns: {target} is of a reader with one row an interval: use curve_long"
    if curve.first_point is not None:
        if curve.first_point < 1:
            yield "curve.first_point: positions in a row begin with 1"
        if "point_format" in (declared.get("curve") or {}):
            yield "curve.first_point: points go by position or by point_format: leave one of them out"
    elif not feed.has_header:
        yield "curve.first_point: without a header line it must say where the points begin"
    elif not _tells_apart(feed):
        yield (
            f"curve.point_format: {curve.point_format!r} names several points alike: "
            "use a format such as '%H%M', or '{n}' for the number of the interval"
        )


def _tells_apart(feed: Feed) -> bool:
    curve = feed.curve
    if "{n}" in curve.point_format or curve.interval_minutes < 1:
        return True
    minutes = range(0, _MINUTES_A_DAY, curve.interval_minutes)
    names = {time.strftime(curve.point_format, (2000, 1, 1, *divmod(n, 60), 0, 5, 1, 0)) for n in minutes}
    return len(names) == len(minutes)


def _of_long(feed: Feed) -> Iterator[str]:
    curve, by_target = feed.curve, {column.target: column for column in feed.columns}
    for target in ("meter_id", "interval_at", "value"):
        if target not in by_target:
            yield f"columns: {feed.reader} needs the target {target}"
        elif by_target[target].source is None:
            yield f"columns: {target} needs a `source`"
    for target in ("interval_at", "value"):
        column = by_target.get(target)
        if column and (column.values or column.optional or column.constant is not None):
            yield f"columns: {target} takes no `values`, `optional` or `constant`"
    if "read_date" in by_target:
        yield f"columns: {feed.reader} makes read_date of interval_at: leave it out"
    has_offset = "%z" in (curve.stamp_format or "")
    if curve.stamp_format is not None and curve.stamps == "offset" and not has_offset:
        yield "curve.stamp_format: stamps with an offset need %z in it"
    if curve.stamps == "local" and has_offset:
        yield "curve.stamps: a format with %z has offsets: say offset"
