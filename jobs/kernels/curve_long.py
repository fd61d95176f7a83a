"""Reader `curve_long`: a delimited file, one row a meter and interval."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from jobs.kernels.delimited import Delimited, extra_columns, missing_columns, open_delimited, pieces, read_columns
from jobs.kernels.interval_rows import Ints
from jobs.kernels.long_rows import LongRows
from jobs.kernels.table_csv import declared_columns, required_columns
from schemas.feed import Feed

_PIECE_BYTES = 12 * 1024**2
# of what most rows repeat, each different text is looked at once
_TEXT = pa.dictionary(pa.int32(), pa.string())


def iter_long(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Meter days of the file, in pieces of some 20,000, each with the columns that are not declared.

    Grain: a local date of a series, as which all rows count that are alike in the declared columns other than
    `interval_at`, `value` and `quality`; and one row without read_date and curve for each row of the file which cannot
    be placed (its stamp, its meter or another declared column cannot be read). Columns as `curve_wide` gives them, and
    read_date. At least one piece, also without rows. BadFile as the parts say.
    """
    file = open_delimited(data, name, feed)
    if problem := missing_columns(file, required_columns(feed)):
        raise problem
    declared = declared_columns(feed)
    extra = extra_columns(file, declared)
    value = next(str(column.source) for column in feed.columns if column.target == "value")
    sources = [column for column in declared if column in file.header]
    rows = LongRows(name, feed)
    first = 1
    for piece in pieces(file.body, _PIECE_BYTES):
        columns = _columns(file, piece, sources, value, first)
        rows.add(columns, _Raw(file, piece, sources))
        first += len(columns[value])
    for table in rows.days():
        yield table, extra


def _columns(file: Delimited, body: pa.Buffer, sources: list[str], value: str, first: int) -> dict[str, pa.Array]:
    """The columns of a piece, the values as numbers where all of them are, else as texts."""
    texts: dict[str, pa.DataType] = dict.fromkeys(sources, _TEXT)
    try:
        table = read_columns(file, body, texts | {value: pa.float64()}, first_row=first)
        numbers = table.column(value)
        # Arrow reads the words nan and inf as numbers
        if np.count_nonzero(np.isfinite(numbers.to_numpy())) != len(numbers) - numbers.null_count:
            table = read_columns(file, body, texts, first_row=first)
    except pa.ArrowInvalid:
        table = read_columns(file, body, texts, first_row=first)
    return {source: _whole(table.column(source)) for source in sources}


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return (column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column).combine_chunks()


class _Raw:
    """The texts of some rows of a piece, as written: read again when they are asked for."""

    def __init__(self, file: Delimited, body: pa.Buffer, sources: list[str]) -> None:
        self._file, self._body, self._sources = file, body, sources

    def __call__(self, places: Ints) -> pa.Table:
        texts: dict[str, pa.DataType] = dict.fromkeys(self._sources, pa.string())
        return read_columns(self._file, self._body, texts).take(pa.array(places)).combine_chunks()
