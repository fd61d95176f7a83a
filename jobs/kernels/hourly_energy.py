"""Validated meter days -> energy of each clock hour, and how much of it is doubtful."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.clock import EPOCH, MINUTES_A_DAY, day_clock, day_minutes
from jobs.kernels.day_checks import grouped_curves
from schemas.quality_codes import EDITED, MEASURED, MENDED

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOURS = 24
_HOUR = 60
# the energy of the day is right and lies in other hours, nobody knows in which
_OTHER_HOURS = ("MD-25",)
# the register of the day is not right
_NO_REGISTER = ("MD-15",)
# longer intervals than declared: the measured values are those of equal parts of the day, wherever they stand
_LONGER = ("MD-23",)
# a day is doubted whose values stayed as they were sent although the register says something else
_REGISTER_KWH, _REGISTER_SHARE = 0.05, 0.02


@dataclass(frozen=True, eq=False)
class HourlyEnergy:
    """Dial kWh, (rows, 24) by hour of the clock. On dates of other than 24 hours an hour holds both or none.

    kwh: NaN where an interval of the hour has no value. doubtful_kwh: the part of it which is estimated, or of a day
    that is doubted; 0 where nothing is.
    """

    kwh: Floats
    doubtful_kwh: Floats
    # (rows,) energy of the estimated intervals
    estimated_kwh: Floats
    # (rows,) whether the whole day is doubted
    is_doubted: Bools


def hourly_energy(batch: pa.RecordBatch, time_zone: str) -> HourlyEnergy:
    """Of validated meter days: read_date, interval_minutes, kwh, quality, flags, total_kwh, register_kwh and so on.

    A curve whose clock is seen to be wrong is read at the right one: what was moved out of the date at its end stands
    at its beginning.
    """
    rows = batch.num_rows
    kwh, doubtful, estimated = np.full((rows, HOURS), np.nan), np.zeros((rows, HOURS)), np.zeros(rows)
    flags = batch.column("flags")
    doubted = _has_any(flags, _OTHER_HOURS) | _contradicted(batch, _has_any(flags, _NO_REGISTER))
    is_longer = _has_any(flags, _LONGER)
    ordinals = batch.column("read_date").cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    quality = {tuple(places): codes for places, codes, _ in grouped_curves(batch, "quality")}
    shift = pc.fill_null(batch.column("clock_shift_minutes"), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    for places, sent, minutes in grouped_curves(batch):
        late = shift[places] // max(minutes, 1)
        curve = _rolled(sent, late)
        is_known = np.isin(_rolled(quality[tuple(places)], late), (MEASURED, MENDED, EDITED))
        estimated[places] = np.where(is_known, 0.0, np.nan_to_num(curve)).sum(axis=1)
        if not minutes or _HOUR % minutes:
            # an interval longer than an hour says nothing of its hours
            continue
        sure = is_known & ~doubted[places, None]
        for mine, hours in _hours(ordinals[places], curve.shape[1], minutes, time_zone):
            into = places[mine]
            kwh[into] = _by_hour(curve[mine], hours)
            unsure = np.where(sure[mine], 0.0, np.nan_to_num(curve[mine]))
            doubtful[into] = _by_hour(unsure, hours)
        for parts in (HOURS, 2 * HOURS):
            # read as they stand, in order
            mine = np.flatnonzero(is_longer[places] & (is_known.sum(axis=1) == parts) & (late == 0))
            hourly = curve[mine][is_known[mine]].reshape(len(mine), HOURS, parts // HOURS).sum(axis=2)
            kwh[places[mine]], doubtful[places[mine]] = hourly, hourly * doubted[places[mine], None]
    return HourlyEnergy(kwh, doubtful, estimated, doubted)


def _hours(ordinals: Ints, points: int, minutes: int, time_zone: str) -> list[tuple[Ints, Ints]]:
    """Places of rows whose intervals lie in the same hours, and the hour of each interval; -1 where there is none."""
    dates, of_date = np.unique(ordinals, return_inverse=True)
    regular = np.array([day_minutes(int(day), time_zone) == MINUTES_A_DAY for day in dates])
    # the clock of one regular date is that of all
    kind = np.where(regular, -1, np.arange(len(dates)))[of_date]
    parts = []
    for number in np.unique(kind):
        mine = np.flatnonzero(kind == number)
        clock = day_clock(int(ordinals[mine[0]]), points, minutes, time_zone)
        parts.append((mine, np.where(clock.expected, clock.starts // _HOUR, -1)))
    return parts


def _contradicted(batch: pa.RecordBatch, no_register: Bools) -> Bools:
    """(rows,) whether the register says another energy than the values."""
    total, register = (
        np.asarray(batch.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)
        for name in ("total_kwh", "register_kwh")
    )
    with np.errstate(invalid="ignore"):
        off = np.abs(total - register) > _REGISTER_KWH + _REGISTER_SHARE * np.abs(register)
    return np.asarray(off & ~no_register)


def _rolled(values: Floats, late: Ints) -> Floats:
    """The rows, each moved forward by so many intervals as it is late."""
    out = values.copy()
    for step in np.unique(late[late != 0]):
        mine = late == step
        out[mine] = np.roll(values[mine], -step, axis=1)
    return out


def _by_hour(values: Floats, hours: Ints) -> Floats:
    """(rows, 24) sums in the order of the intervals."""
    out = np.zeros((len(values), HOURS))
    for place, hour in enumerate(hours):
        if hour >= 0:
            out[:, hour] += values[:, place]
    return out


def _has_any(flags: pa.ListArray, words: tuple[str, ...]) -> Bools:
    rows = pc.list_parent_indices(flags).to_numpy(zero_copy_only=False).astype(np.int64)
    has = np.zeros(len(flags), np.bool_)
    wanted = pc.is_in(flags.flatten(), value_set=pa.array(words)).to_numpy(zero_copy_only=False).astype(np.bool_)
    has[rows[wanted]] = True
    return has
