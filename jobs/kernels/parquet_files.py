"""Parquet as its readers meet it: bounded before it is read, and its typed columns as the texts which others send."""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from jobs.kernels.delimited import Header, missing_columns
from jobs.kernels.files import BadFile, expansion_limit

_MAGIC = b"PAR1"
# far above what a footer of a delivery needs, and not yet a load on the reader of it
_MOST_FOOTER_BYTES = 16 * 1024**2
_MOST_SCHEMA_ENTRIES = 10_000
# texts of a batch, written out: one text may stand in a dictionary and in every row
_MOST_TEXT_BYTES = 256 * 1024**2

_SMALLER = "deliver it in smaller files"
_AGAIN = "deliver the file again"


class ParquetRows:
    """The wanted columns of a Parquet file, batch by batch.

    `header` names its columns, `sources` those which are read.
    """

    def __init__(self, data: bytes, name: str, declared: Sequence[str], required: Sequence[str]) -> None:
        """BadFile where it is none, is larger than its bounds, lacks a required column, or has a nested one."""
        self._name = name
        _check_frame(data, name)
        self._file = _opened(data, name)
        schema = self._file.schema_arrow
        self.header = Header(name, tuple(schema.names), has_header=True)
        repeated = sum(count > 1 for count in Counter(schema.names).values())
        if repeated:
            raise BadFile(name, f"{repeated} names stand for several columns", "give each column a name of its own")
        if problem := missing_columns(self.header, required):
            raise problem
        self.sources = [column for column in declared if column in schema.names]
        self.types = {column: schema.field(column).type for column in self.sources}
        for column, kind in self.types.items():
            if pa.types.is_nested(kind):
                raise BadFile(name, "the column holds lists or structures", "deliver plain values", column=column)
        self._check_size(expansion_limit(data))
        # a text that repeats is kept once, however long it is
        self._file = _opened(data, name, read_dictionary=self.sources)

    def _check_size(self, limit: int) -> None:
        facts = self._file.metadata
        if facts.num_rows * len(self.sources) > limit:
            raise BadFile(self._name, f"it states {facts.num_rows} rows, more than its size can hold", _SMALLER)
        size = 0
        for group in (facts.row_group(n) for n in range(facts.num_row_groups)):
            chunks = (group.column(n) for n in range(group.num_columns))
            size += sum(max(c.total_uncompressed_size, 0) for c in chunks if c.path_in_schema in self.types)
        if size > limit:
            raise BadFile(self._name, f"it expands to more than {limit // 1024**2} MiB", _SMALLER)

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """So many rows at a time, as typed as they are; texts may be dictionaries. At least one batch."""
        if self._file.metadata.num_rows == 0:
            yield self._file.schema_arrow.empty_table().select(self.sources)
            return
        try:
            for batch in self._file.iter_batches(rows, columns=self.sources):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError):
            raise _damaged(self._name) from None

    def texts(self, column: pa.ChunkedArray, source: str, date_zone: str | None = None) -> pa.DictionaryArray:
        """The column as texts in a dictionary. Dates of instants are those in `date_zone`, where it is given."""
        whole = column.combine_chunks()
        encoded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
        try:
            texts = _as_text(encoded.dictionary, date_zone)
        except (pa.ArrowException, OSError):
            raise BadFile(
                self._name,
                f"values of the type {encoded.type.value_type} cannot be read as text",
                "deliver numbers, texts, dates or times",
                column=source,
            ) from None
        return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.int32()), texts)

    def written_out(self, columns: dict[str, pa.DictionaryArray]) -> pa.Table:
        """All rows as plain texts. BadFile where that is more than memory should hold."""
        lengths = (pc.binary_length(values.dictionary).take(values.indices) for values in columns.values())
        if sum(pc.sum(length).as_py() or 0 for length in lengths) > _MOST_TEXT_BYTES:
            raise BadFile(self._name, "its texts are longer than any table's", _SMALLER)
        return pa.table({source: values.dictionary_decode() for source, values in columns.items()})


def _as_text(values: pa.Array, date_zone: str | None) -> pa.Array:
    kind = values.type
    if pa.types.is_floating(kind):
        # what is not there is written as NaN by some programs, and whole numbers as floating ones beside it
        values = pc.if_else(pc.is_nan(values), None, values)
        is_whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**53))
        if pc.all(is_whole).as_py():
            values = values.cast(pa.int64())
    elif pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)
        if kind.tz and date_zone:
            values = pc.local_timestamp(values.cast(pa.timestamp("us", date_zone)))
    elif pa.types.is_date64(kind):
        values = values.cast(pa.date32())
    return values.cast(pa.string())


def _opened(data: bytes, name: str, **options: Any) -> parquet.ParquetFile:
    limits = {
        "thrift_string_size_limit": _MOST_FOOTER_BYTES,
        "thrift_container_size_limit": _MOST_SCHEMA_ENTRIES,
    }
    try:
        return parquet.ParquetFile(pa.BufferReader(data), **limits, **options)
    except (pa.ArrowException, OSError):
        raise _damaged(name) from None


def _check_frame(data: bytes, name: str) -> None:
    if len(data) < 12 or not data.startswith(_MAGIC) or not data.endswith(_MAGIC):
        problem = "it is cut" if data.startswith(_MAGIC) else "it is no Parquet file"
        raise BadFile(name, problem, _AGAIN)
    (footer,) = struct.unpack("<I", data[-8:-4])
    if footer > min(len(data) - 12, _MOST_FOOTER_BYTES):
        raise _damaged(name)


def _damaged(name: str) -> BadFile:
    return BadFile(name, "the Parquet file is cut, damaged or encrypted", _AGAIN)
