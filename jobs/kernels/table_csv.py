"""Reader `table_csv`: one row of text a fact -> typed columns, with what could not be read named row by row."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.delimited import check_columns, check_end, decoded, header_of, read_columns
from jobs.kernels.masking import mask_text
from schemas.feed import Feed, FeedColumn

Cipher = Callable[[pa.Array], pa.Array]

_DATE = r"^(\d{4})[-/]?(\d{2})[-/]?(\d{2})(?:[ T]24:00(?::00)?)?$"
_STAMP = r"^\d{4}[-/]?\d{2}[-/]?\d{2}[ T]\d{2}:\d{2}(?::\d{2})?$"
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_WHOLE = r"^[+-]?\d{1,18}(\.0+)?$"
_DECIMAL = r"^[+-]?\d{1,12}(\.\d{1,6}0*)?$"


def read_table(
    data: bytes, name: str, feed: Feed, pseudonymise: Cipher, encrypt: Cipher
) -> tuple[pa.Table, list[str]]:
    """Rows of a file and the names of its columns which are not declared. BadFile where it cannot be read as a whole.

    Columns: the declared ones with their types (a customer number as `customer_key` and `customer_no_encrypted`, other
    personal values as `<target>_encrypted`, free text masked), unreadable, raw_values, source_file, source_row. With
    `unpivot` a row for each value present, and one without a value where none is.
    """
    text = decoded(data, name, feed)
    names = header_of(text, name, feed)
    sources = [c.source for c in feed.columns if c.source is not None and not c.optional]
    sources += list(feed.unpivot or {})
    extra = check_columns(names, sources, name, feed)
    optional = [c.source for c in feed.columns if c.optional and c.source in names]
    extra = [n for n in extra if n not in optional]
    check_end(text, len(names), name, feed)
    wanted = {n: pa.string() for n in [*sources, *optional] if n is not None}
    raw = read_columns(text, names, wanted, name, feed, quoted=True).combine_chunks()
    count = raw.num_rows
    trimmed = {n: _trimmed(raw.column(n)) for n in wanted}
    columns: dict[str, pa.Array] = {}
    failed: dict[str, np.ndarray] = {}
    for column in feed.columns:
        if column.source is None or column.source not in trimmed:
            values = pa.array([column.constant] * count, pa.string())
        else:
            values = trimmed[column.source]
        if column.personal:
            continue
        typed, bad = typed_values(values, column, feed)
        columns[column.target] = typed
        if column.source is not None:
            failed[column.source] = bad
    _add_personal(columns, trimmed, feed, pseudonymise, encrypt)
    numbers = pa.array(np.arange(1, count + 1))
    if feed.unpivot:
        values = {}
        for source in feed.unpivot:
            values[source], failed[source] = _numbers(trimmed[source])
        columns, take = _unpivoted(columns, values, feed)
        failed = {source: bad[take] for source, bad in failed.items()}
        trimmed = {n: v.take(pa.array(take)) for n, v in trimmed.items()}
        numbers = numbers.take(pa.array(take))
        count = len(take)
    personal = {c.source for c in feed.columns if c.personal}
    unreadable, raw_values = explained(failed, {n: v for n, v in trimmed.items() if n not in personal}, count)
    table = pa.table(
        {
            **columns,
            "unreadable": unreadable,
            "raw_values": raw_values,
            "source_file": pa.array([name] * count, pa.string()),
            "source_row": numbers,
        }
    )
    return table, extra


def _trimmed(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    values = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(values, ""), None, values)


def typed_values(values: pa.Array, column: FeedColumn, feed: Feed) -> tuple[pa.Array, np.ndarray]:
    """The values as the column's type, and a mask of those that have text which is not one."""
    if column.values is not None:
        codes = {str(k): str(v) for k, v in column.values.items()}
        coded = values.dictionary_encode()
        values_of = pa.array([codes.get(v) for v in coded.dictionary.to_pylist()], pa.string())
        mapped = values_of.take(coded.indices)
        bad = _mask(pc.and_(values.is_valid(), mapped.is_null()))
        if column.type == "string":
            return mapped, bad
        typed, worse = typed_values(mapped, FeedColumn(column.target, column.source, column.type), feed)
        return typed, bad | worse
    match column.type:
        case "string":
            return values, np.zeros(len(values), dtype=bool)
        case "double":
            return _numbers(values)
        case "integer":
            return _matching(values, _WHOLE, lambda v: pc.cast(pc.cast(v, pa.float64()), pa.int64()))
        case "decimal":
            return _matching(values, _DECIMAL, _decimals)
        case "boolean":
            return _matching(values, r"^(true|false)$", lambda v: pc.equal(v, "true"))
        case "date":
            return dates(values)
        case "timestamp":
            return instants(values, feed.time_zone or "UTC")


def _mask(values: pa.Array) -> np.ndarray:
    return pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype(bool)


def _matching(values: pa.Array, pattern: str, convert: Callable[[pa.Array], pa.Array]) -> tuple[pa.Array, np.ndarray]:
    fits = pc.match_substring_regex(values, pattern)
    return convert(pc.if_else(fits, values, None)), _mask(pc.invert(fits))


def _numbers(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    return _matching(values, _NUMBER, lambda v: pc.cast(pc.replace_substring_regex(v, r"^\+", ""), pa.float64()))


def _decimals(values: pa.Array) -> pa.Array:
    distinct = values.dictionary_encode()
    made = [None if v is None else Decimal(v) for v in distinct.dictionary.to_pylist()]
    return pa.array(made, pa.decimal128(18, 6)).take(distinct.indices)


def dates(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Local calendar dates (2025-06-30, 2025/06/30, 20250630); a stamp 24:00 belongs to the day which it ends."""
    distinct = values.dictionary_encode()
    fits = pc.match_substring_regex(distinct.dictionary, _DATE)
    plain = pc.replace_substring_regex(distinct.dictionary, _DATE, r"\1-\2-\3")
    made = pa.array([_date(v) if ok else None for v, ok in zip(plain.to_pylist(), fits.to_pylist(), strict=True)], pa.date32())
    typed = made.take(distinct.indices)
    return typed, _mask(pc.and_(values.is_valid(), typed.is_null()))


def _date(text: str | None) -> object:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a local calendar date has no zone
    except ValueError:
        return None


def instants(values: pa.Array, zone: str) -> tuple[pa.Array, np.ndarray]:
    """Instants from local clock times; 24:00 is the next midnight, the earlier of two readings where clocks go back.

    A clock time which the day on which clocks go forward does not have is unreadable.
    """
    distinct = values.dictionary_encode()
    made = [_instant(v, ZoneInfo(zone)) for v in distinct.dictionary.to_pylist()]
    typed = pa.array(made, pa.timestamp("us", "UTC")).take(distinct.indices)
    return typed, _mask(pc.and_(values.is_valid(), typed.is_null()))


def _instant(text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    stamp = text.replace("/", "-").replace("T", " ")
    next_day = " 24:00" in stamp
    if next_day:
        stamp = stamp.replace(" 24:00", " 00:00")
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%d %H:%M:%S", "%Y-%m-%d"):
        try:
            local = datetime.strptime(stamp, form)  # noqa: DTZ007 - the zone comes in the next line
        except ValueError:
            continue
        local += timedelta(days=int(next_day))
        instant = local.replace(tzinfo=zone).astimezone(ZoneInfo("UTC"))
        exists = instant.astimezone(zone).replace(tzinfo=None) == local
        return instant if exists else None
    return None


def _add_personal(
    columns: dict[str, pa.Array], trimmed: dict[str, pa.Array], feed: Feed, pseudonymise: Cipher, encrypt: Cipher
) -> None:
    own: list[pa.Array] = []
    for column in feed.columns:
        if column.personal is None or column.source not in trimmed:
            continue
        values = trimmed[column.source]
        if column.personal == "free_text":
            continue
        own.append(values)
        if column.personal == "customer_no":
            columns["customer_key"] = pseudonymise(values)
            columns["customer_no_encrypted"] = encrypt(values)
        else:
            columns[f"{column.target}_encrypted"] = encrypt(values)
    for column in feed.columns:
        if column.personal == "free_text" and column.source in trimmed:
            texts = trimmed[column.source].to_pylist()
            rows = zip(*(values.to_pylist() for values in own), strict=True) if own else [()] * len(texts)
            columns[column.target] = pa.array([mask_text(t, o) for t, o in zip(texts, rows, strict=True)], pa.string())


def _unpivoted(
    columns: dict[str, pa.Array], values: dict[str, pa.Array], feed: Feed
) -> tuple[dict[str, pa.Array], np.ndarray]:
    """A row for each present value of each source row; a row without any keeps one row of its first code."""
    codes = list((feed.unpivot or {}).items())
    present = np.column_stack([v.is_valid().to_numpy(zero_copy_only=False) for v in values.values()])
    present[~present.any(axis=1), 0] = True
    row, which = np.nonzero(present)
    stacked = pa.concat_arrays(list(values.values()))
    count = present.shape[0]
    out = {name: column.take(pa.array(row)) for name, column in columns.items()}
    out[feed.unpivot_key or ""] = pa.array([code for _, code in codes], pa.string()).take(pa.array(which))
    out[feed.unpivot_value or ""] = stacked.take(pa.array(which * count + row))
    return out, row


def explained(
    failed: dict[str, np.ndarray], trimmed: dict[str, pa.Array], count: int
) -> tuple[pa.Array, pa.Array]:
    """For each row the source columns that could not be read, and for such rows its text without personal values."""
    names: list[Sequence[str]] = [()] * count
    for source, bad in failed.items():
        for row in np.flatnonzero(bad):
            names[row] = [*names[row], source]
    is_bad = np.array([bool(n) for n in names], dtype=bool)
    raw: list[list[tuple[str, str]] | None] = [None] * count
    if is_bad.any():
        for row in np.flatnonzero(is_bad):
            raw[row] = [(n, v[int(row)].as_py()) for n, v in trimmed.items() if v[int(row)].is_valid]
    return pa.array(names, pa.list_(pa.string())), pa.array(raw, pa.map_(pa.string(), pa.string()))
