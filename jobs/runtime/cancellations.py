"""Which deliveries are cancelled, and by which.

A manifest may say `"cancels": ["<delivery id>"]`, with files that replace them or without any. From then on:

- No row of a cancelled delivery holds. In core the latest other value of its key holds again, or the key is gone. The
  cancelled value stays in `core.*_versions`, replaced by the delivery which cancelled it, at the time that came in.
- Its rows in quarantine are `cancelled`, unless a person has corrected one: what a person entered is a delivery of its
  own (quarantine.py), which stays until its own id is cancelled.
- The id is spent. What comes in under it, however late, is read and kept as a cancelled value, and never holds. That
  is also so where the cancellation came first, so that any order ends in the same tables.
- A cancellation cannot be taken back, also not by cancelling the delivery which brought it: deliver the rows again
  under another id. One which is refused cancels nothing. Of several, the earliest is the one that is named.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.runtime.landing import Delivery


@dataclass(frozen=True)
class Cancellation:
    """One delivery, cancelled by another."""

    delivery_id: str
    received_at: datetime
    cancelled_by: str

    @property
    def order(self) -> tuple[datetime, str]:
        """The earliest is named."""
        return self.received_at, self.cancelled_by


def in_books(ledger: Iterable[Mapping[str, Any]]) -> list[Cancellation]:
    """Cancellations which are carried out."""
    return [
        Cancellation(name, row["received_at"], row["delivery_id"])
        for row in ledger
        if row["status"] in {"loaded", "cancelled"}
        for name in row.get("cancels") or ()
    ]


def brought_by(deliveries: Iterable[Delivery]) -> list[Cancellation]:
    """Cancellations which new deliveries bring."""
    return [Cancellation(name, d.received_at, d.delivery_id) for d in deliveries for name in d.cancels]


def earliest(cancellations: Iterable[Cancellation], refused: Collection[str] = ()) -> dict[str, Cancellation]:
    """By the id of what is cancelled; what a refused delivery says does not count."""
    found: dict[str, Cancellation] = {}
    for one in sorted(cancellations, key=lambda one: one.order):
        if one.cancelled_by not in refused:
            found.setdefault(one.delivery_id, one)
    return found
