"""Customer days added up to months, exactly: whole millionths, so that the sum is the same in any order of the rows."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# column of a day -> its sum
SUMMED = {
    **{name: name for name in ("kwh", "kwh_sharp", "kwh_peak", "kwh_flat", "kwh_valley")},
    "completeness": "completeness_sum",
    "estimated_share": "estimated_sum",
}
_MILLION = 1e6
# partial sums are brought together when there are so many
_MOST_PARTIAL = 200_000

MONTH_SUMS = pa.schema(
    [
        ("customer_key", pa.string()),
        ("month", pa.string()),
        ("days_known", pa.int64()),
        ("dates_with_row", pa.int64()),
        *((name, pa.float64()) for name in SUMMED.values()),
        ("peak_kw", pa.float64()),
        ("sum_check_failed_days", pa.int64()),
        ("days_known_at", pa.timestamp("us", tz="UTC")),
    ]
)
_KEY = ["customer_key", "month"]
_COUNTS = ("days_known", "dates_with_row", "sum_check_failed_days")
_LATEST = ("peak_kw", "days_known_at")


def month_sums(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A customer and a month, as `MONTH_SUMS`.

    A batch is of days: customer_key, usage_date, `SUMMED`, peak_kw, sum_check, available_at; all batches together hold
    all days of a customer. days_known are dates with energy, dates_with_row all; a sum is null where nothing is known.
    days_known_at is when the last of the days became known.
    """
    partial: list[pa.Table] = []
    waiting = 0
    for batch in batches:
        if batch.num_rows:
            partial.append(_added(_prepared(batch)))
            waiting += partial[-1].num_rows
        if waiting > _MOST_PARTIAL:
            partial = [_added(pa.concat_tables(partial))]
            waiting = 0
    if partial:
        yield from _finished(_added(pa.concat_tables(partial))).to_batches()


def _prepared(batch: pa.RecordBatch) -> pa.Table:
    """A row a day, as if it were a month."""
    kwh = batch.column("kwh")
    is_failed = pc.fill_null(pc.equal(batch.column("sum_check"), "failed"), False)
    columns = {
        "customer_key": batch.column("customer_key").cast(pa.string()),
        "month": pc.strftime(batch.column("usage_date"), "%Y-%m"),
        "days_known": pc.is_valid(kwh).cast(pa.int64()),
        "dates_with_row": pa.array(np.ones(batch.num_rows, np.int64)),
        "sum_check_failed_days": is_failed.cast(pa.int64()),
        **{added: _millionths(batch.column(name)) for name, added in SUMMED.items()},
        "peak_kw": batch.column("peak_kw").cast(pa.float64()),
        "days_known_at": batch.column("available_at").cast(MONTH_SUMS.field("days_known_at").type),
    }
    return pa.table(columns)


def _millionths(column: pa.Array) -> pa.Array:
    return pc.round(pc.multiply(column.cast(pa.float64()), _MILLION)).cast(pa.int64())


def _added(rows: pa.Table) -> pa.Table:
    """The rows of a key together."""
    wanted = {**dict.fromkeys((*_COUNTS, *SUMMED.values()), "sum"), **dict.fromkeys(_LATEST, "max")}
    added = rows.group_by(_KEY, use_threads=False).aggregate(list(wanted.items()))
    return added.select([*_KEY, *(f"{name}_{how}" for name, how in wanted.items())]).rename_columns([*_KEY, *wanted])


def _finished(months: pa.Table) -> pa.Table:
    columns = [
        pc.divide(months.column(name).cast(pa.float64()), _MILLION) if name in SUMMED.values() else months.column(name)
        for name in MONTH_SUMS.names
    ]
    return pa.table(columns, schema=MONTH_SUMS)
