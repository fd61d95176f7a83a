"""Curves with wrong values in them: how each class of value faults looks, a meter day at a time."""

from collections.abc import Callable, Mapping

import numpy as np

from jobs.province.draws import Dials, Floats, draw
from jobs.province.faults import MISSING, TEXT_DASHES, TEXT_NA, VALUE_CLASSES, RowFault, which
from jobs.province.population import Chunk

# first slot, slot after the last, a word of detail
Spans = list[tuple[int, int, str]]
# a smaller gap between curve and registers is no fault yet, a larger one is another fault
_LEAST_GAP, _LARGEST_GAP = 0.05, 0.4


def spoil(chunk: Chunk, ordinal: int, curves: Dials, faults: Mapping[str, float], capacity: Floats) -> list[RowFault]:
    """Put value faults into the curves (points, 96) of a date, in place, and say which.

    `capacity` (points,) is what an interval at the contract capacity of the customer would show, 1e-4 kWh on the dial.
    """
    found = []
    for name, points in which(chunk, ordinal, VALUE_CLASSES, faults).items():
        for point in points.tolist():
            # a generator for each point: whether its neighbour exists must not matter
            luck = draw(chunk.seed, name, int(chunk.point_number[point]), ordinal)
            before = curves[point].copy()
            if name == "above_capacity":
                spans = _above_capacity(curves[point], luck, float(capacity[point]))
            else:
                spans = _SPOILERS[name](curves[point], luck)
            # no energy where there was none is no fault
            if (curves[point] != before).any():
                found += [RowFault(name, point, *span) for span in spans]
    return found


def spoil_for_correction(curve: Dials, luck: np.random.Generator) -> tuple[int, int]:
    """Make a curve wrong as a first delivery which is corrected later: a gap, or values taken over wrongly."""
    first, last = _run(luck, 4, 40)
    if luck.random() < 0.5:
        curve[first:last] = MISSING
    else:
        # the offset makes zeros wrong too
        curve[first:last] = (curve[first:last] * luck.uniform(0.3, 2.5) + 30).astype(np.int32)
    return first, last


def other_values(curve: Dials, luck: np.random.Generator) -> tuple[int, int]:
    """Give a stretch of a curve other values, plausible and with the meter's digits, each of them different."""
    first, last = _run(luck, 8, 60)
    step = _step(curve)
    changed = np.rint(curve[first:last] * luck.uniform(1.1, 1.8) / step).astype(np.int32) * step
    # what is too small to grow by a digit grows by three
    curve[first:last] = np.where(changed == curve[first:last], changed + 3 * step, changed)
    return first, last


def _run(luck: np.random.Generator, shortest: int, longest: int) -> tuple[int, int]:
    length = int(luck.integers(shortest, longest))
    first = int(luck.integers(0, 96 - length))
    return first, first + length


def _step(curve: Dials) -> int:
    """The last digit of a meter in 1e-4 kWh: those without transformers show thousandths."""
    return 1 if (curve % 10).any() else 10


def _missing_points(curve: Dials, luck: np.random.Generator) -> Spans:
    spans = [_run(luck, 1, 12) for _ in range(int(luck.integers(1, 3)))]
    for first, last in spans:
        curve[first:last] = MISSING
    return [(*span, "") for span in spans]


def _spike(curve: Dials, luck: np.random.Generator) -> Spans:
    at = int(luck.integers(0, 96))
    curve[at] = int(max(curve.max(), 5000) * luck.uniform(15, 60))
    return [(at, at + 1, "")]


def _stuck(curve: Dials, luck: np.random.Generator) -> Spans:
    first, last = _run(luck, 28, 70)
    curve[first:last] = max(int(curve[first]), 10)
    return [(first, last, "")]


def _zero_run(curve: Dials, luck: np.random.Generator) -> Spans:
    first, last = _run(luck, 28, 70)
    curve[first:last] = 0
    return [(first, last, "")]


def _negative(curve: Dials, luck: np.random.Generator) -> Spans:
    first, last = _run(luck, 1, 4)
    curve[first:last] = -np.maximum(curve[first:last], 10)
    return [(first, last, "")]


def _text_value(curve: Dials, luck: np.random.Generator) -> Spans:
    first, last = _run(luck, 1, 4)
    curve[first:last] = TEXT_DASHES if luck.random() < 0.5 else TEXT_NA
    return [(first, last, "")]


def _sum_gap(curve: Dials, luck: np.random.Generator) -> Spans:
    """All values of the date too low or too high by one share: the shape stays, the sum leaves the registers."""
    share = luck.uniform(0.06, 0.39) * luck.choice([-1.0, 1.0])
    known, step = curve > TEXT_NA, _step(curve)
    changed = np.where(known, np.rint(curve * (1 + share) / step) * step, curve)
    before = int(curve[known].sum(dtype=np.int64))
    gap = changed[known].sum() / before - 1 if before else 0.0
    # of a few thousandths of a kWh too little is left after rounding
    if not _LEAST_GAP <= abs(gap) <= _LARGEST_GAP:
        return []
    curve[:] = changed.astype(np.int32)
    return [(0, 96, f"{gap:+.1%} against the registers")]


def _above_capacity(curve: Dials, luck: np.random.Generator, capacity: float) -> Spans:
    """Several neighbours far above the connection: none of them stands out beside the others."""
    first, last = _run(luck, 2, 9)
    times, step = luck.uniform(2.5, 5.0), _step(curve)
    values = capacity * times * luck.uniform(0.9, 1.1, last - first)
    curve[first:last] = (np.rint(values / step) * step).astype(np.int32)
    return [(first, last, f"about {times:.1f} times the contract capacity")]


_SPOILERS: Mapping[str, Callable[[Dials, np.random.Generator], Spans]] = {
    "missing_points": _missing_points,
    "spike": _spike,
    "stuck": _stuck,
    "zero_run": _zero_run,
    "negative": _negative,
    "text_value": _text_value,
    "sum_gap": _sum_gap,
}
