"""Dials: how the energy of a date moves the registers of a meter, and what billing makes of them.

On a date without a fault a reading is the reading before plus the sum of the date's intervals, in total and in each
period of the tariffs, cut to the hundredth of a kWh.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from jobs.province import calendar_days
from jobs.province.districts import Supply, supply
from jobs.province.draws import Bools, Dials, Floats, Ints, draw
from jobs.province.load import net_kwh
from jobs.province.plan import Plan
from jobs.province.population import CHUNK, Chunk
from jobs.province.profiles import ProvinceError

# a dial shows hundredths of a kWh and rolls over at a million kWh
ROLL_OVER = 10**8
_HALF_DAY_SPLIT = np.array([0.06, 0.32, 0.35, 0.27])


@dataclass(frozen=True)
class Books:
    """Where the meters stand at the midnight which ends `ordinal`; (points, 4) by period, in the order of PERIODS.

    `dial` counts 1e-4 kWh on the installed meter without rolling over. `billed` counts 0.01 kWh after the multiplier
    which the master data state: it adds up differences of dials as they are read, so bills agree with readings.
    `district_dial` (districts, 4) counts as `dial` on the meters of the transformer districts.
    """

    ordinal: int
    dial: Ints
    billed: Ints
    district_dial: Ints

    @property
    def readings(self) -> Ints:
        """(points, 5) what the dials show: total and the four periods, hundredths of a kWh."""
        return _shown(self.dial)

    @property
    def district_readings(self) -> Ints:
        """(districts, 5) what the dials of the districts show."""
        return _shown(self.district_dial)


def _shown(dial: Ints) -> Ints:
    return np.asarray(
        np.concatenate([dial.sum(axis=1, keepdims=True), dial], axis=1) // 100 % ROLL_OVER, dtype=np.int64
    )


@dataclass(frozen=True)
class MeteredDay:
    """A date at the meters of a chunk, as it truly was, with the books after it.

    `drawn` is what the dials would show of all that was drawn: where there is theft, `curves` is a share of it.
    """

    ordinal: int
    curves: Dials  # (points, 96), 1e-4 kWh on the dial
    drawn: Dials  # (points, 96)
    is_active: Bools
    meter_id: Ints
    known_multiplier: Ints  # what the master data say
    multiplier: Floats  # what the transformers really are
    energy_drawn: Ints  # (points, 4), 1e-4 kWh on the dial
    supply: Supply
    books: Books

    @property
    def primary_kwh(self) -> Floats:
        """(points, 4) primary kWh drawn by period."""
        return np.asarray(self.energy_drawn * self.multiplier[:, None] / 10_000, dtype=np.float64)


def meter_ids(chunk: Chunk, plan: Plan, ordinal: int) -> Ints:
    """Asset numbers of the meters installed on a date: each swap counts up the last two digits."""
    return np.asarray(
        410_000_000_000 + chunk.point_number * 100 + plan.count("swapped_meter", ordinal) + 1, dtype=np.int64
    )


def opening_books(chunk: Chunk, plan: Plan) -> Books:
    """The books at the midnight before the province's first day."""
    points = chunk.points
    old = points.mean_kw * 24 / points.multiplier * draw(chunk.seed, "dial", chunk.index).integers(
        100, 2500, 2 * CHUNK
    )[chunk.point_address]  # fmt: skip
    near = ROLL_OVER / 100 - points.mean_kw * 24 / points.multiplier * plan.wraps_after
    total = np.where(plan.wraps_after > 0, near, np.minimum(old, 900_000.0))
    total = np.where(chunk.customers.supply_start[points.customer] > plan.start, 0.0, total)
    dial = np.floor(total[:, None] * _HALF_DAY_SPLIT * 10_000).astype(np.int64)
    of_districts = np.floor(chunk.districts.opening_kwh[:, None] * _HALF_DAY_SPLIT * 10_000).astype(np.int64)
    return Books(plan.start - 1, dial, np.zeros_like(dial), of_districts)


def next_day(chunk: Chunk, plan: Plan, books: Books) -> MeteredDay:
    """The date after the books' date."""
    ordinal = books.ordinal + 1
    day, points = date.fromordinal(ordinal), chunk.points
    known = plan.known_multiplier(points.multiplier, ordinal)
    true = known * plan.error(ordinal)
    is_active = chunk.customers.supply_start[points.customer] <= ordinal
    net = net_kwh(chunk, plan, day) * is_active[:, None]
    used = np.maximum(net, 0.0)
    # meters without transformers measure to a thousandth of a kWh, those behind transformers to a ten-thousandth
    step = np.where(points.has_transformers, 1, 10)
    drawn = np.rint(used * (10_000 / (true * step))[:, None]) * step[:, None]
    curves = _metered(plan, ordinal, drawn, step)
    in_period = (calendar_days.slot_periods(calendar_days.season(day))[:, None] == np.arange(4)).astype(np.float64)
    energy = np.rint(curves @ in_period).astype(np.int64)
    before = np.where(plan.happens("swapped_meter", ordinal)[:, None], 0, books.dial)
    dial = before + energy
    billed = books.billed + (dial // 100 - before // 100) * known[:, None]
    supplied = supply(chunk.districts, net, used, energy.sum(axis=1) * known / 10_000, in_period)
    is_whole = curves is drawn
    return MeteredDay(
        ordinal=ordinal,
        curves=curves.astype(np.int32),
        drawn=drawn.astype(np.int32),
        is_active=is_active,
        meter_id=meter_ids(chunk, plan, ordinal),
        known_multiplier=known,
        multiplier=true,
        energy_drawn=energy if is_whole else np.rint(drawn @ in_period).astype(np.int64),
        supply=supplied,
        books=Books(ordinal, dial, billed, books.district_dial + supplied.energy),
    )


def _metered(plan: Plan, ordinal: int, drawn: Floats, step: Ints) -> Floats:
    """What the meters show of what was drawn; the same array where they show all of it."""
    past = np.flatnonzero(plan.count("theft", ordinal))
    if not len(past):
        return drawn
    curves, digit = drawn.copy(), step[past, None]
    curves[past] = np.rint(drawn[past] * plan.metered_share[past, None] / digit) * digit
    return curves


@dataclass(frozen=True)
class Bookcase:
    """Books kept between runs, one file a date and chunk: month ends for billing, the last week for late readings."""

    root: Path

    def put(self, chunk: int, books: Books) -> None:
        """Store books; a reader never sees half of them."""
        path = self._path(chunk, books.ordinal)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            for part in (books.dial, books.billed, books.district_dial):
                np.save(file, part)
        unfinished.replace(path)

    def get(self, chunk: int, ordinal: int) -> Books | None:
        """Books of a date, None where they were not kept."""
        path = self._path(chunk, ordinal)
        if not path.exists():
            return None
        try:
            with path.open("rb") as file:
                dial, billed, district_dial = (np.load(file, allow_pickle=False) for _ in range(3))
        except (EOFError, ValueError):
            raise ProvinceError(f"{path}: books of another version or cut; write the initial load again") from None
        return Books(ordinal, dial, billed, district_dial)

    def forget(self, chunk: int, before: int) -> None:
        """Remove books older than a date, except those of month ends."""
        for path in self.root.glob(f"*/{chunk:05d}.npy"):
            day = date.fromisoformat(path.parent.name)
            if day.toordinal() < before and not is_month_end(day.toordinal()):
                path.unlink()

    def _path(self, chunk: int, ordinal: int) -> Path:
        return self.root / date.fromordinal(ordinal).isoformat() / f"{chunk:05d}.npy"


def is_month_end(ordinal: int) -> bool:
    """Whether the next date begins a month."""
    return date.fromordinal(ordinal + 1).day == 1
