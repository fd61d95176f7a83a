"""Reader `curve_parquet`: a Parquet file, one row a meter and interval, its columns typed or texts."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.delimited import extra_columns
from jobs.kernels.files import BadFile
from jobs.kernels.interval_rows import Ints
from jobs.kernels.long_rows import LongRows
from jobs.kernels.parquet_files import ParquetRows
from jobs.kernels.table_csv import declared_columns, required_columns
from schemas.feed import Feed

_ROWS = 256 * 1024


def iter_curve_parquet(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Meter days as `iter_long` gives them.

    Where the column of `interval_at` holds instants, `stamps` and `stamp_format` are not needed; where it holds times
    without zone, `stamps` says which clock they are of.
    """
    file = ParquetRows(data, name, declared_columns(feed), required_columns(feed))
    targets = {column.target: str(column.source) for column in feed.columns}
    stamp, value = targets["interval_at"], targets["value"]
    kind = file.types[stamp]
    if pa.types.is_timestamp(kind):
        if not kind.tz and feed.curve.stamps == "offset":
            raise BadFile(name, "its times have no offset", "set stamps of the feed to utc or local", column=stamp)
        stamps = "utc" if kind.tz else feed.curve.stamps
        feed = replace(feed, curve=replace(feed.curve, stamps=stamps, stamp_format=None))
    rows = LongRows(name, feed)
    for batch in file.batches(_ROWS):
        texts = {source: file.texts(batch.column(source), source) for source in file.sources}
        rows.add(texts | {value: _numbers(batch.column(value), texts[value])}, _Raw(file, texts))
    extra = extra_columns(file.header, file.sources)
    for table in rows.days():
        yield table, extra


def _numbers(column: pa.ChunkedArray, texts: pa.DictionaryArray) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64(), safe=False).combine_chunks()
    return texts


class _Raw:
    """The texts of some rows of a batch."""

    def __init__(self, file: ParquetRows, texts: dict[str, pa.DictionaryArray]) -> None:
        self._file, self._texts = file, texts

    def __call__(self, places: Ints) -> pa.Table:
        return self._file.written_out({source: texts.take(pa.array(places)) for source, texts in self._texts.items()})
