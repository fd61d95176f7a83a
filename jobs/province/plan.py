"""What happens to the points and customers of a chunk over the years: swaps, changes, and faults which last.

Drawn by calendar year, so that any later day finds the same past without walking through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from jobs.province.draws import Bools, Ints, draw
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
_PHONE_SHARE, _VACATION_SHARE = 0.03, 0.8


@dataclass(frozen=True)
class Plan:
    """Events of a chunk up to the end of a year. Arrays (years, points) of ordinal dates, 0 = does not happen."""

    start: int
    begins: Mapping[str, Ints]
    ends: Mapping[str, Ints]
    factors: Ints  # (years, points): what a changed or wrong multiplier is multiplied with
    wraps_after: Ints  # (points,): days of average use until the dial rolls over, 0 = far away
    phone_changes: Ints  # (years, customers)

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

    def multiplier(self, base: Ints, ordinal: int, *, as_known: bool) -> Ints:
        """Multiplier on a date: what the transformers really are, or what the master data say."""
        events = ("multiplier_change",) if as_known else ("multiplier_change", "wrong_multiplier")
        value = base.copy()
        for event in events:
            happened = (self.begins[event] > 0) & (self.begins[event] <= ordinal)
            value = value * np.where(happened, self.factors, 1).prod(axis=0)
        return value


def build_plan(chunk: Chunk, start: int, until: int, faults: Mapping[str, float]) -> Plan:
    """The plan of a chunk from the province's first day to the end of the year of `until`."""
    years = range(date.fromordinal(start).year, date.fromordinal(until).year + 1)
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
        event: np.stack([_dates(chunk, event, year, share, eligible.get(event, everyone), start) for year in years])
        for event, share in shares.items()
    }
    ends = {event: begins[event] + _days(chunk, event, years) for event in begins if event in _LASTS}
    factor = np.stack([_at(chunk, "factor", year, np.array([2, 3, 4])) for year in years])
    is_customer = chunk.points.kind == MAIN
    phones = np.stack([_dates(chunk, "phone", year, _PHONE_SHARE, everyone, start) for year in years])[:, is_customer]
    wraps = _strata(chunk, "roll_over", 0) < faults.get("roll_over", 0.0)
    after = draw(chunk.seed, "wraps_after", chunk.index).integers(5, 110, 2 * CHUNK)[chunk.point_address]
    return Plan(start, begins, ends, factor, np.where(wraps, after, 0), phones)


def _dates(chunk: Chunk, event: str, year: int, share: float, eligible: Bools, start: int) -> Ints:
    happens = (_strata(chunk, event, year) < share) & eligible
    first = date(year, 1, 1).toordinal()
    days = draw(chunk.seed, f"{event}_day", chunk.index, year).integers(0, 365, 2 * CHUNK)[chunk.point_address]
    # nothing happens before the books begin, and what a meter is on the first day it stays for a while
    after_start = first + days > np.maximum(start + 1, chunk.customers.supply_start[chunk.points.customer])
    return np.where(happens & after_start, first + days, 0).astype(np.int64)


def _strata(chunk: Chunk, event: str, year: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A number in 0–1 for each point, spread evenly over neighbours, so that small shares hit small provinces too."""
    offset, step = draw(chunk.seed, f"{event}_strata", year).random(2)
    # the golden ratio, a little different for each event, so that not the same points have all the bad luck
    return np.asarray((chunk.point_number * (0.381966 + 0.01 * step) + offset) % 1.0, dtype=np.float64)


def _days(chunk: Chunk, event: str, years: range) -> Ints:
    shortest, longest = _LASTS[event]
    return np.stack([_at(chunk, f"{event}_lasts", year, np.arange(shortest, longest)) for year in years])


def _at(chunk: Chunk, purpose: str, year: int, choices: Ints) -> Ints:
    picked = draw(chunk.seed, purpose, chunk.index, year).integers(0, len(choices), 2 * CHUNK)
    return np.asarray(choices[picked[chunk.point_address]], dtype=np.int64)
