"""Readers of delivered files by the name which a feed declares: bytes in, typed Arrow tables out."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa

from jobs.kernels.curve_columns import METRIC_COLUMNS
from jobs.kernels.curve_long import iter_long
from jobs.kernels.curve_parquet import iter_curve_parquet
from jobs.kernels.curve_wide import iter_curves
from jobs.kernels.editing import edited_days
from jobs.kernels.files import BadFile, open_bytes
from jobs.kernels.green_button import iter_green_button
from jobs.kernels.nem12 import iter_nem12
from jobs.kernels.nem13 import METRIC_COLUMNS as NEM13_COLUMNS
from jobs.kernels.nem13 import iter_nem13
from jobs.kernels.pseudonyms import customer_keys, encrypt_values
from jobs.kernels.table_csv import read_table
from jobs.kernels.table_parquet import iter_table_parquet
from schemas.feed import CURVE_READERS, Feed

# readers of files in which nothing is personal
_WITHOUT_PERSONAL: dict[str, Callable[[bytes, str, Feed], Iterator[tuple[pa.Table, list[str]]]]] = {
    "curve_wide": iter_curves,
    "curve_long": iter_long,
    "curve_parquet": iter_curve_parquet,
    "nem12": iter_nem12,
    "nem13": iter_nem13,
    "green_button": iter_green_button,
}


class Readers:
    """The readers as the runtime asks for them; knows which errors are the file's fault."""

    def metric_columns(self, reader: str) -> Sequence[tuple[str, str]]:
        """Columns (name, "int" or "float") which a reader adds for the rules."""
        if reader == "nem13":
            return NEM13_COLUMNS
        return METRIC_COLUMNS if reader in CURVE_READERS else ()

    def read(
        self, data: bytes, name: str, feed: Feed, pseudonym_key: bytes, vault_key: bytes
    ) -> Iterator[tuple[pa.Table, list[str]]]:
        """Rows of a file in pieces, each with the names of columns which are not declared. BadFile if it is none."""

        def pseudonymise(values: pa.Array) -> pa.Array:
            return customer_keys(values, pseudonym_key)

        def encrypt(values: pa.Array) -> pa.Array:
            return encrypt_values(values, vault_key)

        plain = open_bytes(data, name)
        if feed.reader in _WITHOUT_PERSONAL:
            yield from _WITHOUT_PERSONAL[feed.reader](plain, name, feed)
        elif feed.reader == "table_csv":
            yield read_table(plain, name, feed, pseudonymise, encrypt)
        elif feed.reader == "table_parquet":
            yield from iter_table_parquet(plain, name, feed, pseudonymise, encrypt)
        else:
            raise ValueError(f"feed {feed.name}: no reader is called {feed.reader}")

    def edited(self, rows: pa.Table, feed: Feed, kwh: Mapping[int, float | None]) -> pa.Table:
        """Meter days with intervals (from 0) as a person entered them, None for missing, and all that follows."""
        return edited_days(rows, feed, kwh)

    def problem(self, error: Exception) -> str | None:
        """What is wrong with the file, for a person; None when the error is not the file's fault."""
        return str(error) if isinstance(error, BadFile) else None


READERS = Readers()
