"""What happens to the points and customers of a chunk over the years: swaps, changes, and faults which last.

Drawn by calendar quarter, so that any later day finds the same past without walking through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from jobs.province.draws import Bools, Floats, Ints, draw
from jobs.province.faults import METER_CLASSES
from jobs.province.population import CHUNK, HOUSEHOLD, MAIN, Chunk

# event -> days it lasts (shortest, longest); an event without an end is not listed
_LASTS = {
    "kw_as_kwh": (20, 60),
    "shifted_clock": (10, 40),
    "identical_curves": (8, 30),
    "swapped_ids": (10, 40),
    "vacation": (3, 16),
}
_GOLDEN = 0.6180339887498949
# of customers a quarter
_PHONE_SHARE, _VACATION_SHARE = 0.008, 0.2


@dataclass(frozen=True)
class Plan:
    """Events of a chunk up to the end of a quarter. Arrays (quarters, points) of ordinal dates, 0 = does not happen."""

    start: int
    begins: Mapping[str, Ints]
    ends: Mapping[str, Ints]
    factors: Ints  # (quarters, points): what a changed or wrong multiplier is multiplied with
    too_high: Bools  # (points,): a wrong multiplier is higher than the true one, and so are the bills
    wraps_after: Ints  # (points,): days of average use until the dial rolls over, 0 = far away
    phone_changes: Ints  # (quarters, customers)

    def count(self, event: str, ordinal: int) -> Ints:
        """How often it has happened to each point by a date."""
        begins = self.begins[event]
        return np.asarray(((begins > 0) & (begins <= ordinal)).sum(axis=0), dtype=np.int64)

    def is_on(self, event: str, ordinal: int) -> Bools:
        """Whether it goes on for each point on a date."""
        on = (self.begins[event] > 0) & (self.begins[event] <= ordinal) & (ordinal < self.ends[event])
        return np.asarray(on.any(axis=0), dtype=np.bool_)

    def happens(self, event: str, ordinal: int) -> Bools:
        """Whether it happens to each point on exactly that date."""
        return np.asarray((self.begins[event] == ordinal).any(axis=0), dtype=np.bool_)

    def known_multiplier(self, base: Ints, ordinal: int) -> Ints:
        """(points,) multiplier on a date as the master data say."""
        return np.asarray(base * self._product("multiplier_change", ordinal), dtype=np.int64)

    def error(self, ordinal: int) -> Floats:
        """(points,) by how much the true multiplier differs from the known one: transformers changed, books not."""
        product = self._product("wrong_multiplier", ordinal)
        return np.where(self.too_high, 1.0 / product, product)

    def _product(self, event: str, ordinal: int) -> Ints:
        happened = (self.begins[event] > 0) & (self.begins[event] <= ordinal)
        return np.asarray(np.where(happened, self.factors, 1).prod(axis=0), dtype=np.int64)


def build_plan(chunk: Chunk, start: int, until: int, faults: Mapping[str, float]) -> Plan:
    """The plan of a chunk from the province's first day to the end of the quarter of `until`."""
    quarters = range(_quarter(start), _quarter(until) + 1)
    home = (chunk.customers.usage_class[chunk.points.customer] == HOUSEHOLD) & (chunk.points.kind == MAIN)
    everyone = np.ones(len(chunk.points.customer), dtype=np.bool_)
    eligible = {
        "multiplier_change": chunk.points.has_transformers,
        "wrong_multiplier": chunk.points.has_transformers,
        "vacation": home,
    }
    shares = {event: faults.get(event, 0.0) for event in METER_CLASSES if event != "roll_over"}
    shares["vacation"] = _VACATION_SHARE
    begins = {
        event: np.stack(
            [_dates(chunk, event, quarter, share, eligible.get(event, everyone), start) for quarter in quarters]
        )
        for event, share in shares.items()
    }
    ends = {event: begins[event] + _days(chunk, event, quarters) for event in begins if event in _LASTS}
    factor = np.stack([_at(chunk, "factor", quarter, np.array([2, 3, 4])) for quarter in quarters])
    is_customer = chunk.points.kind == MAIN
    phones = np.stack([_dates(chunk, "phone", quarter, _PHONE_SHARE, everyone, start) for quarter in quarters])[
        :, is_customer
    ]
    wraps = _strata(chunk, "roll_over", 0) < faults.get("roll_over", 0.0)
    after = draw(chunk.seed, "wraps_after", chunk.index).integers(5, 110, 2 * CHUNK)[chunk.point_address]
    too_high = draw(chunk.seed, "too_high", chunk.index).random(2 * CHUNK)[chunk.point_address] < 0.7
    return Plan(start, begins, ends, factor, too_high, np.where(wraps, after, 0), phones)


def _quarter(ordinal: int) -> int:
    """Quarters since the year 0."""
    day = date.fromordinal(ordinal)
    return day.year * 4 + (day.month - 1) // 3


def _dates(chunk: Chunk, event: str, quarter: int, share: float, eligible: Bools, start: int) -> Ints:
    happens = (_strata(chunk, event, quarter) < share) & eligible
    first = date(quarter // 4, quarter % 4 * 3 + 1, 1).toordinal()
    # 90 days are in every quarter
    days = draw(chunk.seed, f"{event}_day", chunk.index, quarter).integers(0, 90, 2 * CHUNK)[chunk.point_address]
    # nothing happens before the books begin, and what a meter is on the first day it stays for a while
    after_start = first + days > np.maximum(start + 1, chunk.customers.supply_start[chunk.points.customer])
    return np.where(happens & after_start, first + days, 0).astype(np.int64)


def _strata(chunk: Chunk, event: str, quarter: int) -> Floats:
    """A number in 0–1 for each point, spread evenly over neighbours, so that small shares hit small provinces too."""
    offset = draw(chunk.seed, f"{event}_strata", quarter).random()
    number, second = np.divmod(chunk.point_number, 2)
    # multiples of the golden ratio, taken modulo 1, leave no gap and no cluster however many there are
    return np.asarray((number * _GOLDEN + second * 0.37 + offset) % 1.0, dtype=np.float64)


def _days(chunk: Chunk, event: str, quarters: range) -> Ints:
    shortest, longest = _LASTS[event]
    return np.stack([_at(chunk, f"{event}_lasts", quarter, np.arange(shortest, longest)) for quarter in quarters])


def _at(chunk: Chunk, purpose: str, quarter: int, choices: Ints) -> Ints:
    picked = draw(chunk.seed, purpose, chunk.index, quarter).integers(0, len(choices), 2 * CHUNK)
    return np.asarray(choices[picked[chunk.point_address]], dtype=np.int64)
