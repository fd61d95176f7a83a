"""From landed deliveries to merged tables, in steps which can be killed anywhere and run again.

1. `receive`: which deliveries are new; their files become one lazy frame of typed rows.
2. `judge`: the rules as two columns; the rows are staged, then counted in one pass.
3. `merge`: refused deliveries are left out whole, broken rows go to quarantine, new dates are appended, the rest is
   merged so that the later wins, what was replaced is kept; the counts must add up (law 1) before the ledger says
   that a delivery is loaded.

Everything after staging follows the plan which is written beside the staged rows, so that a run which was killed is
finished by the next one with the same rows and the same counts.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.runtime.errors import DataError
from jobs.runtime.identities import load_keys
from jobs.runtime.landing import Delivery, complete_deliveries, is_as_stated
from jobs.runtime.quality import broken_batch_rules, with_broken_rules
from jobs.runtime.reading import Readers, read_deliveries
from schemas import QUARANTINES, Table
from schemas.customers import CUSTOMER_IDENTITIES
from schemas.feed import Feed
from schemas.ops import DELIVERIES, RECONCILIATION, RULE_RESULTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from expectations.rule import Suite
    from jobs.runtime.context import Context

# how many of a long list of problems are shown
_MOST_SHOWN = 20
# a handful of bad rows in a small delivery is not a bad delivery
_FEWEST_FOR_SHARE = 50

Step = Callable[["DataFrame"], "DataFrame"]


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
    fresh_dates: list[str] = field(default_factory=list)
    met: bool = True

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """The plan which an earlier run wrote."""
        held = json.loads(path.read_text(encoding="utf-8"))
        held["counts"] = {name: Counts(**counts) for name, counts in held["counts"].items()}
        held["broken"] = [tuple(entry) for entry in held["broken"]]
        return cls(**held)


@dataclass
class Received:
    """New deliveries of one feed; `repeats` are those whose very content was loaded before."""

    ctx: "Context"
    feed: Feed
    readers: Readers
    deliveries: list[Delivery]
    repeats: list[tuple[Delivery, str]]
    steps: list[Step] = field(default_factory=list)

    def then(self, step: Step) -> "Received":
        """Add a step between reading and judging, such as joining what a rule needs to know."""
        self.steps.append(step)
        return self

    @cached_property
    def staging(self) -> Path:
        """Folder of this batch: the same deliveries have the same one in every run."""
        sums = "\n".join(sorted(f"{d.delivery_id} {d.manifest_sha256}" for d in self.deliveries))
        batch = hashlib.sha256(sums.encode()).hexdigest()[:16]
        return self.ctx.settings.lake.root.resolve() / "_staging" / self.feed.name / batch


@dataclass
class Judged:
    """Staged rows with their plan."""

    received: Received
    suite: "Suite"
    plan: Plan
    resumed: bool

    @property
    def rows(self) -> "DataFrame":
        """The staged rows of deliveries which are not refused."""
        rows = self.received.ctx.spark.read.parquet(str(self.received.staging / "rows"))
        refused = sorted(self.plan.refused)
        return rows.where(~F.col("delivery_id").isin(refused)) if refused else rows

    @property
    def good(self) -> "DataFrame":
        """Rows which broke no error rule."""
        return self.rows.where("size(broken_rules) = 0")


# -- 1. receive -------------------------------------------------------------------------------------------------------


def receive(ctx: "Context", feed_name: str, readers: Readers) -> Received:
    """New complete deliveries of a feed with a business date up to the run's date."""
    feed = ctx.feeds.load(feed_name)
    landing = ctx.settings.landing
    ctx.lake.check_writable()
    there = complete_deliveries(landing.root, feed_name, ctx.date, landing.complete_after_minutes)
    ledger = ctx.books.read(DELIVERIES, feed=feed_name)
    settled = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] != "refused"}
    # a refusal stands until its own date is run again, or the source sends another manifest
    refused = {(row["delivery_id"], row["manifest_sha256"]) for row in ledger if row["status"] == "refused"}
    loaded = {row["content_sha256"]: row["delivery_id"] for row in ledger if row["status"] == "loaded"}
    new: list[Delivery] = []
    repeats: list[tuple[Delivery, str]] = []
    for delivery in there:
        mark = (delivery.delivery_id, delivery.manifest_sha256)
        if mark in settled:
            continue
        if mark in refused and delivery.business_date < ctx.date:
            ctx.log.warning("%s stays refused: see ops.deliveries", delivery.delivery_id)
            continue
        if delivery.content_sha256 in loaded and is_as_stated(delivery):
            repeats.append((delivery, loaded[delivery.content_sha256]))
        else:
            loaded[delivery.content_sha256] = delivery.delivery_id
            new.append(delivery)
    is_stated = all(file.rows is not None for delivery in new for file in delivery.files)
    ctx.expect_rows(sum(delivery.rows_stated for delivery in new) if is_stated else None)
    return Received(ctx, feed, readers, new, repeats)


# -- 2. judge ---------------------------------------------------------------------------------------------------------


def judge(received: Received, suite: "Suite", table: Table) -> Judged:
    """Stage the rows with the rules they broke, and find out what is to be done with each delivery."""
    if not received.deliveries:
        return Judged(received, suite, Plan(met=False), resumed=False)
    plan_file = received.staging / "plan.json"
    if plan_file.exists():
        received.ctx.log.warning("finishing a run which was interrupted")
        return Judged(received, suite, Plan.read(plan_file), resumed=True)
    _stage(received, suite, table)
    judged = Judged(received, suite, Plan(), resumed=False)
    _survey(judged, table)
    _stop_on_batch_rules(judged)
    _meet(judged, table)
    judged.plan.write(plan_file)
    return judged


def _stage(received: Received, suite: "Suite", table: Table) -> None:
    ctx = received.ctx
    rows = read_deliveries(
        ctx.spark, received.deliveries, received.feed, received.readers, load_keys(ctx.settings.secrets)
    )
    for step in received.steps:
        rows = step(rows)
    judged = with_broken_rules(_complete(rows, table), suite).withColumn("row_id", F.monotonically_increasing_id())
    judged.write.mode("overwrite").parquet(str(received.staging / "rows"))


def _survey(judged: Judged, table: Table) -> None:
    """One pass over the staged rows: counts by delivery, file, date and broken rules; refusals."""
    received, plan = judged.received, judged.plan
    dated = F.col(table.partitioned_by[0]) if table.partitioned_by else F.lit(None).cast("date")
    patterns = (
        judged.rows.groupBy(
            "delivery_id", "source_file", "file_error", "extra_columns", "broken_rules", "flags", dated.alias("on_date")
        )
        .agg(F.count("*").alias("row_count"), F.max("source_row").alias("last_row"))
        .collect()
    )
    _warn_of_extra_columns(received, patterns)
    plan.refused = _refusals(received, patterns)
    _refuse_by_share(judged, patterns)
    broken: Counter[tuple[str, str, str]] = Counter()
    for delivery in received.deliveries:
        if delivery.delivery_id not in plan.refused:
            plan.counts[delivery.delivery_id] = Counts()
    dates: dict[str, set[date]] = {name: set() for name in plan.counts}
    for p in patterns:
        if p.delivery_id in plan.refused:
            continue
        counts = plan.counts[p.delivery_id]
        counts.read += p.row_count
        counts.quarantined += p.row_count if p.broken_rules else 0
        for severity, ids in (("error", p.broken_rules), ("warn", p.flags)):
            for rule in ids:
                broken[p.delivery_id, rule, severity] += p.row_count
        if not p.broken_rules and p.on_date:
            dates[p.delivery_id].add(p.on_date)
    plan.broken = [(*key, count) for key, count in sorted(broken.items())]
    plan.touched = {name: sorted(day.isoformat() for day in days) for name, days in dates.items()}


def _warn_of_extra_columns(received: Received, patterns: Sequence[Any]) -> None:
    for name in sorted({(p.delivery_id, p.source_file, tuple(p.extra_columns)) for p in patterns if p.extra_columns}):
        received.ctx.log.warning("%s/%s: columns not declared are ignored: %s", name[0], name[1], ", ".join(name[2]))


def _refusals(received: Received, patterns: Sequence[Any]) -> dict[str, str]:
    """Deliveries which are refused whole, and why."""
    reasons: dict[str, list[str]] = {}
    rows_found: Counter[tuple[str, str]] = Counter()
    for p in patterns:
        if p.file_error:
            reasons.setdefault(p.delivery_id, []).append(p.file_error)
        elif received.feed.unpivot:
            # several rows come from one row of the file: its number counts
            rows_found[p.delivery_id, p.source_file] = max(rows_found[p.delivery_id, p.source_file], p.last_row or 0)
        else:
            rows_found[p.delivery_id, p.source_file] += p.row_count
    for delivery in received.deliveries:
        if delivery.delivery_id in reasons:
            continue
        for file in delivery.files:
            found = rows_found[delivery.delivery_id, file.name]
            if file.rows is not None and file.rows != found:
                reasons.setdefault(delivery.delivery_id, []).append(
                    f"{file.name}: the manifest states {file.rows} rows, the file has {found}: "
                    "deliver the file and its manifest again."
                )
    return {name: " ".join(sorted(set(why))[:_MOST_SHOWN]) for name, why in reasons.items()}


def _refuse_by_share(judged: Judged, patterns: Sequence[Any]) -> None:
    """A delivery most of whose rows are bad is itself bad: one clear message beats a full quarantine."""
    limit = judged.received.ctx.settings.quality.max_quarantine_share
    read: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    by_rule: dict[str, Counter[str]] = {}
    for p in patterns:
        read[p.delivery_id] += p.row_count
        if p.broken_rules:
            bad[p.delivery_id] += p.row_count
            for rule in p.broken_rules:
                by_rule.setdefault(p.delivery_id, Counter())[rule] += p.row_count
    reasons = {rule.id: rule.reason for rule in judged.suite.rules}
    for name, count in bad.items():
        if name not in judged.plan.refused and count >= _FEWEST_FOR_SHARE and count > limit * read[name]:
            rule, _ = by_rule[name].most_common(1)[0]
            judged.plan.refused[name] = (
                f"{count} of its {read[name]} rows break an error rule, most of them {rule} ({reasons.get(rule, '')}): "
                "mend the source or the feed's declaration, or raise quality.max_quarantine_share."
            )


def _stop_on_batch_rules(judged: Judged) -> None:
    if not judged.suite.batch_rules():
        return
    for rule in broken_batch_rules(judged.good, judged.suite):
        if rule.severity == "error":
            raise DataError(
                f"{judged.suite.table}: {rule.id} does not hold for the batch: {rule.reason}. Nothing was written."
            )
        judged.received.ctx.log.warning("%s does not hold for the batch: %s", rule.id, rule.reason)


def _meet(judged: Judged, table: Table) -> None:
    """Which rows meet others of their key, held or in the batch; counts of what that makes of them.

    Most rows of a delivery meet none: only the few that do are put in order and compared.
    """
    lake, plan = judged.received.ctx.lake, judged.plan
    if table.partitioned_by:
        days = sorted({day for touched in plan.touched.values() for day in touched})
        found = lake.partitions_held(table, days)
        plan.fresh_dates = [day for day in days if day not in found]
        held = lake.read(table).where(_is_on(table, found)) if found else None
    else:
        held = lake.read(table) if lake.exists(table) else None
    meeting = _keys_that_meet(judged, table, held)
    if meeting is None:
        plan.met = False
        for counts in plan.counts.values():
            counts.accepted = counts.read - counts.quarantined
        return
    folder = str(judged.received.staging / "outcomes")
    _outcomes(judged, table, meeting, held).write.mode("overwrite").parquet(folder)
    outcomes = judged.received.ctx.spark.read.parquet(folder)
    alone = _same_key(judged.good, meeting, table, "left_anti").groupBy("delivery_id").count()
    for row in alone.collect():
        plan.counts[row.delivery_id].accepted += row["count"]
    for row in outcomes.where("NOT is_held").groupBy("delivery_id", "outcome").count().collect():
        counts = plan.counts[row.delivery_id]
        setattr(counts, row.outcome, getattr(counts, row.outcome) + row["count"])


def _keys_that_meet(judged: Judged, table: Table, held: "DataFrame | None") -> "DataFrame | None":
    """Keys of good rows which occur more than once or are held; None where there are none."""
    rows = judged.good.select(*table.key)
    keys = rows.groupBy(*table.key).count().where("count > 1").select(*table.key)
    if held is not None:
        keys = keys.unionByName(held.select(*table.key).join(rows, list(table.key), "left_semi")).distinct()
    folder = str(judged.received.staging / "meeting")
    keys.write.mode("overwrite").parquet(folder)
    # read back: a frame cannot be told from its own origin where the two are joined
    meeting = judged.received.ctx.spark.read.schema(keys.schema).parquet(folder)
    return None if meeting.isEmpty() else meeting


def _same_key(rows: "DataFrame", keys: "DataFrame", table: Table, how: str) -> "DataFrame":
    """Rows whose key is (left_semi) or is not (left_anti) among the keys; null is a value like any other."""
    named = keys.select(*(F.col(name).alias(f"of_key_{name}") for name in table.key))
    return rows.join(named, [F.col(name).eqNullSafe(F.col(f"of_key_{name}")) for name in table.key], how)


def _is_on(table: Table, days: Collection[str]) -> Any:
    """Whether a row's date is one of these."""
    return F.col(table.partitioned_by[0]).isin([date.fromisoformat(day) for day in sorted(days)])


def _values_hash(table: Table) -> Any:
    """Hash of what a row says, without key and provenance: equal where a repeat says nothing new."""
    silent = {*table.key, "received_at", "delivery_id", "flags"}
    return F.xxhash64(*(F.col(c.name).cast(c.type) for c in table.columns if c.name not in silent))


def _outcomes(judged: Judged, table: Table, meeting: "DataFrame", held: "DataFrame | None") -> "DataFrame":
    """A row for each staged good row and each held row of the keys that meet: what becomes of it.

    outcome: accepted (first of its key), superseding (says something else than the one before it), duplicate (says the
    same, or is older than what is held). is_last: the one that holds from now on. Next in line: next_at, next_by.
    """
    columns = [*table.key, "received_at", "delivery_id"]
    incoming = _complete(_same_key(judged.good, meeting, table, "left_semi"), table).select(
        *columns,
        "source_file",
        "source_row",
        "row_id",
        _values_hash(table).alias("said"),
        F.lit(False).alias("is_held"),
    )
    both = incoming
    if held is not None:
        met = _same_key(held, meeting, table, "left_semi").select(
            *columns,
            F.lit("").alias("source_file"),
            F.lit(0).cast("long").alias("source_row"),
            F.lit(None).cast("long").alias("row_id"),
            _values_hash(table).alias("said"),
            F.lit(True).alias("is_held"),
        )
        both = incoming.unionByName(met)
    order = Window.partitionBy(*table.key).orderBy("received_at", "delivery_id", "source_file", "source_row", "row_id")
    after = order.rowsBetween(1, Window.unboundedFollowing)
    return both.select(
        "*",
        F.lag("said").over(order).alias("said_before"),
        F.row_number().over(order).alias("nth_of_key"),
        F.lead("said").over(order).alias("said_next"),
        F.lead("received_at").over(order).alias("next_at"),
        F.lead("delivery_id").over(order).alias("next_by"),
        F.coalesce(F.max("is_held").over(after), F.lit(False)).alias("is_outdated"),
    ).select(
        "*",
        F.col("next_by").isNull().alias("is_last"),
        F.expr(
            "CASE WHEN is_outdated THEN 'duplicate' WHEN nth_of_key = 1 THEN 'accepted' "
            "WHEN said = said_before THEN 'duplicate' ELSE 'superseding' END"
        ).alias("outcome"),
    )


def _complete(rows: "DataFrame", table: Table) -> "DataFrame":
    """The rows with every column of the table, null where the feed has none."""
    missing = [c for c in table.columns if c.name not in rows.columns]
    return rows.select("*", *(F.lit(None).cast(c.type).alias(c.name) for c in missing))


# -- 3. merge ---------------------------------------------------------------------------------------------------------


def merge(judged: Judged, table: Table, versions: Table | None = None) -> str:
    """Carry out the plan and close the books. DataError at the end where a delivery was refused."""
    received, plan, ctx = judged.received, judged.plan, judged.received.ctx
    for name, counts in plan.counts.items():
        counts.check(name)
    if plan.counts:
        _write(judged, table, versions)
    _close_books(judged)
    if received.deliveries:
        shutil.rmtree(received.staging, ignore_errors=True)
    if plan.refused:
        lines = "\n".join(f"  {name}: {why}" for name, why in sorted(plan.refused.items()))
        raise DataError(f"{len(plan.refused)} delivery(ies) of {received.feed.name} refused whole:\n{lines}")
    total = Counts()
    rows_repeated = sum(repeat.rows_stated for repeat, _ in received.repeats)
    for counts in [*plan.counts.values(), Counts(read=rows_repeated, duplicate=rows_repeated)]:
        for name, value in asdict(counts).items():
            setattr(total, name, getattr(total, name) + value)
    repeats = f", {len(received.repeats)} delivery(ies) repeated and not loaded again" if received.repeats else ""
    by_rule: Counter[str] = Counter()
    for _, rule, _, rows in plan.broken:
        by_rule[rule] += rows
    ctx.log.info("rules broken: %s", ", ".join(f"{rule} {rows}" for rule, rows in sorted(by_rule.items())) or "none")
    return (
        f"{len(plan.counts)} delivery(ies), {total.read} rows read = {total.accepted} accepted + {total.superseding} "
        f"superseding + {total.duplicate} duplicate + {total.quarantined} quarantined{repeats}"
    )


def _write(judged: Judged, table: Table, versions: Table | None) -> None:
    plan, lake = judged.plan, judged.received.ctx.lake
    if any(counts.quarantined for counts in plan.counts.values()):
        refused_rows = judged.rows.where("size(broken_rules) > 0").withColumn("quarantine_status", F.lit("held"))
        lake.insert_missing(refused_rows, QUARANTINES[table.name])
    if not plan.met:
        _append(judged, judged.good, table)
        _keep_identities(judged, judged.good)
        return
    outcomes = judged.received.ctx.spark.read.parquet(str(judged.received.staging / "outcomes"))
    if versions is not None:
        _keep_versions(judged, table, versions, outcomes)
    losers = outcomes.where("NOT is_last AND NOT is_held").select("row_id")
    winners = judged.good.join(losers, "row_id", "left_anti")
    if plan.fresh_dates and table.partitioned_by:
        is_fresh = _is_on(table, plan.fresh_dates)
        _append(judged, winners.where(is_fresh), table)
        winners = winners.where(~is_fresh)
        if set(plan.fresh_dates) == {day for touched in plan.touched.values() for day in touched}:
            return
    lake.upsert(winners, table)
    _keep_identities(judged, winners)


def _append(judged: Judged, rows: "DataFrame", table: Table) -> None:
    """Append what meets nothing; a run which is finished by another one merges instead, as the append may be in."""
    lake = judged.received.ctx.lake
    with lake.once(f"{judged.received.feed.name}-{judged.received.staging.name}"):
        if judged.resumed:
            lake.upsert(rows, table)
        else:
            lake.append_new(rows, table)


def _keep_versions(judged: Judged, table: Table, versions: Table, outcomes: "DataFrame") -> None:
    """Keep every row which gives way to one that says something else, with what it gave way to."""
    replaced = outcomes.where("NOT is_last AND said <> said_next")
    gave_way = (F.col("next_at").alias("replaced_at"), F.col("next_by").alias("replaced_by"))
    # one delivery may bring a key more than once: its versions share a key, the last of them stays
    last_of_delivery = Window.partitionBy(*versions.key).orderBy(F.desc("nth_of_key"))
    replaced = replaced.withColumn("rank", F.row_number().over(last_of_delivery)).where("rank = 1")
    incoming = judged.good.join(replaced.where("NOT is_held").select("row_id", *gave_way), "row_id")
    held_before = replaced.where("is_held").select(*table.key, "delivery_id", *gave_way)
    held = judged.received.ctx.lake.read(table)
    if table.partitioned_by:
        held = held.where(_is_on(table, {day for touched in judged.plan.touched.values() for day in touched}))
    kept = held.join(held_before, [*table.key, "delivery_id"])
    names = [n for n in versions.column_names if n in kept.columns]
    both = kept.select(*names).unionByName(_complete(incoming, versions).select(*names))
    judged.received.ctx.lake.insert_missing(both, versions)


def _keep_identities(judged: Judged, rows: "DataFrame") -> None:
    """The encrypted identities of a customer feed, latest of each customer, to the vault."""
    if judged.received.feed.table != "core.customers" or "name_encrypted" not in rows.columns:
        return
    order = Window.partitionBy("customer_key").orderBy(
        F.desc("received_at"), F.desc("delivery_id"), F.desc("valid_from"), F.desc("source_file"), F.desc("source_row")
    )
    latest = rows.withColumn("nth_of_key", F.row_number().over(order)).where("nth_of_key = 1")
    judged.received.ctx.lake.upsert(latest, CUSTOMER_IDENTITIES)


def _close_books(judged: Judged) -> None:
    """Reconciliation and rule results first, the ledger last: only then is a delivery loaded."""
    received, plan, books = judged.received, judged.plan, judged.received.ctx.books
    by_id = {delivery.delivery_id: delivery for delivery in received.deliveries}
    counted = [(by_id[name], counts) for name, counts in plan.counts.items()]
    # what repeats a delivery that is refused in this very run is looked at again when that one is settled
    repeats = [(repeat, first) for repeat, first in received.repeats if first not in plan.refused]
    counted += [(repeat, Counts(read=repeat.rows_stated, duplicate=repeat.rows_stated)) for repeat, _ in repeats]
    books.append(RECONCILIATION, [_reconciled(received.feed, delivery, counts) for delivery, counts in counted])
    books.append(RULE_RESULTS, _rule_results(judged))
    books.append(
        DELIVERIES,
        [_ledger(received, by_id[name], "loaded", None, plan.touched.get(name, [])) for name in plan.counts]
        + [_ledger(received, repeat, "duplicate", f"same content as {first}", []) for repeat, first in repeats]
        + [_ledger(received, by_id[name], "refused", why, []) for name, why in plan.refused.items()],
    )


def _reconciled(feed: Feed, delivery: Delivery, counts: Counts) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "feed": feed.name,
        "business_date": delivery.business_date,
        **{f"rows_{name}": value for name, value in asdict(counts).items()},
        "manifest_sha256": delivery.manifest_sha256,
    }


def _rule_results(judged: Judged) -> list[dict[str, Any]]:
    counts = {(delivery, rule): rows for delivery, rule, _, rows in judged.plan.broken}
    return [
        {
            "job": judged.received.ctx.job,
            "run_date": judged.received.ctx.date,
            "table_name": judged.suite.table,
            "delivery_id": name,
            "rule_id": rule.id,
            "severity": rule.severity,
            "rows_judged": judged.plan.counts[name].read,
            "rows_broken": counts.get((name, rule.id), 0),
        }
        for name in judged.plan.counts
        for rule in judged.suite.row_rules()
    ]


def _ledger(
    received: Received, delivery: Delivery, status: str, reason: str | None, touched: list[str]
) -> dict[str, Any]:
    return {
        "feed": received.feed.name,
        "delivery_id": delivery.delivery_id,
        "business_date": delivery.business_date,
        "received_at": delivery.received_at,
        "status": status,
        "reason": reason,
        "content_sha256": delivery.content_sha256,
        "manifest_sha256": delivery.manifest_sha256,
        "file_names": [file.name for file in delivery.files],
        "rows_stated": delivery.rows_stated,
        "job": received.ctx.job,
        "touched_dates": [date.fromisoformat(day) for day in touched],
    }
