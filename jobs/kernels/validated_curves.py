"""From a flagged meter day to a validated one: what is condemned taken out, gaps estimated, all with its quality."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.arrow_numbers import floats, ints
from jobs.kernels.class_profiles import ClassProfiles
from jobs.kernels.clock import EPOCH, MINUTES_A_DAY, DayClock, day_clock, day_minutes
from jobs.kernels.day_checks import grouped_curves
from jobs.kernels.estimation import MeterDays, days_with_gaps, estimated
from jobs.kernels.meter_profiles import FEWEST_DAYS, at_clock, at_temperature
from jobs.kernels.past_weeks import CURVES, is_working
from schemas.quality_codes import MEASURED, MENDED, MISSING, SPREAD

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DECIMALS = 6

# which intervals a flag condemns: all of them, or those of a run which the evidence names
_WHOLE_DAY = ("MD-21", "MD-24")
_RUNS = {
    "MD-10": ("longest_constant_from", "longest_constant_count"),
    "MD-11": ("longest_zero_from", "longest_zero_count"),
    "MD-12": ("peak_from", "peak_count"),
    "MD-13": ("peak_from", "peak_count"),
}
_POWER = "MD-18"
_LONGER = "MD-23"

FINISHED = pa.schema(
    [
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.int8())),
        ("total_kwh", pa.float64()),
        ("measured_count", pa.int32()),
        ("estimated_count", pa.int32()),
        ("missing_count", pa.int32()),
        ("estimate_sd_kwh", pa.float64()),
        # when the profile of a usage class which has a part in the estimates was known
        ("class_received_at", pa.timestamp("us", "UTC")),
    ]
)


def finished_days(worked: Mapping[int, bool], classes: ClassProfiles, time_zone: str) -> Batches:
    """A function from batches of flagged meter days to the same rows with `FINISHED` in the place of the curve.

    A row has read_date, interval_minutes, kwh, quality (null where nothing was sent), flags, register_kwh,
    dial_out_of_line, sum_verdict, the evidence named in the flags' rules, edge_before_kwh and edge_after_kwh (the
    intervals beside the date), usage_class, temperature_c of the date, and of the meter's profile: profile_minutes,
    profile_days, usual_daily_kwh, usual_daily_spread_kwh, usual_max_kwh, per_degree, usual_temperature_c, and its
    curves working_kwh, other_kwh, spread_kwh, which are not handed on.
    """

    def finish(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield _finished(batch, worked, classes, time_zone)

    return finish


def _finished(
    batch: pa.RecordBatch, worked: Mapping[int, bool], classes: ClassProfiles, time_zone: str
) -> pa.RecordBatch:
    ordinals = batch.column("read_date").cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    out = _Out.empty(batch.num_rows)
    flags = _Flags(batch.column("flags"))
    for block in _blocks(batch, ordinals, classes, time_zone):
        _condemn(block, batch, flags)
        _spread_out(block, batch, flags, ordinals, worked)
        _estimate(block, batch, ordinals, worked, classes)
        out.put(block)
    kept = [name for name in batch.schema.names if name not in (*FINISHED.names, *CURVES)]
    fields = [batch.schema.field(name) for name in kept]
    arrays = [batch.column(name) for name in kept]
    return pa.RecordBatch.from_arrays([*arrays, *out.arrays()], schema=pa.schema([*fields, *FINISHED]))


@dataclass(eq=False)
class _Block:
    """Days of one length. kwh (points, rows), NaN where missing; quality the same shape; the rest (rows,)."""

    rows: Ints
    minutes: int
    clock: DayClock
    kwh: Floats
    quality: Codes
    spread: Floats
    # microseconds since 1970, 0 where no class profile was used
    class_received: Ints


def _blocks(batch: pa.RecordBatch, ordinals: Ints, classes: ClassProfiles, time_zone: str) -> Iterator[_Block]:
    """The days of a batch by length; those of dates of other than 24 hours by date. Then those without a curve."""
    quality = {tuple(rows): codes for rows, codes, _ in grouped_curves(batch, "quality")}
    for rows, curve, minutes in grouped_curves(batch):
        codes = quality[tuple(rows)]
        for mine, clock in _clocks(ordinals[rows], curve.shape[1], minutes, time_zone):
            yield _Block(
                rows=rows[mine],
                minutes=minutes,
                clock=clock,
                kwh=np.ascontiguousarray(curve[mine].T),
                quality=np.ascontiguousarray(codes[mine].T).astype(np.int8),
                spread=np.zeros(len(mine)),
                class_received=np.zeros(len(mine), np.int64),
            )
    minutes_of = _lengths_without_curve(batch, ordinals, classes)
    for minutes in np.unique(minutes_of[minutes_of > 0]):
        rows = np.flatnonzero(minutes_of == minutes)
        for length in {day_minutes(int(day), time_zone) for day in np.unique(ordinals[rows])}:
            long = np.array([day_minutes(int(day), time_zone) == length for day in ordinals[rows]])
            points = length // int(minutes)
            for mine, clock in _clocks(ordinals[rows[long]], points, int(minutes), time_zone):
                places = rows[long][mine]
                shape = (points, len(places))
                yield _Block(places, int(minutes), clock, np.full(shape, np.nan), np.zeros(shape, np.int8),
                             np.zeros(len(places)), np.zeros(len(places), np.int64))  # fmt: skip


def _lengths_without_curve(batch: pa.RecordBatch, ordinals: Ints, classes: ClassProfiles) -> Ints:
    """(rows,) of days of which nothing was sent: the length of the meter's intervals, 0 where nothing can be said.

    Where the meter has none yet, the registers can be spread over the intervals of its usage class.
    """
    minutes = np.where(_lengths(batch.column("kwh")) == 0, _ints(batch, "profile_minutes"), -1)
    new = np.flatnonzero((minutes == 0) & ~np.isnan(_register(batch)))
    if new.size:
        minutes[new] = classes.interval_minutes(batch.column("usage_class").take(pa.array(new)), ordinals[new])
    return np.asarray(np.maximum(minutes, 0), dtype=np.int64)


def _clocks(ordinals: Ints, points: int, minutes: int, time_zone: str) -> Iterator[tuple[Ints, DayClock]]:
    dates, of_date = np.unique(ordinals, return_inverse=True)
    regular = np.array([day_minutes(int(day), time_zone) == MINUTES_A_DAY for day in dates])
    plain = np.flatnonzero(regular[of_date])
    if plain.size:
        yield plain, day_clock(int(ordinals[plain[0]]), points, minutes, time_zone)
    for number in np.flatnonzero(~regular):
        mine = np.flatnonzero(of_date == number)
        yield mine, day_clock(int(dates[number]), points, minutes, time_zone)


class _Flags:
    """Which rows have a flag."""

    def __init__(self, flags: pa.ListArray) -> None:
        self._rows = pc.list_parent_indices(flags).to_numpy(zero_copy_only=False).astype(np.int64)
        self._words = flags.flatten()
        self._count = len(flags)

    def of(self, flag: str) -> Bools:
        """(rows,)."""
        has = np.zeros(self._count, np.bool_)
        has[self._rows[pc.equal(self._words, flag).to_numpy(zero_copy_only=False).astype(np.bool_)]] = True
        return has


def _condemn(block: _Block, batch: pa.RecordBatch, flags: _Flags) -> None:
    """Take out what the flags condemn, and turn power into energy."""
    points = np.arange(len(block.kwh))[:, None]
    out = np.zeros(block.kwh.shape, np.bool_)
    for flag in _WHOLE_DAY:
        out |= flags.of(flag)[block.rows]
    for flag, (begin, count) in _RUNS.items():
        first, length = _ints(batch, begin)[block.rows], _ints(batch, count)[block.rows]
        out |= flags.of(flag)[block.rows] & (points >= first) & (points < first + length)
    is_power = flags.of(_POWER)[block.rows]
    known = ~np.isnan(block.kwh)
    block.kwh[:, is_power] *= block.minutes / 60
    block.quality[known & is_power & (block.quality == MEASURED)] = MENDED
    block.kwh[out] = np.nan
    block.quality[out] = MISSING


def _spread_out(
    block: _Block, batch: pa.RecordBatch, flags: _Flags, ordinals: Ints, worked: Mapping[int, bool]
) -> None:
    """Give each longer interval's energy to the intervals it covers, like the meter's profile, evenly without one.

    Where registers contradict the values, nothing is known of the date.
    """
    fewer = np.where(flags.of(_LONGER), _ints(batch, "longer_intervals"), 0)[block.rows]
    wrong = (fewer > 0) & (_ints(batch, "sum_verdict")[block.rows] < 0)
    block.kwh[:, wrong], block.quality[:, wrong] = np.nan, MISSING
    # what another flag has condemned no longer has all of its values
    fewer[(~np.isnan(block.kwh)).sum(axis=0) != fewer] = 0
    for count in np.unique(fewer[fewer > 0]):
        mine = np.flatnonzero(fewer == count)
        sent = block.kwh[:, mine].T
        values = sent[~np.isnan(sent)].reshape(len(mine), count).T
        own = np.nan_to_num(_own_profile(batch, block.rows[mine], block, ordinals, worked))
        shape = np.maximum(own, 0.0).reshape(count, -1, len(mine))
        whole = shape.sum(axis=1, keepdims=True)
        share = np.where(whole > 0, shape / np.where(whole > 0, whole, 1.0), 1 / shape.shape[1])
        block.kwh[:, mine] = (values[:, None, :] * share).reshape(len(block.kwh), len(mine))
        block.quality[:, mine] = SPREAD


def _fits(batch: pa.RecordBatch, rows: Ints, block: _Block) -> Bools:
    """(rows,) whether the meter's profile is of the block's intervals and of enough days."""
    is_of_length = _ints(batch, "profile_minutes")[rows] == block.minutes
    return np.asarray(is_of_length & (_ints(batch, "profile_days")[rows] >= FEWEST_DAYS))


def _own_profile(
    batch: pa.RecordBatch, rows: Ints, block: _Block, ordinals: Ints, worked: Mapping[int, bool]
) -> Floats:
    """(points, rows) the meter's own profile for the kind of date, NaN without one."""
    fits = _fits(batch, rows, block)
    is_worked = np.array([is_working(int(day), worked) for day in ordinals[rows]], dtype=np.bool_)
    of_work, of_rest = (_curves(batch, name, rows, fits, block) for name in ("working_kwh", "other_kwh"))
    return np.where(is_worked, of_work, of_rest)


def _estimate(
    block: _Block, batch: pa.RecordBatch, ordinals: Ints, worked: Mapping[int, bool], classes: ClassProfiles
) -> None:
    mine = days_with_gaps(block.kwh, block.clock.expected)
    if not mine.size:
        return
    rows = block.rows[mine]
    fits = _fits(batch, rows, block)
    answer = at_temperature(
        *(_floats(batch, name)[rows] for name in ("per_degree", "usual_temperature_c", "temperature_c"))
    )
    own = _own_profile(batch, rows, block, ordinals, worked) * answer
    of_class, received = np.full(own.shape, np.nan), np.zeros(len(mine), np.int64)
    if not fits.all():
        names = batch.column("usage_class").take(pa.array(rows[~fits]))
        of_class[:, ~fits], received[~fits] = classes.shapes(names, ordinals[rows[~fits]], block.clock)
    made = estimated(
        MeterDays(
            kwh=block.kwh[:, mine],
            interval_minutes=block.minutes,
            expected=block.clock.expected,
            register_kwh=_register(batch)[rows],
            own=own,
            spread=_curves(batch, "spread_kwh", rows, fits, block),
            daily_kwh=_floats(batch, "usual_daily_kwh")[rows] * answer,
            daily_spread_kwh=_floats(batch, "usual_daily_spread_kwh")[rows],
            highest_kwh=_floats(batch, "usual_max_kwh")[rows],
            class_shape=of_class,
            before=_floats(batch, "edge_before_kwh")[rows],
            after=_floats(batch, "edge_after_kwh")[rows],
        )
    )
    filled = made.code != MISSING
    block.kwh[:, mine] = np.where(filled, made.kwh, block.kwh[:, mine])
    block.quality[:, mine] = np.where(filled, made.code, block.quality[:, mine])
    block.spread[mine] = np.nan_to_num(made.energy_spread_kwh)
    block.class_received[mine] = np.where(filled.any(axis=0), received, 0)


def _register(batch: pa.RecordBatch) -> Floats:
    """(rows,) what the registers counted on the date, NaN where they do not tell."""
    return np.where(_ints(batch, "dial_out_of_line") == 0, _floats(batch, "register_kwh"), np.nan)


def _curves(batch: pa.RecordBatch, name: str, rows: Ints, fits: Bools, block: _Block) -> Floats:
    """(points, rows) of a profile's curve at the times of the block; NaN where there is no profile that fits."""
    out = np.full((len(block.kwh), len(rows)), np.nan)
    if not fits.any():
        return out
    lists = batch.column(name).take(pa.array(rows[fits]))
    values = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    out[:, fits] = at_clock(values.reshape(int(fits.sum()), -1).T, block.clock)
    return out


def _lengths(lists: pa.ListArray) -> Ints:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _ints(batch: pa.RecordBatch, name: str) -> Ints:
    return ints(batch.column(name))


def _floats(batch: pa.RecordBatch, name: str) -> Floats:
    return floats(batch.column(name))


@dataclass(eq=False)
class _Out:
    """The curves of all rows of a batch, put block by block."""

    parts: list[tuple[Ints, Floats, Codes]]
    minutes: Ints
    spread: Floats
    class_received: Ints

    @classmethod
    def empty(cls, rows: int) -> "_Out":
        return cls([], np.zeros(rows, np.int64), np.zeros(rows), np.zeros(rows, np.int64))

    def put(self, block: _Block) -> None:
        self.parts.append((block.rows, block.kwh.T, block.quality.T))
        self.minutes[block.rows] = block.minutes
        self.spread[block.rows] = block.spread
        self.class_received[block.rows] = block.class_received

    def arrays(self) -> list[pa.Array]:
        """In the order of FINISHED; everything null, and the counts zero, of a row of which nothing is known."""
        rows = len(self.minutes)
        length = np.zeros(rows, np.int64)
        for places, curve, _ in self.parts:
            length[places] = curve.shape[1]
        begins = np.concatenate([[0], np.cumsum(length)])
        kwh, quality = np.full(begins[-1], np.nan, np.float32), np.zeros(begins[-1], np.int8)
        total, counts = np.zeros(rows), np.zeros((3, rows), np.int32)
        for places, curve, codes in self.parts:
            at = begins[places][:, None] + np.arange(curve.shape[1])
            kwh[at], quality[at] = curve, codes
            known = ~np.isnan(curve)
            total[places] = np.round(np.where(known, curve, 0.0).sum(axis=1), _DECIMALS)
            is_measured = known & ((codes == MEASURED) | (codes == MENDED))
            counts[:, places] = is_measured.sum(axis=1), (known & ~is_measured).sum(axis=1), (~known).sum(axis=1)
        offsets = pa.array(begins.astype(np.int32))
        none = pa.array(length == 0)
        return [
            pa.array(self.minutes.astype(np.int32), mask=length == 0),
            pa.ListArray.from_arrays(offsets, pa.array(kwh, mask=np.isnan(kwh)), mask=none),
            pa.ListArray.from_arrays(offsets, pa.array(quality), mask=none),
            pa.array(total, mask=counts[0] + counts[1] == 0),
            *(pa.array(count) for count in counts),
            pa.array(np.round(self.spread, _DECIMALS)),
            pa.array(self.class_received, mask=self.class_received == 0).cast(FINISHED.field("class_received_at").type),
        ]
