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
from jobs.kernels.energy_ranges import added, covariances, faded, far_alike, quantiles
from jobs.kernels.gap_edges import GapEdges
from schemas.quality_codes import CLASS_PROFILE, LINEAR, MISSING, OWN_PROFILE, SCALED

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

# as fine as a dial's curve is read out
DECIMALS = 4

# between two neighbours a profile lowers the error from .339 to .333 and is not worth to be read; at an hour it is:
# .382 and .367
LINEAR_MINUTES = 30
# without a profile, and without one but with a register total: further a straight line does not reach
LINEAR_ALONE_MINUTES = 120
LINEAR_TOTAL_MINUTES = 360

# share of the straight line at a distance from the nearest value, 1.24 exp(-minutes/60), and never above 1
_LINE_SHARE, _LINE_MINUTES = 1.24, 60.0
# half of the line follows the profile in a gap of this length
_BENT_MINUTES = 60.0
# level of the day beside its profile: values count by exp(-minutes/120) and a little however far, against a prior
# belief in the profile's own level which weighs as much as two hours of it
_LEVEL_MINUTES, _LEVEL_FAR, _PRIOR_MINUTES = 120.0, 0.1, 120.0
# a class profile has no own level to believe in: half an hour of the day's values says as much
_CLASS_PRIOR_MINUTES = 30.0
# a residual of the registers above so many times the highest interval seen, in every interval of the gap, is wrong
_IMPLAUSIBLE_RATIO = 3.0

_SCALED_CODES = np.array([SCALED.get(code, code) for code in range(max(SCALED) + 1)], dtype=np.int8)

# spread of an estimate: that of the profile, less 0.4 of its variance beside a value; as a share of the mean where
# there is no own profile, and of the estimate where there is none at all
_SPREAD_FACTOR, _NEAR_VALUE = 1.06, 0.4
_CLASS_SPREAD, _LINE_SPREAD = 0.8, 0.65
_RAISED = (0.05, 5.0)
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
    registers counted on the day. own, spread: mean and standard deviation of the meter's own profile at these times,
    NaN throughout for a meter without one. daily_kwh, daily_spread_kwh: the same of the meter's whole days;
    highest_kwh: the highest interval it showed. class_shape: profile of its usage class in any unit. before, after: the
    last value of the day before and the first of the day after.
    """

    kwh: Floats
    interval_minutes: int
    expected: Bools
    register_kwh: Floats
    own: Floats
    spread: Floats
    daily_kwh: Floats
    daily_spread_kwh: Floats
    highest_kwh: Floats
    class_shape: Floats
    before: Floats
    after: Floats


@dataclass(frozen=True, eq=False)
class Estimates:
    """What was estimated, in the shapes of the days it was estimated for.

    kwh: the whole day with its gaps filled, NaN where no method applies. code: how an interval was estimated, 0 where
    it was not. p10_kwh, p90_kwh: (points, rows), NaN where not estimated. energy_kwh: (rows,), the estimated intervals
    of the day together, NaN without any, with its standard deviation (`energy_ranges.quantiles` gives its range).
    verdict: one of VERDICTS.
    """

    kwh: Floats
    code: Codes
    p10_kwh: Floats
    p90_kwh: Floats
    energy_kwh: Floats
    energy_spread_kwh: Floats
    verdict: Codes


def days_with_gaps(kwh: npt.NDArray[np.floating], expected: Bools) -> Ints:
    """Which columns of (points, rows) lack an interval that the date has: only these need a profile and an estimate."""
    lacks = np.isnan(kwh)
    lacks[~expected] = False
    return np.flatnonzero(lacks.any(axis=0))


def estimated(days: MeterDays) -> Estimates:
    """Estimates for the gaps of a block of meter days."""
    known = ~np.isnan(days.kwh)
    gap = ~known & days.expected[:, None]
    # a value below zero is a fault, or fed in: an estimate has no part in it
    kwh, before, after = (np.maximum(part, 0.0) for part in (days.kwh, days.before, days.after))
    around = GapEdges.of(kwh, before, after)
    gap_minutes = around.gap_minutes(days.interval_minutes)
    residual, verdict = _residual(days, gap, known)
    is_total_right = (verdict == SCALED_TO) | (verdict == ZERO_LEFT)
    profile, is_class = _profile(days, known, np.where(is_total_right, days.register_kwh, days.daily_kwh))
    code, verdict = _methods(gap, gap_minutes, profile, is_class, verdict)
    filled, to_total = code != MISSING, (verdict == SCALED_TO) | (verdict == ZERO_LEFT)
    shape = profile * _level(days, known, profile, is_class)
    off = GapEdges.of(kwh - shape, before - shape[-1], after - shape[0])
    line = _bent(around.line(), np.maximum(shape + off.line(), 0.0), np.where(code == LINEAR, 0.0, gap_minutes))
    shape = np.where(code == LINEAR, line, shape)
    share = _line_share(code, around, known, days.interval_minutes)
    kwh = _blended(line, shape, share, filled, residual, to_total)
    spread = _spread(days, profile, is_class, kwh, share, code)
    # how an interval's error goes with those of all others of the gap; their sum is the variance of its energy
    far = far_alike(days.spread, days.daily_spread_kwh, days.interval_minutes)
    with_others = covariances(spread, far, days.interval_minutes)
    variance = added(with_others)
    of_sum = with_others**2 * np.where(to_total & (variance > 0), 1 / np.where(variance > 0, variance, 1.0), 0.0)
    low, high = quantiles(kwh, np.sqrt(np.maximum(spread**2 - of_sum, 0.0)))
    kwh = _rounded(kwh, filled)
    energy_spread = np.where(to_total, _REGISTER_SPREAD, np.sqrt(variance))
    scaled = filled & to_total
    code[scaled] = _SCALED_CODES[code[scaled]]
    return Estimates(
        kwh=np.where(filled, kwh, days.kwh),
        code=code,
        p10_kwh=np.where(filled, low, np.nan),
        p90_kwh=np.where(filled, high, np.nan),
        energy_kwh=np.where(filled.any(axis=0), np.round(added(np.where(filled, kwh, 0.0)), DECIMALS), np.nan),
        energy_spread_kwh=np.where(filled.any(axis=0), energy_spread, np.nan),
        verdict=verdict,
    )


# -- spread -----------------------------------------------------------------------------------------------------------


def _spread(days: MeterDays, profile: Floats, is_class: Bools, kwh: Floats, share: Floats, code: Codes) -> Floats:
    """(points, rows) standard deviation of the true value from the estimate, zero where there is none.

    That of the profile, more on a high day and less on a low one, and less near a value.
    """
    mean = added(np.nan_to_num(profile)) / len(profile)
    of_class = _CLASS_SPREAD * np.sqrt(np.maximum(profile, 0.0) * mean)
    spread = np.where(is_class | np.isnan(days.spread), of_class, days.spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        raised = np.clip(np.where(profile > 0, kwh / profile, np.inf), *_RAISED)
    spread = np.where(np.isnan(profile), _LINE_SPREAD * kwh, spread * np.sqrt(raised))
    near = np.where(np.isnan(profile), 0.0, _NEAR_VALUE * np.minimum(share, 1.0))
    return np.where(code == MISSING, 0.0, _SPREAD_FACTOR * spread * np.sqrt(1 - near))


# -- registers ---------------------------------------------------------------------------------------------------------


def _residual(days: MeterDays, gap: Bools, known: Bools) -> tuple[Floats, Codes]:
    """What the registers leave for the gap, and whether that can be."""
    total = days.register_kwh
    left = total - added(np.where(known, days.kwh, 0.0))
    tolerance = np.maximum(SUM_CHECK_SHARE * np.abs(total), SUM_CHECK_DIAL_KWH)
    verdict = np.full(len(total), UNKNOWN, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        verdict[left > 0] = SCALED_TO
        verdict[left <= 0] = ZERO_LEFT
        verdict[left < -tolerance] = BELOW_KNOWN
        highest = np.maximum(days.highest_kwh, np.where(known, days.kwh, 0.0).max(axis=0))
        most = _IMPLAUSIBLE_RATIO * highest * gap.sum(axis=0) + tolerance
        verdict[left > most] = IMPLAUSIBLE
    return np.maximum(left, 0.0), verdict


# -- method and level -------------------------------------------------------------------------------------------------


def _profile(days: MeterDays, known: Bools, day_kwh: Floats) -> tuple[Floats, Bools]:
    """(points, rows) own profile, else that of the class at the level of the meter; and where it is the class's.

    The level is that of the whole day, else that of its known part, which has to be a quarter of the day.
    """
    shape = np.where(days.expected[:, None] & ~np.isnan(days.class_shape), days.class_shape, 0.0)
    whole, at_known = added(shape), added(np.where(known, shape, 0.0))
    seen = added(np.where(known, np.maximum(days.kwh, 0.0), 0.0))
    long_known = known.sum(axis=0) * 4 >= len(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_day = day_kwh / whole
        level = np.where(np.isnan(of_day) & long_known, seen / at_known, of_day)
        of_class = days.class_shape * np.where(np.isfinite(level), level, np.nan)
    is_class = np.isnan(days.own)
    return np.where(is_class, of_class, days.own), is_class


def _methods(gap: Bools, gap_minutes: Floats, profile: Floats, is_class: Bools, verdict: Codes) -> tuple[Codes, Codes]:
    """(points, rows) method of each missing interval, and the verdict, which is another where a part has none."""
    no_profile = np.isnan(profile)
    by_profile = np.where(no_profile, MISSING, np.where(is_class, CLASS_PROFILE, OWN_PROFILE))

    def methods() -> Codes:
        # nothing is left for the gap: then its length does not matter
        longest = np.where(verdict == SCALED_TO, LINEAR_TOTAL_MINUTES, LINEAR_ALONE_MINUTES)
        longest = np.where(verdict == ZERO_LEFT, np.inf, longest)
        is_line = (gap_minutes <= LINEAR_MINUTES) | no_profile & (gap_minutes <= longest)
        return np.where(gap, np.where(is_line, LINEAR, by_profile), MISSING).astype(np.int8)

    code = methods()
    partial = (gap & (code == MISSING)).any(axis=0) & (verdict != UNKNOWN)
    verdict = np.where(partial, NOT_FILLED, verdict).astype(np.int8)
    return methods() if partial.any() else code, verdict


def _level(days: MeterDays, known: Bools, profile: Floats, is_class: Bools) -> Floats:
    """(points, rows) how high the day is beside the profile, by the values near an interval."""
    counts = known & ~np.isnan(profile)
    value, belief = np.where(counts, np.maximum(days.kwh, 0.0), 0.0), np.where(counts, profile, 0.0)
    kept = np.exp(-days.interval_minutes / _LEVEL_MINUTES)
    # the day before ends, and the day after begins, as the profile's own day does
    ends = [_edge(days.before, profile[-1]), _edge(days.after, profile[0])]
    minutes = np.where(is_class, _CLASS_PRIOR_MINUTES, _PRIOR_MINUTES)
    prior = added(np.nan_to_num(profile)) / len(profile) * minutes / days.interval_minutes
    sums = []
    for side, part in enumerate((value, belief)):
        first, last = ends[0][side], ends[1][side]
        far = _LEVEL_FAR * (added(part) + first + last)
        sums.append(faded(part, first, kept) + faded(part[::-1], last, kept)[::-1] + far + prior)
    return np.where(sums[1] > 0, sums[0] / np.where(sums[1] > 0, sums[1], 1.0), 1.0)


def _bent(line: Floats, beside: Floats, gap_minutes: Floats) -> Floats:
    """(points, rows) the straight line, in a long gap the line that keeps its distance from the profile.

    From a high evening to a high morning a straight line runs above the night between them.
    """
    with np.errstate(divide="ignore"):
        share = 1 / (1 + _BENT_MINUTES / gap_minutes)
    return np.where(np.isnan(beside), line, line + (np.nan_to_num(beside) - line) * share)


def _line_share(code: Codes, around: GapEdges, known: Bools, interval_minutes: int) -> Floats:
    """(points, rows) what the straight line counts beside the profile."""
    near = _LINE_SHARE * np.exp(-around.nearest_minutes(interval_minutes) / _LINE_MINUTES)
    # a day without any value is far from both of its neighbours
    near = np.where(known.any(axis=0), np.minimum(near, 1.0), 0.0)
    return np.where(code == LINEAR, 1.0, near)


def _blended(line: Floats, shape: Floats, share: Floats, filled: Bools, residual: Floats, to_total: Bools) -> Floats:
    """(points, rows) estimates, zero where there is none.

    The total first sets the level of the profile, so that a line held from the edges does not decide how high the
    middle of a long gap is, and then of both together.
    """
    shape, line = (np.where(filled & ~np.isnan(part), part, 0.0) for part in (shape, line))
    level = np.where(to_total, _ratio(residual, added(shape)), 1.0)
    blend = share * line + (1 - share) * shape * level
    whole = added(blend)
    count = np.maximum(filled.sum(axis=0), 1)
    even = np.where(to_total & (whole <= 0), residual / count, 0.0)
    return np.asarray(blend * np.where(to_total, _ratio(residual, whole), 1.0) + np.where(filled, even, 0.0))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 1.0)


def _edge(value: Floats, profile: Floats) -> tuple[Floats, Floats]:
    counts = ~np.isnan(value) & ~np.isnan(profile)
    return np.where(counts, np.maximum(value, 0.0), 0.0), np.where(counts, profile, 0.0)


def _rounded(kwh: Floats, filled: Bools) -> Floats:
    """Values as on a dial whose sum is their sum rounded: what rounding takes from one goes to the next."""
    out, exact, given = np.full(kwh.shape, np.nan), np.zeros(kwh.shape[1]), np.zeros(kwh.shape[1])
    for point in range(len(kwh)):
        exact += np.where(filled[point], kwh[point], 0.0)
        now = np.round(exact, DECIMALS)
        out[point] = np.where(filled[point], np.round(now - given, DECIMALS), np.nan)
        given = now
    return out
