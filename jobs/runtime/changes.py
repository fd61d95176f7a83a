"""Which loaded deliveries a derived table has not taken up yet, so that only what changed is recomputed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from jobs.runtime.books import Books
from schemas.ops import CONSUMPTIONS, DELIVERIES, REVALIDATIONS

# stands beside the feeds: days which were validated anew although no delivery names them
REVALIDATED = "validated_days"


@dataclass(frozen=True)
class Change:
    """A loaded delivery and the local dates of the rows which it changed, or took away by cancelling others."""

    feed: str
    delivery_id: str
    manifest_sha256: str
    business_date: date
    received_at: datetime
    touched_dates: tuple[date, ...]
    rows: int
    # deliveries whose rows it took away
    cancels: tuple[str, ...] = ()


class ChangeBook:
    """Reads and notes consumptions; needs no Spark."""

    def __init__(self, books: Books, until: date) -> None:
        """`until` is the run's date: later deliveries do not exist for it."""
        self._books = books
        self._until = until

    def new(self, job: str, feeds: Sequence[str]) -> list[Change]:
        """Deliveries of the feeds loaded up to the date and not yet consumed, in the order in which they came."""
        consumed = {
            (row["feed"], row["delivery_id"], row["manifest_sha256"]) for row in self._books.read(CONSUMPTIONS, job=job)
        }
        rows = [
            row
            for row in self._books.read(DELIVERIES)
            if row["feed"] in feeds
            and row["status"] == "loaded"
            and row["business_date"] <= self._until
            and (row["feed"], row["delivery_id"], row["manifest_sha256"]) not in consumed
        ]
        if REVALIDATED in feeds:
            rows += [row for row in self._revalidations() if (REVALIDATED, row["delivery_id"], "") not in consumed]
        rows.sort(key=lambda row: (row["received_at"], row["delivery_id"]))
        return [
            Change(
                row["feed"],
                row["delivery_id"],
                row["manifest_sha256"],
                row["business_date"],
                row["received_at"],
                tuple(row["touched_dates"] or ()),
                row["rows_stated"],
                tuple(row.get("cancels") or ()),
            )
            for row in rows
        ]

    def _revalidations(self) -> list[dict[str, Any]]:
        """As rows of a ledger of deliveries."""
        return [
            {
                "feed": REVALIDATED,
                "delivery_id": row["revalidation_id"],
                "manifest_sha256": "",
                "business_date": row["run_date"],
                "received_at": row["received_at"],
                "touched_dates": row["touched_dates"],
                "rows_stated": row["days"],
            }
            for row in self._books.read(REVALIDATIONS)
            if row["run_date"] <= self._until
        ]

    def mark(self, job: str, changes: Sequence[Change]) -> None:
        """Note the changes as consumed by the job."""
        self._books.append(
            CONSUMPTIONS,
            [
                {
                    "job": job,
                    "feed": change.feed,
                    "delivery_id": change.delivery_id,
                    "manifest_sha256": change.manifest_sha256,
                    "run_date": self._until,
                }
                for change in changes
            ],
        )
