"""Reader `table_parquet`: a Parquet file, one row a record, its columns typed or texts, read as `table_csv` reads."""

from collections.abc import Iterator

import pyarrow as pa

from jobs.kernels.delimited import extra_columns
from jobs.kernels.parquet_files import ParquetRows
from jobs.kernels.table_csv import Cipher, declared_columns, required_columns, typed_rows
from schemas.feed import Feed

_ROWS = 20_000


def iter_table_parquet(
    data: bytes, name: str, feed: Feed, pseudonymise: Cipher | None = None, encrypt: Cipher | None = None
) -> Iterator[tuple[pa.Table, list[str]]]:
    """Rows of the file in pieces of some 20,000, each with the columns that are not declared.

    Columns as `typed_rows` gives them; the date of an instant is the local one. BadFile as the parts say.
    """
    file = ParquetRows(data, name, declared_columns(feed), required_columns(feed))
    zone = feed.time_zone or "UTC"
    dates = {column.source for column in feed.columns if column.type == "date"}
    extra = extra_columns(file.header, file.sources)
    first = 1
    for batch in file.batches(_ROWS):
        texts = {s: file.texts(batch.column(s), s, zone if s in dates else None) for s in file.sources}
        rows = typed_rows(file.written_out(texts), first, name, feed, pseudonymise, encrypt)
        yield rows, extra
        first += batch.num_rows
