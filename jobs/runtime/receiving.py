"""Which deliveries of a feed are new: neither loaded, nor repeated, nor refused before."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.runtime.landing import Delivery, complete_deliveries, is_as_stated
from jobs.runtime.reading import Readers
from schemas.feed import Feed
from schemas.ops import DELIVERIES, RECONCILIATION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.runtime.context import Context

Step = Callable[["DataFrame"], "DataFrame"]


@dataclass
class Received:
    """New deliveries of one feed.

    `repeats` are those whose very content was loaded before, with the id of the one which brought it; `refusals` those
    which are refused before a file is read, and why.
    """

    ctx: "Context"
    feed: Feed
    readers: Readers
    deliveries: list[Delivery]
    repeats: list[tuple[Delivery, str]] = field(default_factory=list)
    refusals: list[tuple[Delivery, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def then(self, step: Step) -> "Received":
        """Add a step between reading and judging, such as joining what a rule needs to know."""
        self.steps.append(step)
        return self

    @cached_property
    def staging(self) -> Path:
        """Folder of this batch: the same deliveries have the same one in every run."""
        sums = "\n".join(sorted(f"{d.delivery_id} {d.manifest_sha256}" for d in self.deliveries))
        return self.batches / hashlib.sha256(sums.encode()).hexdigest()[:16]

    @property
    def batches(self) -> Path:
        """Folder of the feed's batches which are not finished."""
        return self.ctx.settings.lake.root.resolve() / "_staging" / self.feed.name


def receive(ctx: "Context", feed_name: str, readers: Readers) -> Received:
    """New complete deliveries of a feed with a business date up to the run's date."""
    feed = ctx.feeds.load(feed_name)
    landing = ctx.settings.landing
    ctx.lake.check_writable()
    there = complete_deliveries(landing.root, feed_name, ctx.date, landing.complete_after_minutes, feed.pattern)
    received = Received(ctx, feed, readers, [])
    ledger = ctx.books.read(DELIVERIES, feed=feed_name)
    settled = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] != "refused"}
    refused = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] == "refused"}
    # deliveries which hold or are about to, in the order in which they came
    taken = sorted((_Taken.of_ledger(row) for row in ledger if row["status"] == "loaded"), key=lambda one: one.order)
    incomplete = _incomplete(ctx, feed_name)
    settled -= _reopened(there, ledger, settled, taken)
    for delivery in there:
        mark = (delivery.delivery_id, delivery.manifest_sha256)
        if mark in settled:
            continue
        if mark in refused and _stands_refused(delivery, there, refused, ctx.date):
            ctx.log.warning("%s stays refused: see ops.deliveries", delivery.delivery_id)
            continue
        if why := delivery.problem or _reused_id(delivery, taken):
            received.refusals.append((delivery, why))
            continue
        first = _repeated(delivery, taken, incomplete)
        if first is not None:
            received.repeats.append((delivery, first.delivery_id))
        else:
            taken.append(_Taken.of_landing(delivery))
            received.deliveries.append(delivery)
    is_stated = all(file.rows is not None for delivery in received.deliveries for file in delivery.files)
    ctx.expect_rows(sum(delivery.rows_stated for delivery in received.deliveries) if is_stated else None)
    return received


@dataclass(frozen=True)
class _Taken:
    """A delivery which is loaded, or is to be loaded by this run (then with the landed one)."""

    delivery_id: str
    order: tuple[datetime, str]
    business_date: date
    content_sha256: str
    touched: frozenset[date] | None
    landed: Delivery | None = None

    @classmethod
    def of_ledger(cls, row: dict[str, Any]) -> "_Taken":
        touched = frozenset(row["touched_dates"] or ()) or None
        order = (row["received_at"], row["delivery_id"])
        return cls(row["delivery_id"], order, row["business_date"], row["content_sha256"], touched)

    @classmethod
    def of_landing(cls, delivery: Delivery) -> "_Taken":
        return cls(
            delivery.delivery_id, delivery.order, delivery.business_date, delivery.content_sha256, None, delivery
        )


def _stands_refused(
    delivery: Delivery, there: Sequence[Delivery], refused: Collection[tuple[str, str]], run_date: date
) -> bool:
    """Whether a delivery that was refused is not judged once more: on its own date it is, unless it was replaced."""
    if delivery.business_date < run_date:
        return True
    return any(
        other.business_date == delivery.business_date
        and other.order > delivery.order
        and (other.delivery_id, other.manifest_sha256) not in refused
        for other in there
    )


def _reused_id(delivery: Delivery, taken: Sequence[_Taken]) -> str | None:
    """Why a delivery cannot be told from one taken before which has its id; None where it can."""
    for one in taken:
        if one.delivery_id != delivery.delivery_id:
            continue
        if one.business_date != delivery.business_date:
            day = one.business_date
            return f"its id was used before, for a delivery of {day}: deliver it again under an id of its own."
        if delivery.order <= one.order:
            return (
                "it was changed after it had been loaded, and does not say that it came in later: "
                "deliver it again with a later received_at, or under an id of its own."
            )
    return None


def _repeated(delivery: Delivery, taken: Sequence[_Taken], incomplete: Collection[str]) -> _Taken | None:
    """The delivery whose content this one brings again, so that loading it would change nothing; None where it would.

    It would where rows of the first are still in quarantine (they may pass now), or where another delivery about the
    same dates came between the two: what it corrected is taken back by the repetition.
    """
    firsts = [one for one in taken if one.content_sha256 == delivery.content_sha256 and one.order < delivery.order]
    if not firsts or not is_as_stated(delivery):
        return None
    first = max(firsts, key=lambda one: one.order)
    if first.delivery_id in incomplete or (first.landed is not None and not is_as_stated(first.landed)):
        return None
    between = [one for one in taken if first.order < one.order < delivery.order]
    return None if any(_share_dates(first, one) for one in between) else first


def _reopened(
    there: Sequence[Delivery],
    ledger: Sequence[dict[str, Any]],
    settled: Collection[tuple[str, str]],
    taken: Sequence[_Taken],
) -> set[tuple[str, str]]:
    """Repetitions which were not loaded and now say something: another delivery has come in between.

    The one in between is later than what holds, yet not the last word.
    """
    new = [d for d in there if (d.delivery_id, d.manifest_sha256) not in settled]
    loaded = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] == "loaded"}
    reopened = set()
    for row in ledger if new else ():
        mark = (row["delivery_id"], row["manifest_sha256"])
        if row["status"] != "duplicate" or mark in loaded:
            continue
        firsts = [one.order for one in taken if one.content_sha256 == row["content_sha256"]]
        if any(first < d.order < (row["received_at"], row["delivery_id"]) for first in firsts for d in new):
            reopened.add(mark)
    return reopened


def _share_dates(one: _Taken, other: _Taken) -> bool:
    return one.touched is None or other.touched is None or bool(one.touched & other.touched)


def _incomplete(ctx: "Context", feed_name: str) -> set[str]:
    """Deliveries some rows of which went to quarantine."""
    return {row["delivery_id"] for row in ctx.books.read(RECONCILIATION, feed=feed_name) if row["rows_quarantined"]}
