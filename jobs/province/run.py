"""What one call is to write, checked against the province's own book."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jobs.province.deliveries import Delivery
from jobs.province.faults import METER_CLASSES, checked_faults
from jobs.province.ledger import SCHEMAS
from jobs.province.profiles import ProvinceError

_BOOK = "province.json"


@dataclass(frozen=True)
class Run:
    """All that the writer of a group of customers needs; crosses to another process. Dates are ordinals."""

    landing_root: Path
    ledger_root: Path
    seed: int
    customers: int
    start: int  # the province's first date
    last: int
    initial: bool
    faults: Mapping[str, float]
    lag_hours: float

    @property
    def first(self) -> int:
        """First date whose own facts are delivered: all of them, or those of the last date alone."""
        return self.start if self.initial else self.last

    def delivery(self, feed: str) -> Delivery:
        """The first delivery of a feed."""
        return Delivery(self.landing_root, feed, date.fromordinal(self.last))

    def keep(self) -> None:
        """Write the book of a province whose initial load is complete: a load that was stopped is no province."""
        book = {
            "first_date": date.fromordinal(self.start).isoformat(),
            "loaded_to": date.fromordinal(self.last).isoformat(),
            "seed": self.seed,
            "customers": self.customers,
            "faults": dict(self.faults),
        }
        unfinished = self.ledger_root / f"{_BOOK}.tmp"
        unfinished.write_text(json.dumps(book, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.ledger_root / _BOOK)


def first_run(
    landing_root: Path,
    ledger_root: Path,
    first_date: date,
    last_date: date,
    customers: int,
    seed: int,
    faults: Mapping[str, float] | None,
    lag_hours: float,
) -> Run:
    """An initial load; what an earlier province left in the ledger is removed."""
    if customers < 1:
        raise ProvinceError("a province needs at least one customer")
    if last_date < first_date:
        raise ProvinceError(f"the last date {last_date} is before the first date {first_date}")
    shares = checked_faults(faults)
    (ledger_root / _BOOK).unlink(missing_ok=True)
    for stale in ("books", *SCHEMAS):
        shutil.rmtree(ledger_root / stale, ignore_errors=True)
    start, last = first_date.toordinal(), last_date.toordinal()
    return Run(landing_root, ledger_root, seed, customers, start, last, True, shares, lag_hours)


def later_run(
    landing_root: Path,
    ledger_root: Path,
    last_date: date,
    customers: int,
    seed: int,
    faults: Mapping[str, float] | None,
    lag_hours: float,
) -> Run | None:
    """One more day of the province in the ledger; None for the last date of its initial load, which is written."""
    path = ledger_root / _BOOK
    if not path.exists():
        raise ProvinceError(f"{path}: there is no province yet; write its initial load first")
    book = json.loads(path.read_text(encoding="utf-8"))
    if (book["seed"], book["customers"]) != (seed, customers):
        raise ProvinceError(
            f"{path}: this province has seed {book['seed']} and {book['customers']} customers, "
            f"not seed {seed} and {customers}"
        )
    loaded_to = date.fromisoformat(book["loaded_to"])
    if last_date < loaded_to:
        raise ProvinceError(f"{last_date} lies within the initial load, which goes up to {loaded_to}")
    shares = checked_faults(book["faults"] if faults is None else faults)
    # what lasts is part of the past too: other shares would give meters another history
    shares |= {name: book["faults"].get(name, 0.0) for name in METER_CLASSES}
    start = date.fromisoformat(book["first_date"]).toordinal()
    if last_date == loaded_to:
        return None
    return Run(landing_root, ledger_root, seed, customers, start, last_date.toordinal(), False, shares, lag_hours)
