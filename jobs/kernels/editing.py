"""Meter days some of whose intervals a person entered."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from jobs.kernels.curve_columns import Counts, curve_columns
from jobs.kernels.curve_wide import point_columns
from schemas.feed import Feed
from schemas.quality_codes import EDITED


def edited_days(rows: pa.Table, feed: Feed, kwh: Mapping[int, float | None]) -> pa.Table:
    """The rows with these intervals (from 0, None for missing) set in each, and all that is counted in a curve.

    Columns as a reader of curves gives them. What a person entered has the quality EDITED, the rest keeps its own. An
    entered interval is not unreadable any more.
    """
    return pa.concat_tables([_edited(rows.slice(n, 1), feed, kwh) for n in range(rows.num_rows)] or [rows])


def _edited(row: pa.Table, feed: Feed, kwh: Mapping[int, float | None]) -> pa.Table:
    (curve,), (codes,) = row.column("kwh").to_pylist(), row.column("quality").to_pylist()
    values = np.array([np.nan if value is None else value for value in curve], dtype=np.float64)[:, None]
    quality = np.array(codes, dtype=np.int8)[:, None]
    for interval, value in kwh.items():
        values[interval] = np.nan if value is None else value
        quality[interval] = EDITED
    counts = Counts(*(np.array(row.column(n).to_pylist()) for n in ("conflict_count", "surplus_count", "source_rows")))
    made = curve_columns(values, row.column("interval_minutes")[0].as_py(), counts, quality)
    entered = _headers(feed, kwh)
    unreadable = [name for name in row.column("unreadable")[0].as_py() or () if name not in entered]
    made["unreadable"] = pa.array([unreadable], pa.list_(pa.string()))
    for name, values_of_row in made.items():
        place = row.schema.get_field_index(name)
        row = row.set_column(place, row.schema.field(place), values_of_row.cast(row.schema.field(place).type))
    return row


def _headers(feed: Feed, kwh: Mapping[int, float | None]) -> set[str | None]:
    """Source columns of the intervals; where all intervals are in one column, that one."""
    if feed.reader == "curve_wide":
        points = point_columns(feed.curve)
        return {points[interval] for interval in kwh if interval < len(points)}
    return {column.source for column in feed.columns if column.target == "kwh"}
