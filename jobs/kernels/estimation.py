"""Estimates of missing intervals (the E of VEE), a block of meter days at a time.

A gap between two values is bridged by a straight line near its ends and by a profile further in: the meter's own, or
that of its usage class. Where the registers say what the meter counted on the day, the estimates add up to it. Every
estimate has its method and a range in which four of five true values lie. Blocks are (points, rows); sums run over the
points in their order, so that a day's estimate has the same bits whatever block it comes in.

What the constants are was measured on half-hours of London households by `python -m jobs.kernels.protocol_f`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.kernels.customer_curves import SUM_CHECK_DIAL_KWH, SUM_CHECK_SHARE
from schemas.quality_codes import CLASS_PROFILE, LINEAR, MISSING, OWN_PROFILE, SCALED

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

# as fine as a dial's curve is read out
DECIMALS = 4

# up to here a straight line alone is as good as with a profile
LINEAR_MINUTES = 30
# without a profile, and without one but with a register total: beyond, a straight line says nothing
LINEAR_ALONE_MINUTES = 120
LINEAR_TOTAL_MINUTES = 360

# share of the straight line at a distance from the nearest value, 1.24 exp(-minutes/60), and never above 1
_LINE_SHARE, _LINE_MINUTES = 1.24, 60.0
# level of the day beside its profile: values count by exp(-minutes/120) and a little however far, against a prior
# belief in the profile's own level which weighs as much as two hours of it
_LEVEL_MINUTES, _LEVEL_FAR, _PRIOR_MINUTES = 120.0, 0.1, 120.0
# a class profile has no own level to believe in: half an hour of the day's values says as much
_CLASS_PRIOR_MINUTES = 30.0
# a residual of the registers above so many times the highest interval seen, in every interval of the gap, is wrong
_IMPLAUSIBLE_RATIO = 3.0

_SCALED_CODES = np.array([SCALED.get(code, code) for code in range(max(SCALED) + 1)], dtype=np.int8)

# errors of two intervals of a gap: correlated by 0.6 exp(-minutes/60) + 0.06, those of two days by 0.2
_ALIKE_NEAR, _ALIKE_MINUTES, _ALIKE_FAR = 0.6, 60.0, 0.06
_DAYS_ALIKE = 0.2
# spread of an estimate: that of the profile, less 0.4 of its variance beside a value; as a share of the mean where
# there is no own profile, and of the estimate where there is none at all
_SPREAD_FACTOR, _NEAR_VALUE = 1.06, 0.4
_CLASS_SPREAD, _LINE_SPREAD = 0.9, 0.7
_RAISED = (0.05, 5.0)
_Z90 = 1.2816
# a register is read to a hundredth of a kWh at both ends of the day
_REGISTER_SPREAD = 0.01

# what the registers said of a day with gaps
UNKNOWN, SCALED_TO, ZERO_LEFT, BELOW_KNOWN, IMPLAUSIBLE, NOT_FILLED = range(6)
VERDICTS = {
    UNKNOWN: "no register total",
    SCALED_TO: "the day adds up to the registers",
    ZERO_LEFT: "the known intervals are the register total: the gap is filled with zeros",
    BELOW_KNOWN: "the known intervals exceed the register total: not scaled",
    IMPLAUSIBLE: "the registers leave more for the gap than the meter ever showed: not scaled",
    NOT_FILLED: "a part of the gap could not be estimated: not scaled",
}


@dataclass(frozen=True, eq=False)
class MeterDays:
    """Meter days of one length on one grid of times, dial kWh, NaN where not known. (points, rows) or (rows,).

    expected: (points,), False at a time which the date does not have: no estimate there. register_kwh: what the
    registers counted on the day. own, spread: mean and standard deviation of the meter's own profile at these times, NaN
    throughout for a meter without one. daily_kwh: the meter's mean day, highest_kwh: the highest interval it showed.
    class_shape: profile of its usage class in any unit. before, after: the last value of the day before and the first
    of the day after.
    """

    kwh: Floats
    interval_minutes: int
    expected: Bools
    register_kwh: Floats
    own: Floats
    spread: Floats
    daily_kwh: Floats
    highest_kwh: Floats
    class_shape: Floats
    before: Floats
    after: Floats

    def take(self, rows: Ints) -> "MeterDays":
        """Some of the rows, in that order."""
        return MeterDays(
            kwh=self.kwh[:, rows],
            interval_minutes=self.interval_minutes,
            expected=self.expected,
            register_kwh=self.register_kwh[rows],
            own=self.own[:, rows],
            spread=self.spread[:, rows],
            daily_kwh=self.daily_kwh[rows],
            highest_kwh=self.highest_kwh[rows],
            class_shape=self.class_shape[:, rows],
            before=self.before[rows],
            after=self.after[rows],
        )


@dataclass(frozen=True, eq=False)
class Estimates:
    """What was estimated in the days with gaps, one column a day; `rows` are their places in the block.

    kwh: the whole day with its gaps filled, NaN where no method applies. code: how an interval was estimated, 0 where
    it was not. p10_kwh, p90_kwh: (points, rows), NaN where not estimated. energy_kwh: (rows,), the estimated intervals
    of the day together, with its standard deviation; `quantiles` gives its range. verdict: one of VERDICTS.
    """

    rows: Ints
    kwh: Floats
    code: Codes
    p10_kwh: Floats
    p90_kwh: Floats
    energy_kwh: Floats
    energy_spread_kwh: Floats
    verdict: Codes


def estimated(days: MeterDays) -> Estimates:
    """Estimates for the days with gaps of a block."""
    gaps = np.isnan(days.kwh) & days.expected[:, None]
    rows = np.flatnonzero(gaps.any(axis=0))
    return _estimated(days.take(rows), gaps[:, rows], rows)


def _estimated(days: MeterDays, gap: Bools, rows: Ints) -> Estimates:
    known = ~np.isnan(days.kwh)
    around = _Around.of(days, known)
    residual, verdict = _residual(days, gap, known)
    profile, is_class = _profile(days, known)
    code = _methods(gap, around, profile, is_class, verdict == SCALED_TO, days.interval_minutes)
    verdict[((gap & (code == MISSING)).any(axis=0)) & (verdict != UNKNOWN)] = NOT_FILLED
    to_total = (verdict == SCALED_TO) | (verdict == ZERO_LEFT)
    line = around.line()
    share = _line_share(code, around, known, days.interval_minutes)
    shape = np.where(code == LINEAR, line, profile * _level(days, known, profile, is_class))
    kwh, level = _blended(line, shape, share, code != MISSING, residual, to_total)
    spread = _spread(days, profile, is_class, kwh, share, code)
    # how an interval's error goes with those of all others of the gap; their sum is the variance of its energy
    with_others = _with_others(spread, days.interval_minutes)
    variance = _added(with_others)
    of_sum = with_others**2 * np.where(to_total & (variance > 0), 1 / np.where(variance > 0, variance, 1.0), 0.0)
    low, high = quantiles(kwh, np.sqrt(np.maximum(spread**2 - of_sum, 0.0)))
    energy = np.where(to_total, residual, _added(kwh))
    energy_spread = np.where(to_total, _REGISTER_SPREAD, np.sqrt(variance))
    filled = code != MISSING
    scaled = filled & to_total
    code[scaled] = _SCALED_CODES[code[scaled]]
    return Estimates(
        rows=rows,
        kwh=np.where(filled, _rounded(kwh, filled), days.kwh),
        code=code,
        p10_kwh=np.where(filled, low, np.nan),
        p90_kwh=np.where(filled, high, np.nan),
        energy_kwh=np.where(filled.any(axis=0), np.round(energy, DECIMALS), np.nan),
        energy_spread_kwh=np.where(filled.any(axis=0), energy_spread, np.nan),
        verdict=verdict,
    )


# -- ranges -----------------------------------------------------------------------------------------------------------


def quantiles(mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """P10 and P90 of an energy with that mean and standard deviation: never below zero, and with a long upper side.

    Log-normal, as half-hours of households nearly are.
    """
    square = np.log1p((spread / np.where(mean > 0, mean, 1.0)) ** 2)
    width = _Z90 * np.sqrt(square)
    return mean * np.exp(-square / 2 - width), mean * np.exp(-square / 2 + width)


def together(energy: Floats, spread: Floats, run: Ints, runs: int) -> tuple[Floats, Floats]:
    """Energy and standard deviation of runs of days of one meter, from those of its days.

    run: (days,) to which run a day belongs. Days of a customer err in the same direction to some degree.
    """
    total = np.bincount(run, energy, runs)
    apart, alike = np.bincount(run, spread**2, runs), np.bincount(run, spread, runs) ** 2
    return total, np.sqrt((1 - _DAYS_ALIKE) * apart + _DAYS_ALIKE * alike)


def _spread(days: MeterDays, profile: Floats, is_class: Bools, kwh: Floats, share: Floats, code: Codes) -> Floats:
    """(points, rows) standard deviation of the true value from the estimate, zero where there is none.

    That of the profile, more on a high day and less on a low one, and less near a value.
    """
    mean = _added(np.nan_to_num(profile)) / len(profile)
    of_class = _CLASS_SPREAD * np.sqrt(np.maximum(profile, 0.0) * mean)
    spread = np.where(is_class | np.isnan(days.spread), of_class, days.spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        raised = np.clip(np.where(profile > 0, kwh / profile, np.inf), *_RAISED)
    spread = np.where(np.isnan(profile), _LINE_SPREAD * kwh, spread * np.sqrt(raised))
    near = np.where(np.isnan(profile), 0.0, _NEAR_VALUE * np.minimum(share, 1.0))
    return np.where(code == MISSING, 0.0, _SPREAD_FACTOR * spread * np.sqrt(1 - near))


def _with_others(spread: Floats, interval_minutes: int) -> Floats:
    """(points, rows) covariance of an interval's error with the sum of all errors of the day."""
    kept, nothing = np.exp(-interval_minutes / _ALIKE_MINUTES), np.zeros(spread.shape[1])
    near = _faded(spread, nothing, kept) + _faded(spread[::-1], nothing, kept)[::-1]
    others = _added(spread) - spread
    return np.asarray(spread * (spread + _ALIKE_NEAR * near + _ALIKE_FAR * others))


# -- what is known around a gap ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Around:
    """(points, rows): the nearest values before and after an interval, NaN where there is none, and how far they are.

    Distances are in intervals; to the end of the day where there is no value.
    """

    left: Floats
    right: Floats
    to_left: Floats
    to_right: Floats

    @classmethod
    def of(cls, days: MeterDays, known: Bools) -> "_Around":
        left, to_left = _nearest(days.kwh, known, days.before)
        right, to_right = _nearest(days.kwh[::-1], known[::-1], days.after)
        return cls(left, right[::-1], to_left, to_right[::-1])

    def line(self) -> Floats:
        """Straight between the two values, level where there is one."""
        slope = self.to_left / (self.to_left + self.to_right)
        both = self.left + (self.right - self.left) * slope
        return np.where(np.isnan(both), np.where(np.isnan(self.left), self.right, self.left), both)

    def gap_minutes(self, interval_minutes: int) -> Floats:
        """Length of the gap an interval lies in. With a value at one end alone a gap counts twice; with none, inf."""
        values = 2 - np.isnan(self.left).astype(np.int64) - np.isnan(self.right)
        length = (self.to_left + self.to_right - 1) * interval_minutes
        return np.where(values == 0, np.inf, length * np.where(values == 1, 2, 1))

    def nearest_minutes(self, interval_minutes: int) -> Floats:
        """How far the nearest value is; inf where there is none."""
        left = np.where(np.isnan(self.left), np.inf, self.to_left)
        right = np.where(np.isnan(self.right), np.inf, self.to_right)
        return np.minimum(left, right) * interval_minutes


def _nearest(kwh: Floats, known: Bools, before: Floats) -> tuple[Floats, Floats]:
    value, distance = before.copy(), np.zeros(len(before))
    values, distances = np.empty(kwh.shape), np.empty(kwh.shape)
    for point in range(len(kwh)):
        distance += 1
        values[point], distances[point] = value, distance
        value = np.where(known[point], kwh[point], value)
        distance[known[point]] = 0
    return values, distances


def _residual(days: MeterDays, gap: Bools, known: Bools) -> tuple[Floats, Codes]:
    """What the registers leave for the gap, and whether that can be."""
    total = days.register_kwh
    left = total - _added(np.where(known, days.kwh, 0.0))
    tolerance = np.maximum(SUM_CHECK_SHARE * np.abs(total), SUM_CHECK_DIAL_KWH)
    verdict = np.full(len(total), UNKNOWN, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        verdict[left > 0] = SCALED_TO
        verdict[left <= 0] = ZERO_LEFT
        verdict[left < -tolerance] = BELOW_KNOWN
        most = _IMPLAUSIBLE_RATIO * days.highest_kwh * gap.sum(axis=0) + tolerance
        verdict[left > most] = IMPLAUSIBLE
    return np.maximum(left, 0.0), verdict


# -- method and level -------------------------------------------------------------------------------------------------


def _profile(days: MeterDays, known: Bools) -> tuple[Floats, Bools]:
    """(points, rows) own profile, else that of the class at the level of the meter; and where it is the class's."""
    shape = np.where(days.expected[:, None] & ~np.isnan(days.class_shape), days.class_shape, 0.0)
    whole, at_known = _added(shape), _added(np.where(known, shape, 0.0))
    seen = _added(np.where(known, days.kwh, 0.0))
    long_known = known.sum(axis=0) * days.interval_minutes >= LINEAR_TOTAL_MINUTES
    with np.errstate(invalid="ignore", divide="ignore"):
        of_day = np.where(np.isnan(days.register_kwh), days.daily_kwh, days.register_kwh) / whole
        level = np.where(np.isnan(of_day) & long_known, seen / at_known, of_day)
        of_class = days.class_shape * np.where(np.isfinite(level), level, np.nan)
    is_class = np.isnan(days.own)
    return np.where(is_class, of_class, days.own), is_class


def _methods(
    gap: Bools, around: _Around, profile: Floats, is_class: Bools, has_total: Bools, interval_minutes: int
) -> Codes:
    length = around.gap_minutes(interval_minutes)
    longest = np.where(has_total, LINEAR_TOTAL_MINUTES, LINEAR_ALONE_MINUTES)
    code = np.where(is_class, CLASS_PROFILE, OWN_PROFILE).astype(np.int8)
    no_profile = np.isnan(profile)
    code[no_profile] = MISSING
    code[(length <= LINEAR_MINUTES) | no_profile & (length <= longest)] = LINEAR
    code[~gap] = MISSING
    return code


def _level(days: MeterDays, known: Bools, profile: Floats, is_class: Bools) -> Floats:
    """(points, rows) how high the day is beside the profile, by the values near an interval."""
    counts = known & ~np.isnan(profile)
    value, belief = np.where(counts, days.kwh, 0.0), np.where(counts, profile, 0.0)
    kept = np.exp(-days.interval_minutes / _LEVEL_MINUTES)
    # the day before ends, and the day after begins, as the profile's own day does
    ends = [_edge(days.before, profile[-1]), _edge(days.after, profile[0])]
    minutes = np.where(is_class, _CLASS_PRIOR_MINUTES, _PRIOR_MINUTES)
    prior = _added(np.nan_to_num(profile)) / len(profile) * minutes / days.interval_minutes
    sums = []
    for side, part in enumerate((value, belief)):
        first, last = ends[0][side], ends[1][side]
        far = _LEVEL_FAR * (_added(part) + first + last)
        sums.append(_faded(part, first, kept) + _faded(part[::-1], last, kept)[::-1] + far + prior)
    return np.where(sums[1] > 0, sums[0] / np.where(sums[1] > 0, sums[1], 1.0), 1.0)


def _line_share(code: Codes, around: _Around, known: Bools, interval_minutes: int) -> Floats:
    """(points, rows) what the straight line counts beside the profile."""
    near = _LINE_SHARE * np.exp(-around.nearest_minutes(interval_minutes) / _LINE_MINUTES)
    # a day without any value is far from both of its neighbours
    near = np.where(known.any(axis=0), np.minimum(near, 1.0), 0.0)
    return np.where(code == LINEAR, 1.0, near)


def _blended(
    line: Floats, shape: Floats, share: Floats, filled: Bools, residual: Floats, to_total: Bools
) -> tuple[Floats, Floats]:
    """(points, rows) estimates, and (rows,) by how much the profile was raised to meet the register total.

    The total first sets the level of the profile, so that a line held from the edges does not decide how high the
    middle of a long gap is, and then of both together.
    """
    shape, line = np.where(filled, shape, 0.0), np.where(filled & (share > 0), line, 0.0)
    level = np.where(to_total, _ratio(residual, _added(shape)), 1.0)
    blend = share * line + (1 - share) * shape * level
    whole = _added(blend)
    count = np.maximum(filled.sum(axis=0), 1)
    even = np.where(to_total & (whole <= 0), residual / count, 0.0)
    return blend * np.where(to_total, _ratio(residual, whole), 1.0) + np.where(filled, even, 0.0), level


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 1.0)


def _edge(value: Floats, profile: Floats) -> tuple[Floats, Floats]:
    counts = ~np.isnan(value) & ~np.isnan(profile)
    return np.where(counts, value, 0.0), np.where(counts, profile, 0.0)


def _faded(parts: Floats, first: Floats, kept: float) -> Floats:
    """(points, rows) sum of the values before each point, each fading with every interval."""
    out, held = np.empty(parts.shape), first.copy()
    for point, part in enumerate(parts):
        held = held * kept
        out[point] = held
        held = held + part
    return out


def _added(parts: Floats) -> Floats:
    """Sum over the points, one after another: a library's sum may take another order in a smaller block."""
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total += part
    return total


def _rounded(kwh: Floats, filled: Bools) -> Floats:
    """Values as on a dial whose sum is their sum rounded: what rounding takes from one goes to the next."""
    out, exact, given = np.full(kwh.shape, np.nan), np.zeros(kwh.shape[1]), np.zeros(kwh.shape[1])
    for point in range(len(kwh)):
        exact += np.where(filled[point], kwh[point], 0.0)
        now = np.round(exact, DECIMALS)
        out[point] = np.where(filled[point], np.round(now - given, DECIMALS), np.nan)
        given = now
    return out
