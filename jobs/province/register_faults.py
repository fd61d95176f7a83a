"""Dials misread on one date: lower than the day before or far too high, and right again on the next."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jobs.province.calendar_days import PERIODS
from jobs.province.dials import Books, MeteredDay
from jobs.province.draws import Ints, draw
from jobs.province.faults import REGISTER_CLASSES, which
from jobs.province.plan import Plan
from jobs.province.population import Chunk

REGISTERS = ("total", *PERIODS)
# whole digits of a dial
_DIGITS = 6


@dataclass(frozen=True)
class Misreading:
    """One reading as it was not: its class, the point, the five true dials in kWh, and what was written instead."""

    fault: str
    point: int
    true_kwh: list[float]
    detail: str


def misread(
    chunk: Chunk, plan: Plan, before: Books, day: MeteredDay, faults: Mapping[str, float]
) -> tuple[Ints, list[Misreading]]:
    """Readings (points, 5) of a date as they are delivered, and those which are wrong."""
    readings = day.books.readings
    found: list[Misreading] = []
    hit = which(chunk, day.ordinal, REGISTER_CLASSES, faults)
    if not any(len(points) for points in hit.values()):
        return readings, found
    last = before.readings
    # a dial which began or rolled over on the date says nothing of the day before, and is never wrong twice running
    usual = (readings >= last).all(axis=1) & ~plan.happens("swapped_meter", day.ordinal)
    usual &= chunk.customers.supply_start[chunk.points.customer] < day.ordinal
    for points in which(chunk, day.ordinal - 1, REGISTER_CLASSES, faults).values():
        usual[points] = False
    for name, points in hit.items():
        for point in points[usual[points]].tolist():
            luck = draw(chunk.seed, name, int(chunk.point_number[point]), day.ordinal)
            true = readings[point] / 100
            said = _MISREADERS[name](readings[point], last[point], luck)
            if said:
                found.append(Misreading(name, point, true.tolist(), said))
    return readings, found


def _backwards(shown: Ints, last: Ints, luck: np.random.Generator) -> str:
    """Below the day before: two digits of the total swapped, or total and one period lower by the same kWh."""
    total = int(shown[0])
    swaps = [other for other in _swapped_digits(total) if other < last[0]]
    if swaps and luck.random() < 0.5:
        shown[0] = swaps[int(luck.integers(len(swaps)))]
        return f"total {shown[0] / 100:.2f} instead of {total / 100:.2f}, two digits swapped"
    lower = (-(-(total - int(last[0])) // 100) + int(luck.integers(1, 51))) * 100
    period = 1 + int(shown[1:].argmax())
    if shown[period] < lower:
        return ""
    shown[[0, period]] -= lower
    return f"total and {REGISTERS[period]} {lower / 100:.2f} too low"


def _jump(shown: Ints, last: Ints, luck: np.random.Generator) -> str:
    """One digit of one register too high, at a place which no day's use reaches."""
    register = 0 if luck.random() < 0.7 else 1 + int(shown[1:].argmax())
    used = int(shown[register] - last[register])
    true = int(shown[register])
    places = [
        100 * 10**place
        for place in range(1, _DIGITS)
        if 100 * 10**place >= 5 * used and true // (100 * 10**place) % 10 < 9
    ]
    if not places:
        return ""
    place = places[int(luck.integers(len(places)))]
    shown[register] += place * int(luck.integers(1, 10 - true // place % 10))
    return f"{REGISTERS[register]} {shown[register] / 100:.2f} instead of {true / 100:.2f}"


def _swapped_digits(reading: int) -> list[int]:
    """A reading in hundredths with two neighbouring whole digits exchanged, in every way."""
    whole = f"{reading // 100:0{_DIGITS}d}"
    swapped = (whole[:n] + whole[n + 1] + whole[n] + whole[n + 2 :] for n in range(_DIGITS - 1))
    return [int(text) * 100 + reading % 100 for text in swapped]


_MISREADERS = {"register_backwards": _backwards, "register_jump": _jump}
