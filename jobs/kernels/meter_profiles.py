"""What is known of a meter's past, one profile a week: made from the 28 days before the week's Monday.

A profile has one mean curve for working days and one for the others, how far single days lie from them, and a few
figures of the whole window. It is what estimation fills gaps with and what validation compares a day with. All sums
run over days and points in their order, so a meter's profile has the same bits whatever batch it comes in.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from jobs.kernels.clock import MINUTES_A_DAY, DayClock
from jobs.kernels.clock_history import clock_shifts
from jobs.kernels.energy_ranges import added

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Measures = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]

WINDOW_DAYS = 28
HOURS = 24
# measured on half-hours of London households (jobs/kernels/protocol_f.py): how fast a day loses weight, how much more a
# day of the same type says than one of the other, and what a slot takes from each of its two neighbours
_MEMORY_DAYS = 16.0
_SAME_TYPE = 4.0
_NEIGHBOUR = 0.15
# from three days on a meter's own mean is nearer than a class profile at its level; from five on its spread is known
FEWEST_DAYS = 5
# a day with this many times the energy, or the highest interval, of the days next to it in rank is a fault
_FAULTY_RATIO = 4.0
_NIGHT_MINUTES = 360
# of so many days with a known temperature a meter's answer to it is made; fewer warm or cold days than their squares
# (°C x °C) together say little, and a day is never brought to less than half or more than twice what is usual
_FEWEST_WITH_TEMPERATURE = 10
_TEMPERATURE_PRIOR = 200.0
_LEAST_ANSWER, _MOST_ANSWER = 0.5, 2.0


@dataclass(frozen=True, eq=False)
class MeterProfiles:
    """Profiles of meters on one grid of clock times. NaN where nothing is known.

    working_kwh, other_kwh: (slots, meters), the mean of an interval on the two types of day. spread_kwh: (24, meters),
    by hour of the clock, the standard deviation of a new day's intervals from it; one a slot tells no more. Everything
    else: (meters,). days: days with any value that were used; dropped_days: those left out as faulty. daily_kwh: mean
    of complete days; daily_spread_kwh: standard deviation of a new day from the mean of its type. highest_kwh: highest
    interval. zero_share: share of intervals which are zero. longest_zero_run, longest_constant_run: in intervals,
    within a day, the second of equal values other than zero. night_min_kwh: mean over days of the lowest interval
    before 06:00. per_degree: by what share of daily_kwh a day is higher for each degree above temperature_c, °C, the
    mean of the days it was made from. clock_shift_minutes, clock_shift_days, clock_shift_errors: by how much the last
    days come late (+) or early (-), how many dates do so, and how sure it is: `clock_history.ClockShifts`.
    """

    working_kwh: Singles
    other_kwh: Singles
    spread_kwh: Singles
    days: Counts
    dropped_days: Counts
    daily_kwh: Singles
    daily_spread_kwh: Singles
    highest_kwh: Singles
    zero_share: Singles
    longest_zero_run: Counts
    longest_constant_run: Counts
    night_min_kwh: Singles
    per_degree: Singles
    temperature_c: Singles
    clock_shift_minutes: Counts
    clock_shift_days: Counts
    clock_shift_errors: Singles

    def of_type(self, is_working: bool) -> Singles:
        """(slots, meters) mean curve of a type of day; NaN for meters with too few days behind it."""
        curve = self.working_kwh if is_working else self.other_kwh
        return np.where(self.days >= FEWEST_DAYS, curve, np.float32(np.nan))

    def take(self, meters: Ints) -> "MeterProfiles":
        """Profiles of some meters, in that order."""
        return MeterProfiles(**{f.name: getattr(self, f.name)[..., meters] for f in fields(self)})


def laid_out(kwh: npt.NDArray[np.floating], meter: Ints, day: Ints, meters: int) -> Floats:
    """(WINDOW_DAYS, slots, meters) from meter days in any order: kwh (slots, rows), meter and day (rows,) their place.

    day: 0 is the window's oldest, 27 the Sunday before the week. Rows outside the window are left out.
    """
    cube = np.full((WINDOW_DAYS, meters, len(kwh)), np.nan)
    inside = (day >= 0) & (day < WINDOW_DAYS)
    cube[day[inside], meter[inside]] = kwh.T[inside]
    return np.ascontiguousarray(cube.transpose(0, 2, 1))


def on_clock(kwh: Floats, clock: DayClock) -> Floats:
    """(slots, rows) by time of the clock from curves (points, rows) of a date: as many slots as 24 hours have.

    Of a time which the clock shows twice the mean, of one which it skips nothing.
    """
    slots = MINUTES_A_DAY // clock.interval_minutes
    total, count = np.zeros((slots, kwh.shape[1])), np.zeros((slots, kwh.shape[1]))
    for point, minute in enumerate(clock.starts):
        if clock.expected[point]:
            known = ~np.isnan(kwh[point])
            total[minute // clock.interval_minutes] += np.where(known, kwh[point], 0.0)
            count[minute // clock.interval_minutes] += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def at_clock(curves: npt.NDArray[np.floating], clock: DayClock) -> Floats:
    """(points, rows) of a date from curves (slots or hours, rows) by the clock; NaN at a time which the date skips."""
    points = curves[clock.starts * len(curves) // MINUTES_A_DAY].astype(np.float64)
    points[~clock.expected] = np.nan
    return points


def meter_profiles(kwh: Floats, is_working: Bools, temperature: Floats | None = None) -> MeterProfiles:
    """Profiles from curves (WINDOW_DAYS, slots, meters), NaN where nothing was measured, oldest day first.

    is_working: (WINDOW_DAYS,). temperature: (WINDOW_DAYS, meters) mean of the day, °C, NaN where it is not known.
    Negative values count as not measured.
    """
    if len(kwh) != WINDOW_DAYS or len(is_working) != WINDOW_DAYS:
        raise ValueError(f"a profile is made from {WINDOW_DAYS} days, not from {len(kwh)}")
    with np.errstate(invalid="ignore"):
        kwh = np.where(kwh >= 0, kwh, np.nan)
    faulty = _faulty_days(kwh)
    kwh = np.where(faulty[:, None, :], np.nan, kwh)
    known = ~np.isnan(kwh)
    filled = np.where(known, kwh, 0.0)
    weight = np.exp(-np.arange(WINDOW_DAYS, 0, -1) / _MEMORY_DAYS)
    of_type = [weight * np.where(is_working == kind, _SAME_TYPE, 1.0) for kind in (True, False)]
    means = [_Mean.of(filled, known, weights) for weights in of_type]
    complete = np.asarray(known.all(axis=1))
    daily = np.where(complete, added(filled.swapaxes(0, 1)), 0.0)
    daily_means = [_Mean.of(daily, complete, weights) for weights in of_type]
    zero, constant = _runs(filled, known)
    per_degree, usual_temperature = _answer(daily, complete, temperature)
    clock = clock_shifts(kwh, is_working)
    return MeterProfiles(
        working_kwh=_smooth(means[0].kwh).astype(np.float32),
        other_kwh=_smooth(means[1].kwh).astype(np.float32),
        spread_kwh=_by_hour(_spread(filled, known, weight, means, is_working)).astype(np.float32),
        days=known.any(axis=1).sum(axis=0).astype(np.int32),
        dropped_days=faulty.sum(axis=0).astype(np.int32),
        daily_kwh=_mean_of(daily, complete).astype(np.float32),
        daily_spread_kwh=_spread(daily, complete, weight, daily_means, is_working).astype(np.float32),
        highest_kwh=_or_nan(np.where(known, kwh, -np.inf).max(axis=(0, 1))).astype(np.float32),
        zero_share=_share(known & (filled == 0), known).astype(np.float32),
        longest_zero_run=zero,
        longest_constant_run=constant,
        night_min_kwh=_night_min(kwh).astype(np.float32),
        per_degree=per_degree.astype(np.float32),
        temperature_c=usual_temperature.astype(np.float32),
        clock_shift_minutes=clock.minutes,
        clock_shift_days=clock.days,
        clock_shift_errors=clock.errors,
    )


def at_temperature(per_degree: Measures, usual_c: Measures, temperature_c: Measures) -> Floats:
    """How much of its usual energy a day of this temperature holds; 1 where any of the three is not known."""
    share = np.clip(1 + per_degree * (temperature_c - usual_c), _LEAST_ANSWER, _MOST_ANSWER)
    return np.where(np.isnan(share), 1.0, share)


# -- faults -----------------------------------------------------------------------------------------------------------


def _faulty_days(kwh: Floats) -> Bools:
    """(days, meters) days that stand far above all but a few others, by energy or by their highest interval.

    A meter read in another unit, or with a spike, does so on single days; a customer who comes home does so on all
    that follow. So one day in eight may be left out, and none where fewer than eight are known.
    """
    known = ~np.isnan(kwh)
    filled = np.where(known, kwh, 0.0)
    has_value = known.any(axis=1)
    # energy at full length, so that a day known in part is not taken for a small one
    energy = added(filled.swapaxes(0, 1)) / np.maximum(known.sum(axis=1), 1)
    allowed = has_value.sum(axis=0) // 8
    faulty = np.zeros(has_value.shape, dtype=np.bool_)
    for measure in (energy, filled.max(axis=1)):
        ranked = -np.sort(-np.where(has_value, measure, 0.0), axis=0)
        next_in_rank = np.take_along_axis(ranked, allowed[None, :], axis=0)[0]
        faulty |= has_value & (measure > _FAULTY_RATIO * next_in_rank) & (next_in_rank > 0)
    return faulty


# -- curves -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Mean:
    """Weighted mean of a slot, or of the day, on a type of day, with the weight of each day and of all known ones."""

    kwh: Floats
    weight: Floats  # (days,)
    behind: Floats

    @classmethod
    def of(cls, filled: Floats, known: Bools, weight: Floats) -> "_Mean":
        total, behind = np.zeros(filled.shape[1:]), np.zeros(filled.shape[1:])
        for day, share in enumerate(weight):
            total += share * filled[day]
            behind += share * known[day]
        return cls(np.where(behind > 0, total / np.where(behind > 0, behind, 1.0), np.nan), weight, behind)


def _smooth(curve: Floats) -> Floats:
    """Each slot with a little of its neighbours around the clock: a day's peak does not come at the same minute."""
    sides = np.stack([np.roll(curve, 1, axis=0), np.roll(curve, -1, axis=0)])
    sides = np.where(np.isnan(sides), curve, sides)
    return np.asarray((1 - 2 * _NEIGHBOUR) * curve + _NEIGHBOUR * sides[0] + _NEIGHBOUR * sides[1])


def _spread(filled: Floats, known: Bools, weight: Floats, means: list[_Mean], is_working: Bools) -> Floats:
    """(slots, meters) standard deviation of a new day's value from the mean of its type; NaN with fewer than two days.

    Each day is compared with the mean of all days but itself, as a new day is, so that few days do not look alike.
    """
    shape = filled.shape[1:]
    squares, behind = np.zeros(shape), np.zeros(shape)
    for day, share in enumerate(weight):
        mean = means[0] if is_working[day] else means[1]
        others = mean.behind - mean.weight[day]
        counts = known[day] & (others > 0)
        off = (filled[day] - mean.kwh) * mean.behind / np.where(counts, others, 1.0)
        squares += np.where(counts, share * off**2, 0.0)
        behind += share * counts
    return np.where(behind > 0, np.sqrt(squares / np.where(behind > 0, behind, 1.0)), np.nan)


def _by_hour(spread: Floats) -> Floats:
    """(24, meters) root of the mean square within each hour of the clock."""
    slots, meters = spread.shape
    total, count = np.zeros((HOURS, meters)), np.zeros((HOURS, meters))
    for slot in range(slots):
        known = ~np.isnan(spread[slot])
        total[slot * HOURS // slots] += np.where(known, spread[slot] ** 2, 0.0)
        count[slot * HOURS // slots] += known
    return np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), np.nan)


# -- temperature ------------------------------------------------------------------------------------------------------


def _answer(daily: Floats, complete: Bools, temperature: Floats | None) -> tuple[Floats, Floats]:
    """per_degree and temperature_c: a straight line through complete days, drawn towards no answer."""
    if temperature is None:
        nothing = np.full(daily.shape[1], np.nan)
        return nothing, nothing
    counts = complete & ~np.isnan(temperature)
    usual_c, usual = _mean_of(temperature, counts), _mean_of(daily, counts)
    known = (counts.sum(axis=0) >= _FEWEST_WITH_TEMPERATURE) & (usual > 0)
    off_c = np.where(counts & known, temperature - usual_c, 0.0)
    off = np.where(counts & known, daily, 0.0) / np.where(known, usual, 1.0) - (counts & known)
    per_degree = added(off_c * off) / (added(off_c**2) + _TEMPERATURE_PRIOR)
    return np.where(known, per_degree, np.nan), np.where(known, usual_c, np.nan)


# -- figures of the window --------------------------------------------------------------------------------------------


def _mean_of(values: Floats, counted: Bools) -> Floats:
    """Over the first axis; NaN where none is counted."""
    count = counted.sum(axis=0)
    return np.where(count > 0, added(np.where(counted, values, 0.0)) / np.maximum(count, 1), np.nan)


def _share(part: Bools, whole: Bools) -> Floats:
    count = whole.sum(axis=(0, 1))
    return np.where(count > 0, part.sum(axis=(0, 1)) / np.maximum(count, 1), np.nan)


def _or_nan(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _night_min(kwh: Floats) -> Floats:
    night = kwh[:, : max(kwh.shape[1] * _NIGHT_MINUTES // MINUTES_A_DAY, 1)]
    lowest = np.where(np.isnan(night), np.inf, night).min(axis=1)
    return _mean_of(lowest, np.isfinite(lowest))


def _runs(filled: Floats, known: Bools) -> tuple[Counts, Counts]:
    """Longest runs of zeros and of equal values other than zero within a day, in intervals."""
    days, slots, meters = filled.shape
    longest = np.zeros((2, days, meters), dtype=np.int32)
    now = np.zeros((2, days, meters), dtype=np.int32)
    before = np.full((days, meters), np.nan)
    for slot in range(slots):
        value, there = filled[:, slot], known[:, slot]
        is_zero, is_equal = there & (value == 0), there & (value > 0)
        now[0] = np.where(is_zero, now[0] + 1, 0)
        now[1] = np.where(is_equal, np.where(value == before, now[1], 0) + 1, 0)
        np.maximum(longest, now, out=longest)
        before = value
    zero, constant = longest.max(axis=1)
    return zero, constant
