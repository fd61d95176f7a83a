"""What can be said against a meter day: its curve beside its registers, its neighbours and its own past.

Everything here is evidence in numbers, a column each; `expectations/validated_days.py` says what breaks which rule.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.arrow_numbers import floats
from jobs.kernels.clock import EPOCH, day_clock
from jobs.kernels.curve_hashes import curve_hashes
from jobs.kernels.tou_periods import PERIODS, TouPeriods

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_HOUR = 60
# clocks are looked for that are wrong by up to so many hours
_MOST_HOURS_SHIFTED = 6
# the share of the contradiction between periods which moving the clock must take away
_SHIFT_MUST_EXPLAIN = 0.75
_LARGEST_FACTOR = 400
# below that many units of tolerance a ratio of two energies says nothing about a factor
_FACTOR_NEEDS = 20.0
# a whole factor is one to so many parts in a thousand
_FACTOR_CLOSE = 0.002
# longer intervals than declared which meters keep
_LONGER = (2, 3, 4)
# a dial that is misread is wrong by whole digits
_CLEARLY = 10.0

# what the checks read beside the curve: see `transforms/validated_days.py`
REGISTERS = ("register_kwh", *(f"register_{period}_kwh" for period in PERIODS))

EVIDENCE = pa.schema(
    [
        # energy of the known intervals, dial kWh
        ("known_kwh", pa.float64()),
        ("known_count", pa.int32()),
        ("expected_count", pa.int32()),
        # known - registers; on days not known in full only what is too much can be seen
        ("sum_gap_kwh", pa.float64()),
        ("sum_tolerance_kwh", pa.float64()),
        # +1 agrees, -1 contradicts, 0 cannot be told
        ("sum_verdict", pa.int32()),
        # the same of the time-of-use registers, when the total agrees
        ("periods_verdict", pa.int32()),
        ("clock_shift_minutes", pa.int32()),
        # how many longer intervals were sent in the places of these: 24 of an hour in a curve of 96; 0 = none
        ("longer_intervals", pa.int32()),
        # intervals = factor x registers; negative: registers = -factor x intervals; 0 = no whole factor
        ("whole_factor", pa.int32()),
        # the dial at the end (1) or at the beginning (-1) of the date is out of line with the days around it
        ("dial_out_of_line", pa.int32()),
        ("longest_zero_from", pa.int32()),
        ("longest_zero_count", pa.int32()),
        ("longest_constant_from", pa.int32()),
        ("longest_constant_count", pa.int32()),
        # intervals far above the rest of the date which lie side by side
        ("peak_from", pa.int32()),
        ("peak_count", pa.int32()),
        ("peak_kwh", pa.float64()),
        # the highest interval outside of them
        ("second_kwh", pa.float64()),
        # energy of the peak if the rest of the day is right: registers - all others
        ("peak_by_register_kwh", pa.float64()),
        # equal for equal curves
        ("curve_hash", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Tolerance:
    """How far intervals and registers of a good meter may be apart: what is rounded away, and a share of the energy."""

    # what both dials of a date round away
    dial_kwh: float = 0.02
    # half of the last digit of an interval
    interval_kwh: float = 0.0005
    share: float = 0.0005

    def of(self, energy: Floats, intervals: int) -> Floats:
        """(rows,) kWh.

        Roundings of intervals are even over +- interval_kwh and of either sign: their sum stays within four standard
        deviations, interval_kwh * sqrt(intervals / 3) each.
        """
        return np.asarray(self.rounding(intervals) + self.share * np.abs(energy))

    def rounding(self, intervals: int) -> float:
        """What is rounded away on a date of so many intervals, kWh."""
        return float(self.dial_kwh + 4 * self.interval_kwh * np.sqrt(intervals / 3))


def day_evidence(periods: TouPeriods, register_tariff: str | None, time_zone: str, tolerance: Tolerance) -> Batches:
    """A function from batches of meter days to the same rows with `EVIDENCE`.

    A row has read_date, interval_minutes, kwh (list, null where there is no value), `REGISTERS` (dial kWh of the date),
    and of the days around it, all dial kWh: dial_before_last_kwh, dial_before_kwh, dial_after_kwh, dial_after_next_kwh
    (the total register at the midnights which end date - 2, date - 1, date, date + 1), day_before_kwh, day_after_kwh
    (the sums of complete curves). `register_tariff` names the tariff whose periods the registers count by.
    """

    def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield _looked_at(batch, periods, register_tariff, time_zone, tolerance)

    return look


def _looked_at(
    batch: pa.RecordBatch, periods: TouPeriods, register_tariff: str | None, time_zone: str, tolerance: Tolerance
) -> pa.RecordBatch:
    out = {field.name: _empty(field.type, batch.num_rows) for field in EVIDENCE}
    ordinals = batch.column("read_date").cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    for rows, curve, minutes in grouped_curves(batch):
        near = {name: _floats(batch, name)[rows] for name in (*REGISTERS, *_AROUND)}
        found = _evidence(curve, minutes, ordinals[rows], near, time_zone, tolerance)
        found |= _periods_evidence(
            curve, minutes, ordinals[rows], near, found, periods, register_tariff, time_zone, tolerance
        )
        for name, values in found.items():
            out[name][rows] = values
    arrays = [
        pa.array(out[f.name], f.type, mask=np.isnan(out[f.name]) if pa.types.is_floating(f.type) else None)
        for f in EVIDENCE
    ]
    fields = [batch.schema.field(n) for n in batch.schema.names]
    return pa.RecordBatch.from_arrays([*batch.columns, *arrays], schema=pa.schema([*fields, *EVIDENCE]))


_AROUND = (
    "dial_before_last_kwh",
    "dial_before_kwh",
    "dial_after_kwh",
    "dial_after_next_kwh",
    "day_before_kwh",
    "day_after_kwh",
)


def grouped_curves(batch: pa.RecordBatch, column: str = "kwh") -> Iterator[tuple[Ints, Floats, int]]:
    """Rows of one interval length and number of points: their places, (rows, points) kWh with NaN, the minutes."""
    curves = batch.column(column)
    counts = pc.fill_null(pc.list_value_length(curves), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    minutes = pc.fill_null(batch.column("interval_minutes"), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = curves.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    kinds, of_kind = np.unique(np.stack([minutes, counts]), axis=1, return_inverse=True)
    of_kind = of_kind.ravel()
    for number, (every, points) in enumerate(kinds.T):
        if points:
            rows = np.flatnonzero(of_kind == number)
            yield rows, values[begins[rows][:, None] + np.arange(points)], int(every)


def _floats(batch: pa.RecordBatch, name: str) -> Floats:
    return floats(batch.column(name))


def _empty(kind: pa.DataType, rows: int) -> npt.NDArray[np.generic]:
    return np.full(rows, np.nan) if pa.types.is_floating(kind) else np.zeros(rows, np.int64)


# -- sums -------------------------------------------------------------------------------------------------------------


def _evidence(
    curve: Floats, minutes: int, ordinals: Ints, near: dict[str, Floats], time_zone: str, tolerance: Tolerance
) -> dict[str, npt.NDArray[np.generic]]:
    points = curve.shape[1]
    known = ~np.isnan(curve)
    filled = np.where(known, curve, 0.0)
    count, total = known.sum(axis=1), np.round(filled.sum(axis=1), 6)
    expected = _expected(ordinals, points, minutes, time_zone)
    register = near["register_kwh"]
    allowed = tolerance.of(register, points)
    complete = count >= expected
    with np.errstate(invalid="ignore"):
        gap = total - register
        too_much, too_little = gap > allowed, gap < -allowed
    told = ~np.isnan(register)
    verdict = np.where(told & (too_much | (too_little & complete)), -1, np.where(told & complete, 1, 0))
    out_of_line = _out_of_line(total, complete, near, tolerance, points)
    # a dial that is misread says nothing about the curve
    verdict = np.where(out_of_line != 0, 0, verdict)
    zero_from, zero_count = _longest(known & (filled == 0))
    same = np.zeros_like(known)
    same[:, 1:] = known[:, 1:] & known[:, :-1] & (filled[:, 1:] == filled[:, :-1]) & (filled[:, 1:] != 0)
    constant_from, constant_count = _longest(same)
    has_run = constant_count > 0
    return {
        "known_kwh": np.where(count > 0, total, np.nan),
        "known_count": count,
        "expected_count": expected,
        "sum_gap_kwh": gap,
        "sum_tolerance_kwh": np.where(told, allowed, np.nan),
        "sum_verdict": verdict,
        "longer_intervals": _longer_intervals(known, told & (np.abs(gap) <= allowed)),
        "whole_factor": np.where(verdict < 0, _whole_factor(total, register, tolerance.rounding(points)), 0),
        "dial_out_of_line": out_of_line,
        "longest_zero_from": zero_from,
        "longest_zero_count": zero_count,
        # a run of equal neighbours begins one interval earlier
        "longest_constant_from": np.where(has_run, constant_from - 1, 0),
        "longest_constant_count": np.where(has_run, constant_count + 1, 0),
        **_peak(filled, known, total, register),
        "curve_hash": curve_hashes(np.ascontiguousarray(filled.T), np.ascontiguousarray(~known.T)),
    }


def _expected(ordinals: Ints, points: int, minutes: int, time_zone: str) -> Ints:
    dates, of_date = np.unique(ordinals, return_inverse=True)
    counts = np.array([int(day_clock(int(day), points, minutes, time_zone).expected.sum()) for day in dates])
    return np.asarray(counts[of_date], dtype=np.int64)


def _out_of_line(
    total: Floats, complete: Bools, near: dict[str, Floats], tolerance: Tolerance, points: int
) -> npt.NDArray[np.int64]:
    """1 where the dial at the end of the date is wrong, -1 where the one at its beginning is, else 0.

    A dial reading is out of line when it contradicts the days on both of its sides, and leaving it out makes them
    agree; or when it lies below the one before it, which no dial does but at a roll-over.
    """
    before_last, before, after, after_next = (near[n] for n in _AROUND[:4])
    day_before, day_after = near["day_before_kwh"], near["day_after_kwh"]
    with np.errstate(invalid="ignore"):

        def contradicts(one: Floats, other: Floats, energy: Floats, times: float) -> Bools:
            return np.asarray(np.abs(other - one - energy) > times * tolerance.of(energy, points))

        both_after = total + day_after
        end = (
            complete
            & contradicts(before, after, total, _CLEARLY)
            & contradicts(after, after_next, day_after, _CLEARLY)
            & ~contradicts(before, after_next, both_after, 1)
            & ~np.isnan(both_after + before + after + after_next)
        )
        both_before = day_before + total
        start = (
            complete
            & contradicts(before, after, total, _CLEARLY)
            & contradicts(before_last, before, day_before, _CLEARLY)
            & ~contradicts(before_last, after, both_before, 1)
            & ~np.isnan(both_before + before_last + before + after)
        )
        fell = (after < before) & np.isnan(near["register_kwh"])
    return np.where(start, -1, np.where(end | fell, 1, 0))


def _whole_factor(total: Floats, register: Floats, rounding: float) -> Ints:
    """K where intervals are k times the registers, -k where it is the other way round, 0 where neither is so."""
    with np.errstate(invalid="ignore", divide="ignore"):
        enough = (register > _FACTOR_NEEDS * rounding) & (total > _FACTOR_NEEDS * rounding)
        ratio = np.where(enough, total / register, 1.0)
        up, down = np.rint(ratio), np.rint(1 / ratio)
        close = np.minimum(_FACTOR_CLOSE, rounding / np.where(enough, np.minimum(total, register), 1.0))
        is_up = (up >= 2) & (up <= _LARGEST_FACTOR) & (np.abs(ratio / up - 1) <= close)
        is_down = (down >= 2) & (down <= _LARGEST_FACTOR) & (np.abs(ratio * down - 1) <= close)
    return np.where(is_up, up, np.where(is_down, -down, 0)).astype(np.int64)


def _longer_intervals(known: Bools, agrees: Bools) -> Ints:
    """(rows,) n where a curve holds n values only, as longer intervals do: in every k-th place, or in the first ones.

    The first n places are also what an outage for the rest of the date leaves, so there the registers must agree that
    the values are the energy of the whole date.
    """
    rows, points = known.shape
    found = np.zeros(rows, np.int64)
    count = known.sum(axis=1)
    for times in _LONGER:
        if points % times:
            continue
        fewer = points // times
        first = known[:, :fewer].all(axis=1)
        every = np.stack([known[:, place::times].all(axis=1) for place in (0, times - 1)]).any(axis=0)
        found[(count == fewer) & ((first & agrees) | every)] = fewer
    return found


# -- runs and peaks ---------------------------------------------------------------------------------------------------


def _longest(flags: Bools) -> tuple[Ints, Ints]:
    """(rows,) where the longest run of flags begins, the first of equals, and how long it is."""
    rows, points = flags.shape
    now, longest, ends = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    for point in range(points):
        now = (now + 1) * flags[:, point]
        longer = now > longest
        longest[longer] = now[longer]
        ends[longer] = point + 1
    return ends - longest, longest


def _peak(filled: Floats, known: Bools, total: Floats, register: Floats) -> dict[str, npt.NDArray[np.generic]]:
    """The highest interval with those beside it which stand as far above the rest: at least half as high."""
    shown = np.where(known, filled, -np.inf)
    rows, points = shown.shape
    top = shown.argmax(axis=1)
    highest = shown[np.arange(rows), top]
    tall = shown >= 0.5 * highest[:, None]
    first, last = top.copy(), top.copy()
    place = np.arange(rows)
    for _ in range(points):
        left = np.maximum(first - 1, 0)
        right = np.minimum(last + 1, points - 1)
        grows_left, grows_right = (first > 0) & tall[place, left], (last < points - 1) & tall[place, right]
        if not (grows_left.any() or grows_right.any()):
            break
        first, last = np.where(grows_left, left, first), np.where(grows_right, right, last)
    slots = np.arange(points)
    inside = (slots >= first[:, None]) & (slots <= last[:, None])
    rest = np.where(inside, -np.inf, shown).max(axis=1)
    energy = np.where(inside, filled, 0.0).sum(axis=1)
    any_known = known.any(axis=1)
    return {
        "peak_from": np.where(any_known, first, 0),
        "peak_count": np.where(any_known, last - first + 1, 0),
        "peak_kwh": np.where(any_known, energy, np.nan),
        "second_kwh": np.where(np.isfinite(rest), rest, np.nan),
        "peak_by_register_kwh": register - (total - energy),
    }


# -- the clock --------------------------------------------------------------------------------------------------------


def _periods_evidence(
    curve: Floats,
    minutes: int,
    ordinals: Ints,
    near: dict[str, Floats],
    found: dict[str, npt.NDArray[np.generic]],
    periods: TouPeriods,
    register_tariff: str | None,
    time_zone: str,
    tolerance: Tolerance,
) -> dict[str, npt.NDArray[np.generic]]:
    """Energy by period against the time-of-use registers, and by how much the clock is wrong where they disagree."""
    rows, points = curve.shape
    verdict, shift = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    by_register = np.stack([near[f"register_{period}_kwh"] for period in PERIODS], axis=1)
    usable = np.flatnonzero((found["sum_verdict"] == 1) & ~np.isnan(by_register).any(axis=1))
    if register_tariff is not None and usable.size:
        code = _codes(ordinals[usable], points, minutes, periods, register_tariff, time_zone)
        known = np.nan_to_num(curve[usable])
        allowed = tolerance.of(near["register_kwh"][usable], points)
        apart = np.abs(_by_period(known, code) - by_register[usable]).max(axis=1)
        wrong = np.flatnonzero(apart > allowed)
        verdict[usable] = 1
        verdict[usable[wrong]] = -1
        if wrong.size:
            best, lag = apart[wrong].copy(), np.zeros(wrong.size, np.int64)
            reach = _MOST_HOURS_SHIFTED * _HOUR // minutes
            for step in (*range(-reach, 0), *range(1, reach + 1)):
                moved = np.abs(
                    _by_period(np.roll(known[wrong], -step, axis=1), code[wrong]) - by_register[usable[wrong]]
                ).max(axis=1)
                better = moved < best
                best[better], lag[better] = moved[better], step
            explained = best <= np.maximum(allowed[wrong], (1 - _SHIFT_MUST_EXPLAIN) * apart[wrong])
            shift[usable[wrong]] = np.where(explained, lag * minutes, 0)
    return {"periods_verdict": verdict, "clock_shift_minutes": shift}


def _codes(
    ordinals: Ints, points: int, minutes: int, periods: TouPeriods, tariff: str, time_zone: str
) -> npt.NDArray[np.int8]:
    """(rows, points) index into PERIODS of each interval."""
    dates, of_date = np.unique(ordinals, return_inverse=True)
    maps = []
    for day in dates:
        clock = day_clock(int(day), points, minutes, time_zone)
        maps.append(periods.minutes(tariff, int(day))[clock.starts])
    return np.asarray(np.stack(maps)[of_date], dtype=np.int8)


def _by_period(kwh: Floats, code: npt.NDArray[np.int8]) -> Floats:
    return np.stack([np.where(code == number, kwh, 0.0).sum(axis=1) for number in range(len(PERIODS))], axis=1)
