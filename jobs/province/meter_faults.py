"""Curves of meters with which something is wrong for a while: what lasts days, weeks, or for good."""

from collections.abc import Iterator
from datetime import date

import numpy as np

from jobs.province import calendar_days
from jobs.province.dials import MeteredDay, meter_ids
from jobs.province.draws import Dials, Ints
from jobs.province.faults import MISSING, RowFault
from jobs.province.plan import Plan
from jobs.province.population import MAIN, Chunk

# 1e-4 kWh: registers cut to hundredths do not show for sure that less than this is in another period
_SLIGHT = 500


def spoil_meters(chunk: Chunk, plan: Plan, day: MeteredDay, curves: Dials, meter_id: Ints) -> list[RowFault]:
    """Faults of whole meters, in place. Only the curves have them; theft alone the registers had too, in `day`."""
    found = []
    ordinal, mains = day.ordinal, int((chunk.points.kind == MAIN).sum())
    for point in np.flatnonzero(plan.is_on("kw_as_kwh", ordinal)).tolist():
        curves[point] *= 4
        found.append(RowFault("kw_as_kwh", point, 0, 96))
    for point in np.flatnonzero(plan.is_on("shifted_clock", ordinal)).tolist():
        hours = 1 + int(chunk.point_number[point]) % 3
        moved = np.roll(curves[point], 4 * hours)
        slight = ", slight" if _moved_between_periods(curves[point], moved, ordinal) < _SLIGHT else ""
        curves[point] = moved
        found.append(RowFault("shifted_clock", point, 0, 96, f"{hours} hours late{slight}"))
    for point in np.flatnonzero(plan.is_on("identical_curves", ordinal)).tolist():
        other = (point + 1) % mains
        if other != point and day.is_active[other]:
            curves[point] = day.curves[other]
            found.append(RowFault("identical_curves", point, 0, 96, f"as meter {day.meter_id[other]}"))
    for point in np.flatnonzero(plan.is_on("wrong_interval_count", ordinal)).tolist():
        said = _in_fewer_points(curves[point], int(chunk.point_number[point]) % 3)
        found.append(RowFault("wrong_interval_count", point, 0, 96, said))
    for point in np.flatnonzero(plan.is_on("swapped_ids", ordinal)).tolist():
        other = (point + 1) % mains
        if other != point and day.is_active[[point, other]].all():
            meter_id[[point, other]] = meter_id[[other, point]]
            found.append(RowFault("swapped_ids", point, 0, 96, f"with meter {meter_id[point]}"))
            found.append(RowFault("swapped_ids", other, 0, 96, f"with meter {meter_id[other]}"))
    found += [RowFault("theft", point, 0, 96, said) for point, said in _thefts(plan, ordinal)]
    return found


def _moved_between_periods(curve: Dials, moved: Dials, ordinal: int) -> int:
    """The most that a period of the tariffs gains or loses by it, 1e-4 kWh."""
    periods = calendar_days.slot_periods(calendar_days.season(date.fromordinal(ordinal)))
    return int(np.abs(np.bincount(periods, moved - curve.astype(np.int64))).max())


def stray_rows(chunk: Chunk, plan: Plan, day: MeteredDay) -> tuple[list[RowFault], Ints]:
    """Rows of meters which are not installed on the date, and (points,) under which id they come.

    The head-end still, or already, takes the other meter of an exchange for the one at the point: the point's curve
    comes under both ids.
    """
    found, meter_id = [], day.meter_id.copy()
    for point, exchanged in plan.stray_meters(day.ordinal):
        if day.is_active[point]:
            is_after = exchanged <= day.ordinal
            meter_id[point] = meter_ids(chunk, plan, exchanged - 1 if is_after else exchanged)[point]
            word = "removed" if is_after else "installed"
            found.append(RowFault("not_installed", point, 0, 96, f"{word} {date.fromordinal(exchanged)}"))
    return found, meter_id


def _in_fewer_points(curve: Dials, kind: int) -> str:
    """Write the curve as a terminal does which is set to another interval than the feed's; the sum stays."""
    minutes, names = ((60, "hourly"), (60, "hourly"), (30, "half-hourly"))[kind]
    width = minutes // 15
    sums = curve.reshape(-1, width).sum(axis=1)
    curve[:] = MISSING
    if kind == 0:
        curve[width - 1 :: width] = sums
        return f"{len(sums)} {names} values in every fourth column"
    curve[: len(sums)] = sums
    return f"{len(sums)} {names} values in the first {len(sums)} columns"


def _thefts(plan: Plan, ordinal: int) -> Iterator[tuple[int, str]]:
    begins = plan.begins["theft"]
    for point in np.flatnonzero(plan.count("theft", ordinal)).tolist():
        since = int(begins[:, point][begins[:, point] > 0].min())
        yield point, f"{plan.metered_share[point]:.1%} metered since {date.fromordinal(since)}"
