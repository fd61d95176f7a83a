"""From the curves of a customer's meters to the measures of its day, a batch of customers at a time.

Sums run in a fixed order (meters by point, intervals by time) and are rounded to `DECIMALS`, far below what a dial
shows, so that the same readings give the same bits whatever batch they come in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.arrow_numbers import floats
from jobs.kernels.clock import EPOCH, MINUTES_A_DAY, DayClock, day_clock, day_minutes
from jobs.kernels.tou_periods import PERIODS, TouPeriods
from schemas.quality_codes import EDITED, ESTIMATED_BY_SOURCE

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

DECIMALS = 6
# intervals and registers of a good meter differ by what both round away: a hundredth of a kWh at each end of the day
# for the registers and up to a thousandth in each of 96 intervals, and in proportion by the dial's accuracy class
SUM_CHECK_SHARE = 0.005
SUM_CHECK_DIAL_KWH = 0.2
# the spread of a day's hours says little when more than a quarter of them is missing
FEWEST_HOURS = 18
_NIGHT_HOURS = range(6)

MEASURES = pa.schema(
    [
        ("kwh", pa.float64()),
        *((f"kwh_{period}", pa.float64()) for period in PERIODS),
        ("peak_kw", pa.float64()),
        ("peak_time", pa.string()),
        ("load_factor", pa.float64()),
        ("night_kwh", pa.float64()),
        ("night_base_kw", pa.float64()),
        ("volatility", pa.float64()),
        ("hourly_kwh", pa.list_(pa.float32())),
        ("completeness", pa.float64()),
        ("estimated_share", pa.float64()),
        ("register_kwh", pa.float64()),
        ("sum_gap_pct", pa.float64()),
        ("sum_check", pa.string()),
    ]
)


def day_measures(periods: TouPeriods, time_zone: str) -> Batches:
    """A function from batches of customer days to the same rows with `MEASURES` in the place of their `meters`.

    A row has usage_date, tariff_code and `meters`: a list of structs of point_id, multiplier, interval_minutes, kwh
    (list, null where the meter sent nothing), quality (list) and register_dial_kwh, in the order of points.
    """

    def measure(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield _measured(batch, periods, time_zone)

    return measure


def _measured(batch: pa.RecordBatch, periods: TouPeriods, time_zone: str) -> pa.RecordBatch:
    ordinals = batch.column("usage_date").cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    meters = _Meters.of(batch.column("meters"))
    out = _Measures.empty(batch.num_rows)
    for grid in _grids(meters, ordinals, time_zone):
        curves = _Curves.of(meters, grid)
        clock = day_clock(grid.ordinal, grid.intervals, grid.interval_minutes, time_zone)
        out.put_energy(grid.rows, curves, clock)
        out.put_periods(grid.rows, curves, _periods_of(batch, grid.rows, ordinals, periods, clock))
        out.put_sum_check(grid.rows, curves)
    kept = [name for name in batch.schema.names if name != "meters"]
    arrays = [batch.column(name) for name in kept]
    fields = [batch.schema.field(name) for name in kept]
    return pa.RecordBatch.from_arrays([*arrays, *out.arrays()], schema=pa.schema([*fields, *MEASURES]))


# -- meters -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Meters:
    """The meters of all rows of a batch, one entry a meter, in the order of rows and points."""

    row: Ints
    point: Ints  # the same number for the meters of one point
    multiplier: Floats
    interval_minutes: Ints
    intervals: Ints  # 0 where the meter sent nothing
    start: Ints  # where its curve begins in `kwh`
    kwh: Floats
    is_estimated: Bools
    register: Floats

    @classmethod
    def of(cls, lists: pa.ListArray) -> "_Meters":
        offsets = lists.offsets.to_numpy()
        structs = lists.flatten()
        fields = dict(zip([f.name for f in structs.type], structs.flatten(), strict=True))
        curves, quality = fields["kwh"], fields["quality"]
        bounds = curves.offsets.to_numpy().astype(np.int64)
        kwh = curves.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        codes = pc.fill_null(quality.flatten(), 0).to_numpy(zero_copy_only=False)
        if len(codes) != len(kwh):
            raise ValueError("a meter day has not as many quality codes as values")
        return cls(
            row=np.repeat(np.arange(len(lists)), np.diff(offsets)),
            point=fields["point_id"].dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64),
            multiplier=floats(fields["multiplier"]),
            interval_minutes=_counts(fields["interval_minutes"]),
            intervals=_counts(pc.list_value_length(curves)),
            start=bounds[:-1] - bounds[0],
            kwh=kwh,
            is_estimated=(codes >= ESTIMATED_BY_SOURCE) & (codes < EDITED),
            register=floats(fields["register_dial_kwh"]),
        )


def _counts(column: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(column, 0).to_numpy(zero_copy_only=False), dtype=np.int64)


@dataclass(frozen=True)
class _Grid:
    """Rows whose days are divided in the same way, and the meters of these rows."""

    ordinal: int
    intervals: int
    interval_minutes: int
    rows: Ints
    meters: Ints


def _grids(meters: _Meters, ordinals: Ints, time_zone: str) -> Iterator[_Grid]:
    """Each row's grid: the longest interval and the longest day among its meters.

    Rows without any curve come in no grid: nothing is known of them. Dates of 24 hours share a grid, as their clocks
    are the same.
    """
    rows = len(ordinals)
    minutes, length = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    np.maximum.at(minutes, meters.row, np.where(meters.intervals > 0, meters.interval_minutes, 0))
    np.maximum.at(length, meters.row, meters.intervals * meters.interval_minutes)
    dates, of_date = np.unique(ordinals, return_inverse=True)
    regular = np.array([day_minutes(int(day), time_zone) == MINUTES_A_DAY for day in dates])[of_date]
    shape = np.stack([np.where(regular, 0, ordinals), minutes, length])
    kinds, of_kind = np.unique(shape, axis=1, return_inverse=True)
    of_kind = of_kind.ravel()
    for number, (_, every, whole) in enumerate(kinds.T):
        if every == 0:
            continue
        mine = np.flatnonzero(of_kind == number)
        yield _Grid(
            ordinal=int(ordinals[mine[0]]),
            intervals=int(whole // every),
            interval_minutes=int(every),
            rows=mine,
            meters=np.flatnonzero(of_kind[meters.row] == number),
        )


@dataclass(frozen=True)
class _Curves:
    """Curves of the rows of a grid. Not known is NaN."""

    kwh: Floats  # (rows, intervals) primary kWh of all points together
    is_estimated: Bools  # (rows, intervals)
    register: Floats  # (rows,) primary kWh
    is_checked: Bools  # (rows,) every meter could be checked
    is_failed: Bools  # (rows,) a meter contradicts its register

    @classmethod
    def of(cls, meters: _Meters, grid: _Grid) -> "_Curves":
        """An interval is known when every point has a value; at a point one of its meters is enough.

        Two meters at one point follow each other on the date of a swap: each knows its part of the day. Two points
        measure side by side: a sum without one of them would look like a drop in use.
        """
        mine = grid.meters
        dial = np.full((len(mine), grid.intervals), np.nan)
        estimated = np.zeros((len(mine), grid.intervals), dtype=np.bool_)
        minutes, counts = meters.interval_minutes[mine], meters.intervals[mine]
        for every in np.unique(minutes[counts > 0]):
            # a curve of another length than the row's day cannot be laid over it, and stays unknown
            fits = np.flatnonzero(
                (minutes == every) & (counts * every == grid.intervals * grid.interval_minutes)
                & (grid.interval_minutes % every == 0)
            )  # fmt: skip
            if fits.size:
                places = meters.start[mine[fits]][:, None] + np.arange(grid.intervals * grid.interval_minutes // every)
                parts = (len(fits), grid.intervals, -1)
                dial[fits] = meters.kwh[places].reshape(parts).sum(axis=2)
                estimated[fits] = meters.is_estimated[places].reshape(parts).any(axis=2)
        multiplier = meters.multiplier[mine]
        register = meters.register[mine]
        ok, failed = _sum_checks(dial, register)
        primary = dial * multiplier[:, None]
        register = register * multiplier
        row = meters.row[mine]
        if len(row) == len(grid.rows):
            return cls(primary, estimated & ~np.isnan(primary), register, ok | failed, failed)
        points = _starts(row, meters.point[mine])
        rows = _starts(row[points])
        known = ~np.isnan(primary)
        at_point = np.logical_or.reduceat(known, points, axis=0)
        energy = np.add.reduceat(np.add.reduceat(np.where(known, primary, 0.0), points, axis=0), rows, axis=0)
        all_known = np.logical_and.reduceat(at_point, rows, axis=0)
        meter_rows = _starts(row)
        return cls(
            kwh=np.where(all_known, energy, np.nan),
            is_estimated=np.logical_or.reduceat(estimated & known, meter_rows, axis=0) & all_known,
            register=np.add.reduceat(register, meter_rows),
            is_checked=np.logical_and.reduceat(ok | failed, meter_rows),
            is_failed=np.logical_or.reduceat(failed, meter_rows),
        )


def _starts(*keys: Ints) -> Ints:
    """Where runs of equal keys begin."""
    changed = np.zeros(len(keys[0]), dtype=np.bool_)
    changed[0] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def _sum_checks(dial: Floats, register: Floats) -> tuple[Bools, Bools]:
    """Which meters agree with their register, and which contradict it; on days known in full."""
    total = dial.sum(axis=1)
    with np.errstate(invalid="ignore"):
        gap = np.abs(total - register)
        tolerance = np.maximum(SUM_CHECK_SHARE * np.abs(register), SUM_CHECK_DIAL_KWH)
        return gap <= tolerance, gap > tolerance


# -- measures ---------------------------------------------------------------------------------------------------------


def _periods_of(
    batch: pa.RecordBatch, rows: Ints, ordinals: Ints, periods: TouPeriods, clock: DayClock
) -> npt.NDArray[np.int8]:
    """(rows, intervals) index into PERIODS of the intervals, by each row's tariff and date."""
    codes = batch.column("tariff_code").dictionary_encode()
    names = codes.dictionary.to_pylist()
    code = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)[rows]
    pairs, of_pair = np.unique(np.stack([code, ordinals[rows]]), axis=1, return_inverse=True)
    maps = [periods.minutes(names[c] if c >= 0 else None, int(day))[clock.starts] for c, day in pairs.T]
    return np.asarray(np.stack(maps)[of_pair.ravel()], dtype=np.int8)


@dataclass
class _Measures:
    """One value a row and measure, not known until it is put."""

    values: dict[str, Floats]
    hourly: Floats  # (rows, 24)
    peak_minute: Ints
    sum_check: npt.NDArray[np.object_]

    @classmethod
    def empty(cls, rows: int) -> "_Measures":
        measures = cls(
            values={f.name: np.full(rows, np.nan) for f in MEASURES if pa.types.is_floating(f.type)},
            hourly=np.full((rows, 24), np.nan),
            peak_minute=np.full(rows, -1, dtype=np.int64),
            sum_check=np.full(rows, "not_checked", dtype=object),
        )
        measures.values["completeness"][:] = 0.0
        measures.values["estimated_share"][:] = 0.0
        return measures

    def put_energy(self, rows: Ints, curves: _Curves, clock: DayClock) -> None:
        """Energy, power, night, spread and how complete all that is."""
        kwh, expected = curves.kwh, int(clock.expected.sum())
        known = ~np.isnan(kwh)
        count = known.sum(axis=1)
        any_known = count > 0
        total = np.where(known, kwh, 0.0).sum(axis=1)
        self._put("kwh", rows, np.where(any_known, total, np.nan))
        self._put("completeness", rows, np.minimum(count / expected, 1.0))
        self._put("estimated_share", rows, np.minimum(curves.is_estimated.sum(axis=1) / expected, 1.0))
        power = np.where(known, kwh, -np.inf) * (60 / clock.interval_minutes)
        highest = power.argmax(axis=1)
        peak = np.where(any_known, power[np.arange(len(rows)), highest], np.nan)
        self._put("peak_kw", rows, peak)
        self.peak_minute[rows] = np.where(any_known, clock.starts[highest], -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count * (60 / clock.interval_minutes)
            self._put("load_factor", rows, np.where(peak > 0, mean / peak, np.nan))
        self._put_hours(rows, kwh, clock)

    def _put_hours(self, rows: Ints, kwh: Floats, clock: DayClock) -> None:
        there = np.flatnonzero(clock.expected)
        hour_of = clock.starts[there] // 60
        begins = _starts(hour_of)
        hours = hour_of[begins]
        # an hour that the clock repeats is two hours long
        length = np.diff([*begins, len(there)]) * clock.interval_minutes / 60
        energy = np.add.reduceat(kwh[:, there], begins, axis=1)
        self.hourly[rows[:, None], hours] = energy
        power = energy / length
        night = np.isin(hours, _NIGHT_HOURS)
        self._put("night_kwh", rows, energy[:, night].sum(axis=1))
        lowest = np.where(np.isnan(power), np.inf, power)[:, night].min(axis=1)
        self._put("night_base_kw", rows, np.where(np.isinf(lowest), np.nan, lowest))
        known = ~np.isnan(power)
        count = known.sum(axis=1)
        filled = np.where(known, power, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = filled.sum(axis=1) / count
            spread = np.sqrt((np.where(known, filled - mean[:, None], 0.0) ** 2).sum(axis=1) / count)
            says = (count >= FEWEST_HOURS) & (mean > 0)
            self._put("volatility", rows, np.where(says, spread / mean, np.nan))

    def put_periods(self, rows: Ints, curves: _Curves, codes: npt.NDArray[np.int8]) -> None:
        """Energy of each time-of-use period."""
        known = ~np.isnan(curves.kwh)
        any_known = known.any(axis=1)
        for number, period in enumerate(PERIODS):
            energy = np.where(known & (codes == number), curves.kwh, 0.0).sum(axis=1)
            self._put(f"kwh_{period}", rows, np.where(any_known, energy, np.nan))

    def put_sum_check(self, rows: Ints, curves: _Curves) -> None:
        """Intervals against registers, meter by meter; the gap is that of the customer."""
        total = curves.kwh.sum(axis=1)
        self._put("register_kwh", rows, curves.register)
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = (total - curves.register) / curves.register * 100
            self._put("sum_gap_pct", rows, np.where(curves.register > 0, gap, np.nan))
        self.sum_check[rows] = np.where(curves.is_failed, "failed", np.where(curves.is_checked, "ok", "not_checked"))

    def _put(self, name: str, rows: Ints, values: Floats) -> None:
        # adding zero turns -0.0 into 0.0, which would be another bit pattern of the same value
        self.values[name][rows] = np.round(values, DECIMALS) + 0.0

    def arrays(self) -> list[pa.Array]:
        """In the order of MEASURES."""
        special = {"peak_time": self._peak_times, "hourly_kwh": self._hourly, "sum_check": self._sum_check}
        return [special[f.name]() if f.name in special else _nullable(self.values[f.name]) for f in MEASURES]

    def _peak_times(self) -> pa.Array:
        return pa.array(_clock_words(), pa.string()).take(pa.array(self.peak_minute, mask=self.peak_minute < 0))

    def _sum_check(self) -> pa.Array:
        return pa.array(self.sum_check, pa.string())

    def _hourly(self) -> pa.Array:
        hours = self.hourly.shape[1]
        nothing = np.isnan(self.hourly).all(axis=1)
        flat = _nullable(np.round(self.hourly, DECIMALS).astype(np.float32).ravel())
        offsets = np.arange(0, flat.__len__() + 1, hours, dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), flat, mask=pa.array(nothing))


def _nullable(values: npt.NDArray[Any]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


@lru_cache(maxsize=1)
def _clock_words() -> tuple[str, ...]:
    return tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(MINUTES_A_DAY))
