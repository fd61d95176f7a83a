"""From a long frame to one matrix, customer by day: the shape in which features of 10^6 rows cost seconds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

NO_CLASS = "unknown"


@dataclass(frozen=True)
class Panel:
    """Daily kWh of customers: `values[customer, day]`, NaN where the day is not known (never 0 for unknown).

    ids: customers, ascending. first_day: the date of column 0. usage_class and place: one text per customer.
    """

    ids: npt.NDArray[np.object_]
    first_day: np.datetime64
    values: Floats
    usage_class: npt.NDArray[np.object_]
    place: npt.NDArray[np.object_]

    @property
    def last_day(self) -> np.datetime64:
        """The date of the last column."""
        return self.first_day + np.timedelta64(self.values.shape[1] - 1, "D")

    def window(self, last: np.datetime64, length: int) -> Floats:
        """`length` days which end with `last`, shape (customers, length); NaN outside the panel.

        The shape never depends on what the panel holds, so that a customer's numbers are the same in any company.
        """
        out = np.full((len(self.ids), length), np.nan)
        stop = int((last - self.first_day).astype(int)) + 1
        start = stop - length
        low, high = max(start, 0), min(stop, self.values.shape[1])
        if low < high:
            out[:, low - start : high - start] = self.values[:, low:high]
        return out


def as_day(value: dt.date | np.datetime64 | str) -> np.datetime64:
    """Calendar date as numpy's day."""
    day: np.datetime64 = np.datetime64(value).astype("datetime64[D]")
    return day


def panel_of(history: pd.DataFrame, until: np.datetime64 | None = None) -> Panel:
    """Panel of a long frame (unique_id, ds, y and optionally usage_class, place), rows in any order.

    Rows after `until` are not looked at. A customer's class and place are those of its last row. Raises ValueError for
    a missing column or for two rows of one customer and day.
    """
    missing = {"unique_id", "ds", "y"} - set(history.columns)
    if missing:
        raise ValueError(f"history lacks the columns {sorted(missing)}; it needs unique_id, ds and y")
    days = history["ds"].to_numpy().astype("datetime64[D]")
    keep = np.ones(len(days), dtype=bool) if until is None else days <= until
    days = days[keep]
    if days.size == 0:
        empty = np.array([], dtype=object)
        return Panel(empty, until or np.datetime64("1970-01-01", "D"), np.empty((0, 0)), empty, empty)
    # factorize is a hash pass: sorting the few distinct ids afterwards is far cheaper than sorting all rows
    codes, found = pd.factorize(history["unique_id"].to_numpy(dtype=object)[keep])
    order = np.argsort(np.asarray(found, dtype=object), kind="stable")
    ids = np.asarray(found, dtype=object)[order]
    row = np.empty(len(order), dtype=np.int64)
    row[order] = np.arange(len(order))
    row = row[codes]
    first_day = days.min()
    column = (days - first_day).astype(np.int64)
    width = int(column.max()) + 1
    values = np.full((len(ids), width), np.nan)
    cells = row * width + column
    counts = np.bincount(cells)
    if counts.max() > 1:
        cell = int(np.argmax(counts > 1))
        raise ValueError(f"history holds more than one row of {ids[cell // width]} on {first_day + cell % width}")
    values[row, column] = history["y"].to_numpy(dtype=np.float64, na_value=np.nan)[keep]
    values[~np.isfinite(values)] = np.nan
    return Panel(
        ids=ids,
        first_day=first_day,
        values=values,
        usage_class=_last_text(history, "usage_class", keep, row, column, len(ids)),
        place=_last_text(history, "place", keep, row, column, len(ids)),
    )


def _last_text(
    history: pd.DataFrame,
    name: str,
    keep: npt.NDArray[np.bool_],
    row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    customers: int,
) -> npt.NDArray[np.object_]:
    """Text of `name` on each customer's last day which states one."""
    out = np.full(customers, NO_CLASS, dtype=object)
    if name not in history.columns:
        return out
    codes, texts = pd.factorize(history[name].to_numpy(dtype=object)[keep])
    order = np.lexsort((column, row))
    order = order[codes[order] >= 0]
    # later assignments win, and the order is by day within the customer
    out[row[order]] = np.asarray(texts, dtype=object)[codes[order]]
    return out
