"""Meter days beside each other: what the dials and curves of the dates around a day say of it, without a join.

The days of a meter come sorted, so its neighbours are a search away. Which dates are looked at: the dials at the
midnights which end the second date before, the date before, the date itself and the next; the curves of the date before
and of the next.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.arrow_numbers import floats
from jobs.kernels.sorted_meters import starts_of_meters, whole_meters
from jobs.kernels.tou_periods import PERIODS

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CODES = ("total", *PERIODS)

AROUND = pa.schema(
    [
        # energy of the date by its dials, dial kWh; what the source states of the total comes first
        ("register_kwh", pa.float64()),
        *((f"register_{period}_kwh", pa.float64()) for period in PERIODS),
        # the total at the four midnights
        ("dial_before_last_kwh", pa.float64()),
        ("dial_before_kwh", pa.float64()),
        ("dial_after_kwh", pa.float64()),
        ("dial_after_next_kwh", pa.float64()),
        ("is_rolled_over", pa.bool_()),
        # when the later of the two readings which bound the date was known
        ("register_received_at", pa.timestamp("us", "UTC")),
        # energy of the dates beside it, where their curves are complete
        ("day_before_kwh", pa.float64()),
        ("day_after_kwh", pa.float64()),
        # the intervals which touch the date at its midnights
        ("edge_before_kwh", pa.float64()),
        ("edge_after_kwh", pa.float64()),
    ]
)
# what is read here and not handed on
_READ_ONLY = (*(f"dial_{code}_kwh" for code in CODES), "stated_kwh", "dial_received_at", "is_made", "missing_count")

# keys of two meters lie further apart than any two dates
_DATES_APART = 10_000_000
# no dial has fewer whole digits; below that a falling reading is a mistake and not a roll-over
_FEWEST_DIGITS = 4
# a dial rolls over from its last tenth into its first: any other fall is an exchanged or misread dial
_NEAR_TOP, _NEAR_ZERO = 0.9, 0.1


def days_around(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The days with `is_made`, with `AROUND`, of batches sorted by meter_id and read_date.

    A row is a meter and a date: interval_minutes, kwh, total_kwh, missing_count of its curve; dial_<code>_kwh at the
    midnight which ends it, stated_kwh (the energy which the source states with the total), dial_received_at; anything
    null where it was not sent. Other columns are handed on. Beside a date that is made stand two before it and the one
    after: ValueError where they do not, as what they say would be lost in silence.
    """
    for table in whole_meters(batches):
        made = pc.fill_null(table.column("is_made"), False)
        rows = np.flatnonzero(made.to_numpy().astype(np.bool_))
        if rows.size:
            yield _with_around(table.combine_chunks(), rows)


def _with_around(table: pa.Table, rows: Ints) -> pa.RecordBatch:
    place = _Places(table, rows)
    if any((place.find(days) < 0).any() for days in (-2, -1, 1)):
        raise ValueError("the dates beside a meter's date are in another partition: see REQUIRED_CONF in session.py")
    total = {n: place.at(n, table.column("dial_total_kwh")) for n in (-2, -1, 0, 1)}
    stated = floats(table.column("stated_kwh"))[rows]
    moved = dial_moved(total[-1], total[0])
    complete = np.where(
        floats(table.column("missing_count")) == 0, floats(table.column("total_kwh")), np.nan
    )  # unknown counts as unequal to 0
    columns: dict[str, pa.Array] = {
        "register_kwh": _array(np.where(np.isnan(stated), moved, stated)),
        **{
            f"register_{period}_kwh": _array(
                dial_moved(
                    place.at(-1, table.column(f"dial_{period}_kwh")), place.at(0, table.column(f"dial_{period}_kwh"))
                )
            )
            for period in PERIODS
        },
        "dial_before_last_kwh": _array(total[-2]),
        "dial_before_kwh": _array(total[-1]),
        "dial_after_kwh": _array(total[0]),
        "dial_after_next_kwh": _array(total[1]),
        "is_rolled_over": pa.array(~np.isnan(moved) & (total[0] < total[-1])),
        "register_received_at": _later(place, table.column("dial_received_at")),
        "day_before_kwh": _array(place.of(-1, complete)),
        "day_after_kwh": _array(place.of(1, complete)),
        "edge_before_kwh": _array(place.of(-1, _edges(table.column("kwh"), last=True))),
        "edge_after_kwh": _array(place.of(1, _edges(table.column("kwh"), last=False))),
    }
    taken = table.take(pa.array(rows)).combine_chunks()
    kept = [name for name in taken.column_names if name not in _READ_ONLY]
    fields = [taken.schema.field(name) for name in kept]
    arrays = [taken.column(name).combine_chunks() for name in kept]
    made = [columns[field.name] for field in AROUND]
    return pa.RecordBatch.from_arrays([*arrays, *made], schema=pa.schema([*fields, *AROUND]))


class _Places:
    """Where the dates beside some rows of a table stand, of the same meter."""

    def __init__(self, table: pa.Table, rows: Ints) -> None:
        starts = starts_of_meters(table)
        meter = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        day = table.column("read_date").combine_chunks().cast(pa.int32()).to_numpy().astype(np.int64)
        self._keys = meter * _DATES_APART + day
        self._rows = rows

    def find(self, days: int) -> Ints:
        """(rows,) where the date so many days later stands; -1 where it does not."""
        wanted = self._keys[self._rows] + days
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, at, -1)

    def of(self, days: int, values: Floats) -> Floats:
        """(rows,) the values of these dates, NaN where there is none."""
        at = self.find(days)
        return np.where(at >= 0, values[at], np.nan)

    def at(self, days: int, column: pa.ChunkedArray) -> Floats:
        return self.of(days, floats(column))


def dial_moved(before: Floats, after: Floats) -> Floats:
    """How far a dial moved, with at most one roll-over at a power of ten; NaN where it moved back otherwise."""
    digits = np.maximum(np.floor(np.log10(np.maximum(before, 1.0))) + 1, _FEWEST_DIGITS)
    top = 10.0**digits
    rolled_over = (before >= top * _NEAR_TOP) & (after <= top * _NEAR_ZERO)
    return np.where(after >= before, after - before, np.where(rolled_over, after - before + top, np.nan))


def _later(place: _Places, column: pa.ChunkedArray) -> pa.Array:
    """Of the instants of a date and of the one before the later one, null passed over."""
    instant = pa.timestamp("us", "UTC")
    at = column.combine_chunks().cast(instant).cast(pa.int64())
    both: Sequence[pa.Array] = [at.take(pa.array(found, mask=found < 0)) for found in map(place.find, (-1, 0))]
    return pc.max_element_wise(*both).cast(instant)


def _edges(curves: pa.ChunkedArray, *, last: bool) -> Floats:
    """(rows,) the last or first value of each curve; NaN without one."""
    lists = curves.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    ends = np.cumsum(lengths)
    out = np.full(len(lengths), np.nan)
    known = lengths > 0
    out[known] = values[(ends - 1 if last else ends - lengths)[known]]
    return out


def _array(values: Floats) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))
