"""Reader `table_csv`: a delimited file, one row a record -> typed columns named as the feed declares them.

Personal values leave as pseudonyms, encrypted, or masked, never as they were written.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.delimited import Delimited, extra_columns, missing_columns, open_delimited, read_columns
from jobs.kernels.masking import mask_raw, mask_text
from jobs.kernels.provenance import provenance
from jobs.kernels.typed_values import ARROW_TYPES, Bools, parse, trimmed
from schemas.feed import Feed, FeedColumn

Cipher = Callable[[pa.Array], pa.Array]


def read_table(
    data: bytes, name: str, feed: Feed, pseudonymise: Cipher | None = None, encrypt: Cipher | None = None
) -> tuple[pa.Table, list[str]]:
    """Rows of the file, and the columns in it which the feed does not declare. Columns as `typed_rows` gives them.

    BadFile as the parts say.
    """
    _check_ciphers(feed, pseudonymise, encrypt)
    file = open_delimited(data, name, feed)
    if problem := missing_columns(file, required_columns(feed)):
        raise problem
    declared = declared_columns(feed)
    raw = _read(file, [column for column in declared if column in file.header])
    return typed_rows(raw, 1, name, feed, pseudonymise, encrypt), extra_columns(file, declared)


def declared_columns(feed: Feed) -> list[str]:
    """Columns of the source which the feed reads, each once."""
    return list(dict.fromkeys([*(c.source for c in feed.columns if c.source), *(feed.unpivot or {})]))


def required_columns(feed: Feed) -> list[str]:
    """Columns without which a file is refused."""
    return [
        *(c.source for c in feed.columns if c.source and not c.optional and c.constant is None),
        *(feed.unpivot or {}),
    ]


def typed_rows(
    raw: pa.Table,
    first_row: int,
    name: str,
    feed: Feed,
    pseudonymise: Cipher | None = None,
    encrypt: Cipher | None = None,
) -> pa.Table:
    """Rows of the table from their texts, of which the first is that row of the file.

    Grain: a row of the file; with `unpivot`, a value present in it (and one row without key and value for a row that
    has none, so that no row is lost). Columns: the declared targets in the feed's order; `customer_key` and
    `customer_no_encrypted` for a customer number, `<target>_encrypted` for a name, phone or address, masked text for
    free text; the unpivoted two; unreadable list<string> (source columns), raw_values (what was written, personal
    columns left out and personal values in others masked, for rows with something unreadable), source_file, source_row
    (from 1).
    """
    _check_ciphers(feed, pseudonymise, encrypt)
    texts = {column: trimmed(raw.column(column)) for column in raw.column_names}

    unreadable: dict[str, Bools] = {}
    columns: dict[str, pa.Array] = {}
    for column in feed.columns:
        if column.personal:
            columns |= _personal(column, texts, feed, raw.num_rows, pseudonymise, encrypt)
        else:
            columns[column.target], bad = typed_column(column, texts, raw.num_rows, feed.time_zone or "UTC")
            if column.source:
                unreadable[column.source] = unreadable.get(column.source, False) | bad
    rows = np.arange(raw.num_rows, dtype=np.int64)
    if feed.unpivot:
        rows, unpivoted_columns, unpivoted_bad = _unpivot(feed, texts, raw.num_rows)
        columns = {target: values.take(pa.array(rows)) for target, values in columns.items()} | unpivoted_columns
        unreadable = {source: bad[rows] for source, bad in unreadable.items()} | unpivoted_bad
    shown = provenance(
        name, rows + first_row, unreadable, lambda places: shown_raw(raw.take(pa.array(rows[places])), feed)
    )
    return pa.table(columns | shown)


def shown_raw(raw: pa.Table, feed: Feed) -> pa.Table:
    """What is written in the columns which are not personal, with what is personal in them masked."""
    personal = {c.source: str(c.personal) for c in feed.columns if c.source in raw.column_names and c.personal}
    own = {kind: trimmed(raw.column(source)) for source, kind in personal.items() if source and kind != "free_text"}
    declared = {c.source: c for c in feed.columns if c.source and not c.personal}
    columns = {}
    for source in raw.column_names:
        if source in personal:
            continue
        column = declared.get(source)
        # what is no declared column is a value: of a register, or of an interval
        kind, codes = (column.type, tuple(column.values or ())) if column else ("double", ())
        columns[source] = mask_raw(raw.column(source).combine_chunks(), kind, codes, own)
    return pa.table(columns)


def typed_column(
    column: FeedColumn, texts: Mapping[str, pa.Array], rows: int, time_zone: str
) -> tuple[pa.Array, Bools]:
    """Values of one declared column that is not personal, and which of its texts could not be read.

    The constant, where the file has no such column; else nulls.
    """
    if column.source is None or column.source not in texts:
        if column.constant is None:
            return pa.nulls(rows, ARROW_TYPES[column.type]), np.zeros(rows, np.bool_)
        value, bad = parse(pa.array([column.constant]), column.type, time_zone)
        if bad[0]:
            raise ValueError(f"the constant {column.constant!r} of column {column.target} is no {column.type}")
        return value.take(pa.array(np.zeros(rows, np.int32))), np.zeros(rows, np.bool_)
    text = texts[column.source]
    if column.values is None:
        return parse(text, column.type, time_zone)
    if "" in column.values:
        text = pc.fill_null(text, "")
    codes = pa.array(list(column.values))
    place = pc.index_in(text, codes)
    values, bad = parse(pa.array(list(column.values.values()), pa.string()).take(place), column.type, time_zone)
    unlisted = pc.and_(place.is_null(), text.is_valid()).to_numpy(zero_copy_only=False)
    return values, bad | unlisted


def _read(file: Delimited, sources: Sequence[str]) -> pa.Table:
    types = dict.fromkeys(sources, pa.string())
    return read_columns(file, file.body, types, newlines_in_values=True).combine_chunks()


# -- personal values --------------------------------------------------------------------------------------------------


def _check_ciphers(feed: Feed, pseudonymise: Cipher | None, encrypt: Cipher | None) -> None:
    kinds = {c.personal for c in feed.columns if c.personal}
    if ("customer_no" in kinds and pseudonymise is None) or (kinds - {"free_text"} and encrypt is None):
        raise ValueError(f"feed {feed.name} has personal columns: read_table needs pseudonymise and encrypt")


def _personal(
    column: FeedColumn,
    texts: Mapping[str, pa.Array],
    feed: Feed,
    rows: int,
    pseudonymise: Cipher | None,
    encrypt: Cipher | None,
) -> dict[str, pa.Array]:
    text = texts.get(column.source or "", pa.nulls(rows, pa.string()))
    if column.personal == "free_text":
        others = [c for c in feed.columns if c.personal not in {None, "free_text"} and c.source in texts]
        return {column.target: mask_text(text, {str(c.personal): texts[str(c.source)] for c in others})}
    assert encrypt is not None
    if column.personal != "customer_no":
        return {f"{column.target}_encrypted": encrypt(text)}
    assert pseudonymise is not None
    return {"customer_key": pseudonymise(text), "customer_no_encrypted": encrypt(text)}


# -- unpivot ----------------------------------------------------------------------------------------------------------


def _unpivot(
    feed: Feed, texts: Mapping[str, pa.Array], rows: int
) -> tuple[npt.NDArray[np.int64], dict[str, pa.Array], dict[str, Bools]]:
    """The row of the file of each value present, its code and value, and which values could not be read."""
    assert feed.unpivot is not None
    if not (feed.unpivot_key and feed.unpivot_value):
        raise ValueError(f"feed {feed.name}: unpivot needs unpivot_key and unpivot_value")
    parsed = {source: parse(texts[source], "double") for source in feed.unpivot}
    present = np.stack([texts[source].is_valid().to_numpy(zero_copy_only=False) for source in feed.unpivot], axis=1)
    # a row without any value becomes one row without key
    nothing = ~present.any(axis=1)
    chosen, place = np.nonzero(np.column_stack([present, nothing]))
    codes = pa.array([*feed.unpivot.values(), None], pa.string())
    values = pa.concat_arrays([*(value for value, _ in parsed.values()), pa.nulls(rows, pa.float64())])
    bad = {source: flags[chosen] & (place == n) for n, (source, (_, flags)) in enumerate(parsed.items())}
    columns = {
        feed.unpivot_key: codes.take(pa.array(place)),
        feed.unpivot_value: values.take(pa.array(place * rows + chosen)),
    }
    return chosen.astype(np.int64), columns, bad
