"""Reader `curve_wide`: one row a meter and date, one column an interval -> arrays of kWh and quality, with metrics."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.curve_metrics import METRIC_COLUMNS, curve_metrics
from jobs.kernels.delimited import check_columns, check_end, decoded, header_of, read_columns
from jobs.kernels.files import BadFile
from jobs.kernels.table_csv import explained, typed_values
from schemas.feed import Feed, FeedColumn
from schemas.quality_codes import MEASURED, MISSING

__all__ = ["METRIC_COLUMNS", "iter_curves"]

# rows given on at once
BATCH_ROWS = 20_000
_DAY = 24 * 60


def iter_curves(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Rows of a file in pieces, each with the names of columns which are not declared. BadFile where it is none.

    Columns: the declared ones, interval_minutes, kwh (list<float32>, null = missing), quality (list<int8>), total_kwh,
    measured_count, estimated_count, missing_count, the metric columns, unreadable, raw_values, source_file, source_row.
    The order of the columns in the file does not matter: points go by the clock time in their name.
    """
    text = decoded(data, name, feed)
    names = header_of(text, name, feed)
    declared = [c.source for c in feed.columns if c.source is not None and not c.optional]
    optional = [c.source for c in feed.columns if c.optional and c.source in names]
    points = point_columns([n for n in names if n not in declared and n not in optional], name, feed)
    extra = check_columns(names, [*declared, *points, *optional], name, feed)
    check_end(text, len(names), name, feed)
    head = {n: pa.string() for n in [*declared, *optional] if n is not None}
    try:
        raw = read_columns(text, names, head | dict.fromkeys(points, pa.float32()), name, feed, quoted=False)
        texts = None
    except pa.ArrowInvalid:
        # somewhere stands text in a number: read everything as text and find out where
        raw = read_columns(text, names, head | dict.fromkeys(points, pa.string()), name, feed, quoted=False)
        texts = points
    for start in range(0, max(raw.num_rows, 1), BATCH_ROWS):
        yield _piece(raw.slice(start, BATCH_ROWS).combine_chunks(), texts, points, start, name, feed), extra


def point_columns(names: Sequence[str], name: str, feed: Feed) -> list[str]:
    """The columns of the day's intervals in the order of the day. BadFile unless each interval has exactly one."""
    curve = feed.curve
    count = _DAY // curve.interval_minutes
    shift = 1 if curve.label == "end" else 0
    found: dict[int, str] = {}
    for column in names:
        minute = _minute(column, curve.point_format)
        if minute is None:
            continue
        if curve.label == "end" and minute == 0:
            minute = _DAY
        if minute % curve.interval_minutes:
            raise BadFile(name, f"point {column} is not a multiple of {curve.interval_minutes} minutes", _declare(feed))
        found[minute // curve.interval_minutes - shift] = column
    missing = [i for i in range(count) if i not in found]
    if missing:
        problem = f"{count - len(missing)} of {count} points of a day have a column of the form {curve.point_format}"
        raise BadFile(name, problem, _declare(feed))
    return [found[i] for i in range(count)]


def _declare(feed: Feed) -> str:
    return f"declare `curve` of the feed {feed.name} (interval_minutes, label, point_format) as the source sends it"


def _minute(column: str, form: str) -> int | None:
    """Minute of the day a column is named by; 24:00 is the end of the day."""
    day_end = datetime(2000, 1, 1) + timedelta(days=1)  # noqa: DTZ001 - a clock time, of no date and zone
    if column == day_end.strftime(form).replace("00", "24", 1):
        return _DAY
    try:
        time = datetime.strptime(column, form)  # noqa: DTZ007 - a clock time
    except ValueError:
        return None
    return time.hour * 60 + time.minute


def _piece(raw: pa.Table, texts: list[str] | None, points: list[str], start: int, name: str, feed: Feed) -> pa.Table:
    count = raw.num_rows
    failed: dict[str, npt.NDArray[np.bool_]] = {}
    columns: dict[str, pa.Array] = {}
    written: dict[str, pa.Array] = {}
    for column in feed.columns:
        if column.source is None or column.source not in raw.column_names:
            values = pa.array([column.constant] * count, pa.string())
        else:
            values = pc.utf8_trim_whitespace(raw.column(column.source).combine_chunks())
            values = pc.if_else(pc.equal(values, ""), None, values)
            written[column.source] = values
        columns[column.target], bad = typed_values(values, column, feed)
        if column.source is not None:
            failed[column.source] = bad
    matrix = np.empty((len(points), count), dtype=np.float32)
    for i, point in enumerate(points):
        if texts is None:
            values = raw.column(point)
            matrix[i] = values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy()
            bad = ~np.isfinite(matrix[i]) & _valid(values)
        else:
            trimmed = pc.utf8_trim_whitespace(raw.column(point).combine_chunks())
            trimmed = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
            typed, bad = typed_values(trimmed, FeedColumn(point, point, "double"), feed)
            matrix[i] = typed.to_numpy(zero_copy_only=False)
            written[point] = trimmed
        if bad.any():
            matrix[i][bad] = np.nan
            failed[point] = bad
            written.setdefault(point, pc.cast(raw.column(point).combine_chunks(), pa.string()))
    kwh = np.ascontiguousarray(matrix.T) * np.float32(_factor(feed))
    unreadable, raw_values = explained(failed, {n: written[n] for n in written if n in failed or n not in points}, count)
    return pa.table(
        {
            **columns,
            **curve_columns(kwh, feed.curve.interval_minutes),
            "unreadable": unreadable,
            "raw_values": raw_values,
            "source_file": pa.array([name] * count, pa.string()),
            "source_row": pa.array(np.arange(start + 1, start + count + 1)),
        }
    )


def _valid(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return values.is_valid().to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.is_valid().to_numpy()


def _factor(feed: Feed) -> float:
    """From what is written to kWh: average power over the interval is energy x 60 / minutes."""
    return feed.curve.scale * (feed.curve.interval_minutes / 60 if feed.curve.unit == "kW" else 1.0)


def curve_columns(kwh: npt.NDArray[np.float32], interval_minutes: int) -> dict[str, pa.Array]:
    """Columns of a block of curves (n x p, NaN = missing): arrays, counts and metrics."""
    count, points = kwh.shape
    missing = np.isnan(kwh)
    missing_count = missing.sum(axis=1, dtype=np.int32)
    offsets = pa.array(np.arange(0, count * points + 1, points, dtype=np.int32))
    quality = np.where(missing, np.int8(MISSING), np.int8(MEASURED))
    total = np.nansum(kwh, axis=1, dtype=np.float64)
    metrics = curve_metrics(kwh)
    return {
        "interval_minutes": pa.array(np.full(count, interval_minutes, dtype=np.int32)),
        "kwh": pa.ListArray.from_arrays(offsets, pa.array(kwh.ravel(), mask=missing.ravel())),
        "quality": pa.ListArray.from_arrays(offsets, pa.array(quality.ravel())),
        "total_kwh": pa.array(total, mask=missing_count == points),
        "measured_count": pa.array(points - missing_count),
        "estimated_count": pa.array(np.zeros(count, dtype=np.int32)),
        "missing_count": pa.array(missing_count),
        **{n: pa.array(metrics[n], mask=np.isnan(metrics[n]) if k == "float" else None) for n, k in METRIC_COLUMNS},
    }
