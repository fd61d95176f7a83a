"""Which deliveries of a feed are new: neither loaded, nor repeated, nor refused before."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.runtime.cancellations import Cancellation, brought_by, earliest, in_books
from jobs.runtime.landing import Delivery, complete_deliveries, is_as_stated
from jobs.runtime.reading import Readers
from schemas.feed import Feed
from schemas.ops import DELIVERIES, RECONCILIATION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from expectations.rule import Suite
    from jobs.runtime.context import Context
    from schemas.table import Table

Step = Callable[["DataFrame"], "DataFrame"]


@dataclass(frozen=True)
class Source:
    """What is done to the rows of a feed before they are in their table; feed and table have the same noun.

    `steps` are made when there are rows: what a rule needs to know is joined there.
    """

    table: "Table"
    suite: "Suite"
    readers: Readers
    steps: "tuple[Callable[[Context], Step], ...]" = ()

    @property
    def feed(self) -> str:
        """Name of the feed."""
        return self.table.noun

    @property
    def job(self) -> str:
        """The job which takes its deliveries."""
        return f"ingest_{self.feed}"


@dataclass
class Received:
    """New deliveries of one feed.

    `repeats` are those whose very content was loaded before, with the id of the one which brought it; `refusals` those
    which are refused before a file is read, and why. `cancellations` are all that are known: those in the books, and
    those which the deliveries bring.
    """

    ctx: "Context"
    feed: Feed
    readers: Readers
    deliveries: list[Delivery]
    repeats: list[tuple[Delivery, str]] = field(default_factory=list)
    refusals: list[tuple[Delivery, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    # where rows of no new delivery are staged
    folder: Path | None = None

    def then(self, step: Step) -> "Received":
        """Add a step between reading and judging, such as joining what a rule needs to know."""
        self.steps.append(step)
        return self

    @cached_property
    def staging(self) -> Path:
        """Folder of this batch: the same deliveries have the same one in every run."""
        if self.folder is not None:
            return self.folder
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
    there = complete_deliveries(landing.root, feed.landing, ctx.date, landing.complete_after_minutes, feed.pattern)
    received = Received(ctx, feed, readers, [])
    ledger = ctx.books.read(DELIVERIES, feed=feed_name)
    settled = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] != "refused"}
    refused = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] == "refused"}
    stand_refused = {d.delivery_id for d in there if _stands_refused(d, there, refused, ctx.date)}
    new = [d for d in there if (d.delivery_id, d.manifest_sha256) not in settled and d.delivery_id not in stand_refused]
    received.cancellations = in_books(ledger) + brought_by(new)
    cancelled = earliest(received.cancellations)
    # deliveries which hold or are about to, in the order in which they came
    held = (row for row in ledger if row["status"] == "loaded" and row["delivery_id"] not in cancelled)
    taken = sorted((_Taken.of_ledger(row) for row in held), key=lambda one: one.order)
    incomplete = _incomplete(ctx, feed_name)
    settled -= _reopened(ledger, taken, [d for d in new if d.delivery_id not in cancelled], cancelled)
    for delivery in there:
        mark = (delivery.delivery_id, delivery.manifest_sha256)
        if mark in settled:
            continue
        is_cancelled = delivery.delivery_id in cancelled
        if delivery.delivery_id in stand_refused:
            if is_cancelled:
                received.refusals.append((delivery, "refused before"))
            else:
                ctx.log.warning("%s stays refused: see ops.deliveries", delivery.delivery_id)
            continue
        if why := delivery.problem or _reused_id(delivery, taken):
            received.refusals.append((delivery, why))
            continue
        first = None if is_cancelled or delivery.cancels else _repeated(delivery, taken, incomplete)
        if first is not None:
            received.repeats.append((delivery, first.delivery_id))
            continue
        received.deliveries.append(delivery)
        if not is_cancelled:
            taken.append(_Taken.of_landing(delivery))
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
    """Whether a delivery was refused and is not judged once more: on its own date it is, unless it was replaced."""
    if (delivery.delivery_id, delivery.manifest_sha256) not in refused:
        return False
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
    ledger: Sequence[dict[str, Any]],
    taken: Sequence[_Taken],
    new: Sequence[Delivery],
    cancelled: Collection[str],
) -> set[tuple[str, str]]:
    """Repetitions which were not loaded and now say something.

    Another delivery has come in between, later than what holds, yet not the last word; or rows of one that was in
    between were released; or what they repeat is cancelled.
    """
    loaded = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] == "loaded"}
    everyone = [*taken, *(_Taken.of_landing(delivery) for delivery in new)]
    reopened = set()
    for row in ledger:
        mark = (row["delivery_id"], row["manifest_sha256"])
        if row["status"] != "duplicate" or mark in loaded or row["delivery_id"] in cancelled:
            continue
        own = _Taken.of_ledger(row)
        firsts = [one for one in taken if one.content_sha256 == own.content_sha256 and one.order < own.order]
        first = max(firsts, key=lambda one: one.order, default=None)
        if first is None or any(first.order < one.order < own.order and _share_dates(first, one) for one in everyone):
            reopened.add(mark)
    return reopened


def _share_dates(one: _Taken, other: _Taken) -> bool:
    return one.touched is None or other.touched is None or bool(one.touched & other.touched)


def _incomplete(ctx: "Context", feed_name: str) -> set[str]:
    """Deliveries some rows of which went to quarantine."""
    return {row["delivery_id"] for row in ctx.books.read(RECONCILIATION, feed=feed_name) if row["rows_quarantined"]}
