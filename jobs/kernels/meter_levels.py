"""The meters of a district over some weeks -> their breaks of level, with all that speaks for and against each.

A break is taken from three sides. By the balance: the district's loss moves with the meter from a date on
(`loss_steps.py`), which tells the meter, the date and the factor to about a hundredth. By the meter's own days alone
(`own_levels.py`), for meters behind transformers, whose multiplier can be wrong: a factor which is whole, as far as
that can be told. By the master data: dates on which a meter gets another multiplier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.arrow_numbers import floats
from jobs.kernels.clock import EPOCH
from jobs.kernels.level_days import DARK_HOURS
from jobs.kernels.loss_steps import DistrictHours, loss_steps
from jobs.kernels.own_levels import OwnLevels, own_levels
from jobs.kernels.past_weeks import is_working

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Cogroup = Callable[[pa.Table, pa.Table], pa.Table]

# days with energy on both sides without which a break is not told
FEWEST_DAYS = 5
_FEWEST_OWN_DAYS = 7
# dark hours with a balance without which nothing is laid to a meter
_FEWEST_HOURS = 14 * len(DARK_HOURS)
# the share which a meter may leave to the loss: it shows 20 to 83 %; behind transformers a tenth to twenty times
_SHARES, _SHARES_BEHIND_TRANSFORMERS = (0.2, 4.0), (-0.95, 9.0)
# how far the level which the balance tells may lie from the meter's own, in its logarithm and in standard errors
_OWN_OFF, _OWN_ERRORS = 0.5, 4.0
# a step which another meter explains as well says nothing of either
_LEAST_LIKELIHOOD = 0.9
# a whole factor by the balance: so many standard errors, or that much, from the whole number
_WHOLE_ERRORS, _WHOLE_OFF, _LARGEST_WHOLE = 3.0, 0.01, 10
# and by the meter's own days; transformers are exchanged for such of two to four times the ratio
_OWN_CLEAR, _OWN_WHOLE_OFF, _OWN_LARGEST = 6.0, 0.15, 4
_LEAST_OWN = np.log(1.6)
# a level which goes on when dial and multiplier change
_GOES_ON = 0.25
_DECIMALS = 6

LEVELS = pa.schema(
    [
        ("meter_id", pa.string()),
        ("since", pa.date32()),
        ("district_id", pa.string()),
        *((name, pa.float64()) for name in ("multiplier", "multiplier_before", "ratio", "ratio_error")),
        *((name, pa.float64()) for name in ("own_ratio", "own_error", "dial_ratio")),
        ("whole_factor", pa.int32()),
        ("missing_kwh", pa.float64()),
        ("is_confirmed", pa.bool_()),
        ("is_explained", pa.bool_()),
        ("confidence", pa.float64()),
        ("days_before", pa.int32()),
        ("days_since", pa.int32()),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class _Break:
    """What one of the sides says of a place of meter and date."""

    meter: int
    since: int
    ratio: float
    error: float
    whole_factor: int
    share: float | None = None
    is_confirmed: bool | None = None
    is_explained: bool = False
    confidence: float = 0.0


def meter_levels(first: date, dates: int, worked: Mapping[int, bool]) -> Cogroup:
    """A function from a district's rows of `LEVEL_DAYS` and its balances to its breaks of level within the dates.

    A balance has balance_date, hourly_supplied_kwh, hourly_counted_kwh and hourly_doubtful_kwh; none where the
    district has no meter of its own. `worked` names the dates of the calendar which are worked or not, by ordinal.
    """
    ordinals = range(first.toordinal(), first.toordinal() + dates)
    works = np.array([is_working(day, worked) for day in ordinals])
    # weeks of holidays have a level of their own
    feast = np.array([not works[n] and date.fromordinal(day).weekday() < 5 for n, day in enumerate(ordinals)])

    def find(days: pa.Table, balances: pa.Table) -> pa.Table:
        if not days.num_rows:
            return LEVELS.empty_table()
        meters = _Meters.of(days, first.toordinal(), dates, feast)
        own, dial = own_levels(meters.primary, works), own_levels(meters.dial, works)
        hours = _hours(balances, meters, first.toordinal())
        has_balance = int((~np.isnan(hours.loss_kwh)).sum()) >= _FEWEST_HOURS
        found = _by_balance(hours, meters, own) if has_balance else []
        confirmed = {one.meter for one in found}
        found += _by_master_data(meters, own, dial, confirmed)
        # a meter of which the master data explain one break can have another one, on another date
        explained = {(one.meter, one.since) for one in found}
        of_own_days = _by_own_days(meters, own, confirmed, has_balance=has_balance)
        found += [one for one in of_own_days if (one.meter, one.since) not in explained]
        return _rows(sorted(found, key=lambda one: (one.since, one.meter)), meters, own, dial, first.toordinal())

    return find


@dataclass(frozen=True, eq=False)
class _Meters:
    """Meters of a district in the order of their ids, (meters, dates[, hours]); NaN where unknown."""

    ids: pa.Array
    district_id: str | None
    multiplier: Floats
    dial: Floats
    dark: Floats
    latest: Ints

    @property
    def primary(self) -> Floats:
        return np.asarray(self.dial * self.multiplier)

    @property
    def has_transformers(self) -> Bools:
        return np.asarray(np.nan_to_num(self.multiplier).max(axis=1) > 1)

    @classmethod
    def of(cls, days: pa.Table, first: int, dates: int, feast: Bools) -> "_Meters":
        days = days.combine_chunks().sort_by([("meter_id", "ascending"), ("read_date", "ascending")])
        names = days.column("meter_id").combine_chunks().dictionary_encode()
        meter = names.indices.to_numpy().astype(np.int64)
        day = _ordinals(days.column("read_date")) - first
        shape = (len(names.dictionary), dates)
        multiplier, dial = np.full(shape, np.nan), np.full(shape, np.nan)
        multiplier[meter, day] = floats(days.column("multiplier"))
        dial[meter, day] = floats(days.column("daily_kwh"))
        dark = np.full((*shape, len(DARK_HOURS)), np.nan)
        dark[meter, day] = _lists(days.column("dark_kwh"), len(DARK_HOURS))
        latest = np.full(shape[0], np.iinfo(np.int64).min)
        known = pc.fill_null(days.column("available_at").cast(pa.int64()), np.iinfo(np.int64).min)
        np.maximum.at(latest, meter, known.to_numpy())
        dial[:, feast] = np.nan
        return cls(names.dictionary, days.column("district_id")[0].as_py(), multiplier, dial, dark, latest)

    def multipliers_at(self, meter: int, since: int) -> tuple[float, float]:
        """Before the date and from it on; NaN where the meter was not there."""
        said = self.multiplier[meter]
        before, after = said[:since][~np.isnan(said[:since])], said[since:][~np.isnan(said[since:])]
        return (float(before[-1]) if before.size else np.nan, float(after[0]) if after.size else np.nan)


def _hours(balances: pa.Table, meters: _Meters, first: int) -> DistrictHours:
    dates = meters.dial.shape[1]
    sides = [np.full((dates, len(DARK_HOURS)), np.nan) for _ in range(3)]
    if balances.num_rows:
        day = _ordinals(balances.column("balance_date")) - first
        for side, name in zip(sides, ("supplied", "counted", "doubtful"), strict=True):
            side[day] = _lists(balances.column(f"hourly_{name}_kwh"), 24)[:, list(DARK_HOURS)]
    supplied, counted, doubtful = sides
    by_meter = np.nan_to_num(meters.dark * meters.multiplier[:, :, None])
    return DistrictHours(supplied, supplied - counted, doubtful, by_meter)


# -- the three sides --------------------------------------------------------------------------------------------------


def _by_balance(hours: DistrictHours, meters: _Meters, own: OwnLevels) -> list[_Break]:
    behind = meters.has_transformers[:, None]
    least, most = (np.where(behind, _SHARES_BEHIND_TRANSFORMERS[n], _SHARES[n]) for n in (0, 1))
    # a share of the loss which the meter's own level contradicts is another meter's
    off = np.maximum(_OWN_ERRORS * own.error, _OWN_OFF)
    lowest = np.fmax(least, np.exp(-(own.change + off)) - 1)
    highest = np.fmin(most, np.exp(-(own.change - off)) - 1)
    found = []
    for step in loss_steps(hours, own, (lowest, highest)):
        before, since = own.days_before[step.meter, step.since], own.days_since[step.meter, step.since]
        if min(before, since) < FEWEST_DAYS or step.likelihood < _LEAST_LIKELIHOOD:
            continue
        error = step.error / (1 + step.share)
        whole = 0
        if behind[step.meter, 0]:
            whole = _whole(step.level, max(_WHOLE_ERRORS * error, _WHOLE_OFF), _LARGEST_WHOLE)
        found.append(_Break(step.meter, step.since, step.level, error, whole, step.share, True, False, step.likelihood))
    return found


def _by_master_data(meters: _Meters, own: OwnLevels, dial: OwnLevels, known: set[int]) -> list[_Break]:
    """Dates on which a meter gets another multiplier and its dial changes as much: nothing is wrong."""
    filled = _filled(meters.multiplier)
    with np.errstate(invalid="ignore"):
        changes = (filled[:, 1:] != filled[:, :-1]) & ~np.isnan(filled[:, 1:] + filled[:, :-1])
    found = []
    for meter, before in zip(*np.nonzero(changes), strict=True):
        since = int(before) + 1
        if meter in known or min(dial.days_before[meter, since], dial.days_since[meter, since]) < FEWEST_DAYS:
            continue
        change, error = own.change[meter, since], own.error[meter, since]
        if abs(change) > max(_OWN_ERRORS * error, _GOES_ON):
            continue
        step = float(filled[meter, since] / filled[meter, before])
        whole = _whole(1 / step, _WHOLE_OFF, _LARGEST_WHOLE)
        sure = _sure(dial.change[meter, since], dial.error[meter, since])
        found.append(
            _Break(int(meter), since, float(np.exp(change)), float(error), whole, is_explained=True, confidence=sure)
        )
    return found


def _by_own_days(meters: _Meters, own: OwnLevels, known: set[int], *, has_balance: bool) -> list[_Break]:
    """The clearest change of each meter behind transformers which no other side told."""
    found = []
    enough = np.minimum(own.days_before, own.days_since) >= _FEWEST_OWN_DAYS
    with np.errstate(divide="ignore"):
        sides = 1 / np.maximum(own.days_before, 1e-9) + 1 / np.maximum(own.days_since, 1e-9)
    gain = np.where(enough, np.nan_to_num(own.change) ** 2 / sides, 0.0)
    for meter in np.flatnonzero(meters.has_transformers):
        since = int(np.argmax(gain[meter]))
        change, error = own.change[meter, since], own.error[meter, since]
        if meter in known or not gain[meter, since] > 0 or abs(change) < max(_OWN_CLEAR * error, _LEAST_OWN):
            continue
        off = max(_WHOLE_ERRORS * error, _OWN_WHOLE_OFF)
        whole = _whole(float(np.exp(change)), off, _OWN_LARGEST)
        confirmed = False if has_balance else None
        ratio, sure = float(np.exp(change)), _sure(change, error)
        found.append(_Break(int(meter), since, ratio, float(error), whole, is_confirmed=confirmed, confidence=sure))
    return found


def _whole(ratio: float, off: float, largest: int) -> int:
    """K where the ratio is k, -k where it is 1 / k, 0 where it is neither, within `off` of its logarithm."""
    times = round(max(ratio, 1 / ratio))
    if not 2 <= times <= largest or abs(abs(np.log(ratio)) - np.log(times)) > off:
        return 0
    return times if ratio > 1 else -times


def _sure(change: float, error: float) -> float:
    z = change / error if error > 0 else 0.0
    return float(z**2 / (z**2 + 9))


# -- rows -------------------------------------------------------------------------------------------------------------


def _rows(found: list[_Break], meters: _Meters, own: OwnLevels, dial: OwnLevels, first: int) -> pa.Table:
    at = tuple(np.array([getattr(one, name) for one in found], dtype=np.int64) for name in ("meter", "since"))
    multipliers = np.array([meters.multipliers_at(one.meter, one.since) for one in found]).reshape(-1, 2)
    counted = [float(np.nanmean(meters.primary[one.meter, one.since :])) for one in found]
    missing = [np.nan if one.share is None else one.share * kwh for one, kwh in zip(found, counted, strict=True)]
    columns = {
        "meter_id": meters.ids.take(pa.array(at[0])),
        "since": pa.array((at[1] + first - EPOCH).astype(np.int32)).cast(pa.date32()),
        "district_id": pa.array([meters.district_id] * len(found), pa.string()),
        "multiplier": _numbers(multipliers[:, 1]),
        "multiplier_before": _numbers(multipliers[:, 0]),
        "ratio": _numbers([one.ratio for one in found]),
        "ratio_error": _numbers([one.error for one in found]),
        "own_ratio": _numbers(np.exp(own.change[at])),
        "own_error": _numbers(own.error[at]),
        "dial_ratio": _numbers(np.exp(dial.change[at])),
        "whole_factor": pa.array([one.whole_factor for one in found], pa.int32()),
        "missing_kwh": _numbers(missing),
        "is_confirmed": pa.array([one.is_confirmed for one in found], pa.bool_()),
        "is_explained": pa.array([one.is_explained for one in found], pa.bool_()),
        "confidence": _numbers([one.confidence for one in found]),
        "days_before": pa.array(own.days_before[at], pa.int32()),
        "days_since": pa.array(own.days_since[at], pa.int32()),
        "available_at": pa.array(meters.latest[at[0]]).cast(pa.timestamp("us", tz="UTC")),
    }
    return pa.table([columns[field.name] for field in LEVELS], schema=LEVELS)


def _numbers(values: object) -> pa.Array:
    numbers = np.round(np.asarray(values, dtype=np.float64), _DECIMALS)
    return pa.array(numbers, mask=np.isnan(numbers))


def _filled(values: Floats) -> Floats:
    """The last known value before where there is none."""
    place = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    return np.asarray(np.take_along_axis(values, np.maximum.accumulate(place, axis=1), axis=1))


def _ordinals(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.cast(pa.int32()).to_numpy(), dtype=np.int64) + EPOCH


def _lists(column: pa.ChunkedArray, length: int) -> Floats:
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64).reshape(-1, length)
