"""A batch of deliveries between staging and the books: its staged rows, and the plan of what becomes of them.

The plan is written beside the staged rows, so that a run which was killed is finished by the next one with the same
rows and the same counts.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.reading import LEFT_OUT
from jobs.runtime.receiving import Received
from jobs.runtime.wide_rows import NARROW, broken_rows, judged_rows, with_arrays

# so many whole rows go through the driver, where that saves a merge
MOST_IN_DRIVER = 100_000

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from expectations.rule import Suite


@dataclass
class Counts:
    """What became of one delivery's rows."""

    read: int = 0
    accepted: int = 0
    superseding: int = 0
    duplicate: int = 0
    quarantined: int = 0

    def check(self, delivery: str) -> None:
        """Law 1. DataError where the parts are not the whole."""
        parts = self.accepted + self.superseding + self.duplicate + self.quarantined
        if parts != self.read:
            raise DataError(
                f"Reconciliation of {delivery} does not add up: {self.read} rows read, but {self.accepted} accepted + "
                f"{self.superseding} superseding + {self.duplicate} duplicate + {self.quarantined} quarantined = "
                f"{parts}. "
                "The delivery is not marked as loaded: run the job again, and report it when it happens twice."
            )


@dataclass
class Plan:
    """What was found in the staged rows. `met` says whether any met others of their key (held or in the batch)."""

    refused: dict[str, str] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    # (delivery, rule, severity, rows which broke it)
    broken: list[tuple[str, str, str, int]] = field(default_factory=list)
    touched: dict[str, list[str]] = field(default_factory=dict)
    # cancelled delivery -> when what cancels it came in (ISO 8601), and its id
    cancelled: dict[str, tuple[str, str]] = field(default_factory=dict)
    # those whose rows are to be taken out of the tables, and the dates of these
    undone: list[str] = field(default_factory=list)
    undone_dates: list[str] = field(default_factory=list)
    fresh_dates: list[str] = field(default_factory=list)
    met: bool = True
    # what is to be brought up to date beside core: values which gave way, those which were said again
    has_versions: bool = False
    has_repeats: bool = False
    # whether they are to be merged: one of them is there already, as it was or to be taken out, or they are many
    merges_versions: bool = True
    merges_repeats: bool = True
    # whether rows are to be marked for what others of their key and delivery say
    has_key_flags: bool = False
    # whether a key loses the value that holds
    has_withdrawn: bool = False
    # of a batch of wide rows, how many are new and appended (wide_files.py)
    to_append: int = 0
    # and whether others of them take the place of a row which is held
    has_merged: bool = False
    # (delivery id, checksum of its manifest) of the batch
    deliveries: list[tuple[str, str]] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.replace(path)

    @property
    def dates(self) -> list[str]:
        """Local dates of all rows which the batch says something about."""
        return sorted({*self.undone_dates, *(day for touched in self.touched.values() for day in touched)})

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """The plan which an earlier run wrote."""
        held = json.loads(path.read_text(encoding="utf-8"))
        held["counts"] = {name: Counts(**counts) for name, counts in held["counts"].items()}
        for name in ("broken", "deliveries"):
            held[name] = [tuple(entry) for entry in held[name]]
        held["cancelled"] = {name: tuple(entry) for name, entry in held["cancelled"].items()}
        return cls(**held)


@dataclass
class Judged:
    """Staged rows with their plan."""

    received: Received
    suite: "Suite"
    plan: Plan
    resumed: bool

    def app_id(self, step: str) -> str:
        """Name of a write of the batch which is to happen once for all time."""
        return f"{self.received.feed.name}-{self.received.staging.name}-{step}"

    @property
    def are_wide(self) -> bool:
        """Whether the rows are staged without their arrays (wide_rows.py)."""
        return (self.received.staging / NARROW).is_dir()

    @property
    def rows(self) -> "DataFrame":
        """The staged rows of deliveries which are not refused; wide ones without their arrays."""
        if self.are_wide:
            rows = judged_rows(self.received)
        else:
            rows = self.staged
            rows = rows.where(F.col(LEFT_OUT).isNull()) if LEFT_OUT in rows.columns else rows
        return self._of_taken(rows)

    @property
    def staged(self) -> "DataFrame":
        """What was staged on the way through Spark, with what stands for rows of other feeds."""
        return self.received.ctx.spark.read.parquet(str(self.received.staging / "rows"))

    @property
    def broken(self) -> "DataFrame":
        """The rows which broke an error rule, few of all, with all their columns."""
        if self.are_wide:
            return self._of_taken(broken_rows(self.received))
        return self.rows.where("size(broken_rules) > 0")

    @property
    def good(self) -> "DataFrame":
        """Rows which broke no error rule, of deliveries which are not cancelled."""
        return self._passed.where(~self._is_cancelled) if self.plan.cancelled else self._passed

    @property
    def void(self) -> "DataFrame":
        """Rows which broke no error rule, of cancelled deliveries."""
        return self._passed.where(self._is_cancelled)

    def whole(self, rows: "DataFrame") -> "DataFrame":
        """The given rows, few of the staged ones, with all their columns."""
        return with_arrays(self.received, rows) if self.are_wide else rows

    def _of_taken(self, rows: "DataFrame") -> "DataFrame":
        refused = sorted(self.plan.refused)
        return rows.where(~F.col("delivery_id").isin(refused)) if refused else rows

    @property
    def _passed(self) -> "DataFrame":
        return self.rows.where("size(broken_rules) = 0")

    @property
    def _is_cancelled(self) -> "Column":
        return F.col("delivery_id").isin(sorted(self.plan.cancelled))
