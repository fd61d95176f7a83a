"""What happens to the points and customers of a chunk over the years: swaps, changes, and faults which last.

Drawn by calendar quarter, so that any later day finds the same past without walking through it.

Two events look alike on the dial and are none the less opposite. Both have a date D and a factor of 2, 3 or 4, happen
to meters behind transformers alone, hold from D on without an end, and change curve, registers and bills together, so
that no sum check can see them.

`multiplier_change`: the transformers are exchanged and the books follow. The dial shows from D on what it showed before
divided by the factor; a row of the master data with installed_from = D and the multiplier times the factor comes with
the delivery of D, and the row before it ends on D. Primary energy goes on as before: nothing is wrong, and a level jump
of the dial by a whole factor on the date of such a row is to be left alone.

`wrong_multiplier`: the transformers are exchanged and the books do not follow; no row comes. For 7 of 10 meters the
true multiplier is the known one divided by the factor: the dial, and with it curve times multiplier, registers and
bills, jump up by the factor, and customers complain (倍率差错). For the others it is the known one times the factor,
and all fall to a half, a third or a quarter. It can be found by the jump of the meter's own level by a whole factor
from one date to the next without a row of the master data; in the balance of the district, whose loss falls far below
zero or rises by what is not counted any more (not for industry, which is in no district's balance); by power above
the contract capacity; and by bills which jump with the date.

`theft`: from D on, without an end, meter and bills show a share of the energy which is constant for the meter (30 to
70 %). Only the balance of the district and a fall of the level by no whole factor tell.
"""

from collections.abc import Iterator, Mapping
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
    "wrong_interval_count": (3, 16),
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
    metered_share: Floats  # (points,): what the meter shows of the energy once there is theft
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

    def stray_meters(self, ordinal: int) -> Iterator[tuple[int, int]]:
        """(point, date of the exchange) where the old meter or the new one sends on a date without being installed."""
        begins, ends = self.begins["not_installed"], self.ends["not_installed"]
        quarters, points = np.nonzero((begins > 0) & (begins <= ordinal) & (ordinal < ends))
        yield from zip(points.tolist(), self.begins["swapped_meter"][quarters, points].tolist(), strict=True)

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
        # only what a district's meter sees: a factory has a transformer of its own
        "theft": chunk.points.is_in_district & (chunk.points.kind == MAIN),
    }
    shares = {event: faults.get(event, 0.0) for event in METER_CLASSES if event not in {"roll_over", "not_installed"}}
    shares["vacation"] = _VACATION_SHARE
    begins = {
        event: np.stack(
            [_dates(chunk, event, quarter, share, eligible.get(event, everyone), start) for quarter in quarters]
        )
        for event, share in shares.items()
    }
    ends = {event: begins[event] + _days(chunk, event, quarters) for event in begins if event in _LASTS}
    strays = _strays(chunk, quarters, begins["swapped_meter"], faults.get("not_installed", 0.0))
    begins["not_installed"], ends["not_installed"] = strays
    factor = np.stack([_at(chunk, "factor", quarter, np.array([2, 3, 4])) for quarter in quarters])
    is_customer = chunk.points.kind == MAIN
    phones = np.stack([_dates(chunk, "phone", quarter, _PHONE_SHARE, everyone, start) for quarter in quarters])[
        :, is_customer
    ]
    wraps = _strata(chunk, "roll_over", 0) < faults.get("roll_over", 0.0)
    after = draw(chunk.seed, "wraps_after", chunk.index).integers(5, 110, 2 * CHUNK)[chunk.point_address]
    too_high = draw(chunk.seed, "too_high", chunk.index).random(2 * CHUNK)[chunk.point_address] < 0.7
    metered = 0.3 + 0.4 * draw(chunk.seed, "metered_share", chunk.index).random(2 * CHUNK)[chunk.point_address]
    return Plan(start, begins, ends, factor, too_high, np.where(wraps, after, 0), metered, phones)


def _strays(chunk: Chunk, quarters: range, swaps: Ints, share: float) -> tuple[Ints, Ints]:
    """(quarters, points) first date and date after the last on which the other meter of an exchange sends.

    In 7 of 10 cases the old one, 1 to 10 days from the day after its removal; else the new one, 1 to 3 days up to the
    day before it is installed.
    """
    begins, ends = np.zeros_like(swaps), np.zeros_like(swaps)
    for row, quarter in enumerate(quarters):
        luck = draw(chunk.seed, "not_installed", chunk.index, quarter).random((3, 2 * CHUNK))[:, chunk.point_address]
        swap, is_after = swaps[row], luck[1] < 0.7
        days = 1 + (luck[2] * np.where(is_after, 10, 3)).astype(np.int64)
        hit = (swap > 0) & (luck[0] < share)
        # not before the quarter, the plan of which does not know the next one
        before = np.maximum(swap - days, _first_date(quarter))
        begins[row] = np.where(hit, np.where(is_after, swap + 1, before), 0)
        ends[row] = np.where(hit, np.where(is_after, swap + 1 + days, swap), 0)
    return begins, ends


def _quarter(ordinal: int) -> int:
    """Quarters since the year 0."""
    day = date.fromordinal(ordinal)
    return day.year * 4 + (day.month - 1) // 3


def _first_date(quarter: int) -> int:
    return date(quarter // 4, quarter % 4 * 3 + 1, 1).toordinal()


def _dates(chunk: Chunk, event: str, quarter: int, share: float, eligible: Bools, start: int) -> Ints:
    happens = (_strata(chunk, event, quarter) < share) & eligible
    first = _first_date(quarter)
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
