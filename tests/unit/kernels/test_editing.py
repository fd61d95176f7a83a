"""Intervals which a person entered."""

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels.curve_columns import Counts, curve_columns
from jobs.kernels.editing import edited_days
from schemas.feed import Curve, Feed, FeedColumn

FEED = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="curve_wide",
    columns=(FeedColumn("meter_id", "meter"),),
    curve=Curve(interval_minutes=360),
)


def _days(*curves: list[float | None], unreadable: list[str]) -> pa.Table:
    kwh = np.array([[np.nan if value is None else value for value in curve] for curve in curves]).T
    columns = curve_columns(kwh, 360, Counts.one_row_each(len(curves)))
    return pa.table(
        {
            "meter_id": pa.array([f"m{n}" for n in range(len(curves))]),
            **columns,
            "unreadable": pa.array([unreadable] * len(curves), pa.list_(pa.string())),
        }
    )


def test_what_is_entered_is_edited_and_all_counts_follow() -> None:
    rows = _days([1.0, None, -3.0, 4.0], [1.0, 1.0, 1.0, 1.0], unreadable=["1200", "meter"])
    first, second = edited_days(rows, FEED, {1: 2.0, 2: 3.0, 3: None}).to_pylist()
    assert (first["kwh"], first["quality"]) == ([1.0, 2.0, 3.0, None], [1, 9, 9, 0])
    assert (first["total_kwh"], first["measured_count"], first["missing_count"]) == (6.0, 1, 1)
    assert first["negative_count"] == 0
    assert first["unreadable"] == ["meter"]
    assert (second["meter_id"], second["quality"], second["total_kwh"]) == ("m1", [1, 9, 9, 0], 6.0)
    assert edited_days(rows, FEED, {}).schema == rows.schema


def test_days_of_different_lengths_are_edited_side_by_side() -> None:
    rows = pa.concat_tables([_days([1.0, 1.0], unreadable=[]), _days([1.0, 1.0, 1.0], unreadable=[])])
    edited = edited_days(rows, FEED, {1: 5.0}).to_pylist()
    assert [row["total_kwh"] for row in edited] == [6.0, 7.0]
    with pytest.raises(IndexError):
        edited_days(rows, FEED, {2: 5.0})
