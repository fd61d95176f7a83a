"""Provinces written once for many tests, and a reader of what was delivered that is none of the project's own."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from jobs.province import FAULT_CLASSES, Summary, write_deliveries

NO_FAULTS: dict[str, float] = {}


@dataclass(frozen=True)
class Province:
    """A province in a folder of its own."""

    root: Path
    customers: int
    seed: int = 11

    def load(self, first: str, last: str, faults: dict[str, float] | None = None, workers: int = 1) -> Summary:
        return self._write(first, last, faults, workers, initial=True)

    def day(self, day: str, faults: dict[str, float] | None = None) -> Summary:
        return self._write(day, day, faults, 1, initial=False)

    def _write(self, first: str, last: str, faults: dict[str, float] | None, workers: int, *, initial: bool) -> Summary:
        return write_deliveries(
            self.root / "landing",
            self.root / "ledger",
            first_date=date.fromisoformat(first),
            last_date=date.fromisoformat(last),
            initial=initial,
            customers=self.customers,
            seed=self.seed,
            faults=faults,
            workers=workers,
        )

    def rows(self, feed: str, business_date: str = "*", delivery: str = "*") -> list[dict[str, str]]:
        """Rows of a feed, as text, in the order of files."""
        return [row for path in self.files(feed, business_date, delivery) for row in _read(path)]

    def files(self, feed: str, business_date: str = "*", delivery: str = "*") -> list[Path]:
        return sorted((self.root / "landing").glob(f"{feed}/{business_date}/*{delivery}/*.csv"))

    def manifests(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for path in sorted((self.root / "landing").glob("*/*/*/_manifest.json")):
            yield path.parent, json.loads(path.read_text(encoding="utf-8"))

    def faults(self, fault: str | None = None) -> list[dict[str, Any]]:
        notes = [n for path in self._ledger("faults") for n in parquet.read_table(path).to_pylist()]
        return [note for note in notes if fault in (None, note["fault"])]

    def truth(self) -> dict[tuple[str, date], dict[str, Any]]:
        rows = [row for path in self._ledger("truth") for row in parquet.read_table(path).to_pylist()]
        return {(row["customer_no"], row["usage_date"]): row for row in rows}

    def district_days(self) -> list[dict[str, Any]]:
        return [row for path in self._ledger("district_days") for row in parquet.read_table(path).to_pylist()]

    def digest(self, under: str = "landing") -> dict[str, str]:
        files = sorted(path for path in (self.root / under).rglob("*") if path.is_file())
        return {str(p.relative_to(self.root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    def _ledger(self, kind: str) -> list[Path]:
        return sorted((self.root / "ledger" / kind).glob("*.parquet"))


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def new_province(tmp_path: Path) -> Callable[..., Province]:
    """A function which gives empty provinces, each in a folder of its own."""
    count = iter(range(100))
    return lambda customers=60, seed=11: Province(tmp_path / str(next(count)), customers, seed)


@pytest.fixture(scope="module")
def new_module_province(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Province]:
    """The same for provinces which the tests of a file share."""
    return lambda customers: Province(tmp_path_factory.mktemp("province"), customers)


@pytest.fixture(scope="session")
def clean_quarter(tmp_path_factory: pytest.TempPathFactory) -> Province:
    """A hundred days without faults but for what master data must follow, up to the days on which May is billed."""
    province = Province(tmp_path_factory.mktemp("clean"), 240)
    province.load("2025-03-01", "2025-06-08", {"swapped_meter": 0.1, "multiplier_change": 0.3, "roll_over": 0.1})
    return province


@pytest.fixture(scope="session")
def faulty_days(tmp_path_factory: pytest.TempPathFactory) -> Province:
    """A province in which everything goes wrong, and often: a fortnight, and a week of days."""
    shares = dict.fromkeys(FAULT_CLASSES, 0.03) | dict.fromkeys(
        ("kw_as_kwh", "shifted_clock", "identical_curves", "swapped_ids", "swapped_meter", "roll_over"), 0.2
    )
    shares |= {"multiplier_change": 1.0, "wrong_multiplier": 1.0, "duplicated_delivery": 0.3, "truncated_file": 0.2}
    shares |= {"correction": 0.05, "late": 0.1, "not_installed": 0.6, "wrong_interval_count": 0.2, "theft": 0.2}
    province = Province(tmp_path_factory.mktemp("faulty"), 500)
    province.load("2025-06-10", "2025-06-23", shares)
    for day in range(24, 31):
        province.day(f"2025-06-{day}")
    return province
