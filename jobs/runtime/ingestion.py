"""From landed deliveries to merged tables, in steps which can be killed anywhere and run again.

1. `receive` (receiving.py): which deliveries are new; their files become one lazy frame of typed rows.
2. `judge`: the rules as two columns; the rows are staged, then counted in one pass.
3. `merge`: refused deliveries are left out whole, broken rows go to quarantine, new dates are appended, the rest is
   merged so that the later wins (meeting.py), what was replaced is kept; the counts must add up (law 1) before the
   ledger says that a delivery is loaded.

Everything after staging follows the plan which is written beside the staged rows, so that a run which was killed is
finished by the next one with the same rows and the same counts.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.runtime.batch import Counts, Judged, Plan
from jobs.runtime.errors import DataError
from jobs.runtime.identities import load_keys
from jobs.runtime.landing import Delivery
from jobs.runtime.meeting import complete, is_on, keep_versions, meet
from jobs.runtime.quality import broken_batch_rules, with_broken_rules
from jobs.runtime.reading import read_deliveries
from jobs.runtime.receiving import Received
from schemas import QUARANTINES, Table
from schemas.customers import CUSTOMER_IDENTITIES
from schemas.feed import Feed
from schemas.ops import DELIVERIES, RECONCILIATION, RULE_RESULTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from expectations.rule import Suite

# how many of a long list of problems are shown
_MOST_SHOWN = 20
# a handful of bad rows in a small delivery is not a bad delivery
_FEWEST_FOR_SHARE = 50


# -- judge ------------------------------------------------------------------------------------------------------------


def judge(received: Received, suite: "Suite", table: Table) -> Judged:
    """Stage the rows with the rules they broke, and find out what is to be done with each delivery.

    A batch of other deliveries which a run left unfinished is finished first.
    """
    _finish_interrupted(received, suite, table)
    if not received.deliveries:
        return Judged(received, suite, Plan(met=False), resumed=False)
    plan_file = received.staging / "plan.json"
    if plan_file.exists():
        received.ctx.log.warning("finishing a run which was interrupted")
        return Judged(received, suite, Plan.read(plan_file), resumed=True)
    _stage(received, suite, table)
    judged = Judged(received, suite, Plan(), resumed=False)
    judged.plan.deliveries = [(d.delivery_id, d.manifest_sha256) for d in received.deliveries]
    _survey(judged, table)
    _stop_on_batch_rules(judged)
    meet(judged, table)
    judged.plan.write(plan_file)
    return judged


def _finish_interrupted(received: Received, suite: "Suite", table: Table) -> None:
    """Carry out what another batch had planned when it was killed; its rows may be in the table already."""
    for folder in sorted(received.batches.glob("*")):
        if folder == received.staging and received.deliveries:
            continue
        plan_file = folder / "plan.json"
        planned = set(Plan.read(plan_file).deliveries) if plan_file.exists() else set()
        batch = [d for d in received.deliveries if (d.delivery_id, d.manifest_sha256) in planned]
        if planned and len(batch) == len(planned):
            received.ctx.log.warning("finishing a run which was interrupted, before other deliveries")
            received.deliveries = [d for d in received.deliveries if d not in batch]
            received.__dict__.pop("staging", None)
            before = Received(received.ctx, received.feed, received.readers, batch)
            merge(Judged(before, suite, Plan.read(plan_file), resumed=True), table)
        else:
            # nothing of it was written, or all of it is in the books
            shutil.rmtree(folder, ignore_errors=True)


def _stage(received: Received, suite: "Suite", table: Table) -> None:
    ctx = received.ctx
    keys = load_keys(ctx.settings.secrets, ctx.settings.lake.root)
    rows = read_deliveries(ctx.spark, received.deliveries, received.feed, received.readers, keys)
    for step in received.steps:
        rows = step(rows)
    judged = with_broken_rules(complete(rows, table), suite).withColumn("row_id", F.monotonically_increasing_id())
    judged.write.mode("overwrite").parquet(str(received.staging / "rows"))


def _survey(judged: Judged, table: Table) -> None:
    """One pass over the staged rows: counts by delivery, file, date and broken rules; refusals."""
    received, plan = judged.received, judged.plan
    dated = F.col(table.partitioned_by[0]) if table.partitioned_by else F.lit(None).cast("date")
    # several rows of the file may make one of the table: the reader counts them
    source_rows = F.sum("source_rows") if "source_rows" in judged.rows.columns else F.count("*")
    patterns = (
        judged.rows.groupBy(
            "delivery_id", "source_file", "file_error", "extra_columns", "broken_rules", "flags", dated.alias("on_date")
        )
        .agg(
            F.count("*").alias("row_count"),
            F.max("source_row").alias("last_row"),
            source_rows.alias("source_rows"),
        )
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
            rows_found[p.delivery_id, p.source_file] += p.source_rows or 0
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
    bad_read: Counter[str] = Counter()
    by_rule: dict[str, Counter[str]] = {}
    for p in patterns:
        # the share is one of the file's rows: a day stands for as many as it was made from
        read[p.delivery_id] += p.source_rows or 0
        if p.broken_rules:
            bad[p.delivery_id] += p.row_count
            bad_read[p.delivery_id] += p.source_rows or 0
            for rule in p.broken_rules:
                by_rule.setdefault(p.delivery_id, Counter())[rule] += p.row_count
    reasons = {rule.id: rule.reason for rule in judged.suite.rules}
    for name, count in bad_read.items():
        if name not in judged.plan.refused and bad[name] >= _FEWEST_FOR_SHARE and count > limit * read[name]:
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


# -- merge ------------------------------------------------------------------------------------------------------------


def merge(judged: Judged, table: Table) -> str:
    """Carry out the plan and close the books. DataError at the end where a delivery was refused."""
    received, plan, ctx = judged.received, judged.plan, judged.received.ctx
    for name, counts in plan.counts.items():
        counts.check(name)
    if plan.counts:
        _write(judged, table)
    _close_books(judged)
    if received.deliveries:
        shutil.rmtree(received.staging, ignore_errors=True)
    refused = {**plan.refused, **{delivery.delivery_id: why for delivery, why in received.refusals}}
    if refused:
        lines = "\n".join(f"  {name}: {why}" for name, why in sorted(refused.items()))
        raise DataError(f"{len(refused)} delivery(ies) of {received.feed.name} refused whole:\n{lines}")
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


def _write(judged: Judged, table: Table) -> None:
    plan, lake = judged.plan, judged.received.ctx.lake
    if any(counts.quarantined for counts in plan.counts.values()):
        refused_rows = judged.rows.where("size(broken_rules) > 0").withColumn("quarantine_status", F.lit("held"))
        lake.insert_missing(refused_rows, QUARANTINES[table.name])
    if not plan.met:
        _append(judged, judged.good, table)
        _keep_identities(judged, judged.good)
        return
    outcomes = judged.received.ctx.spark.read.parquet(str(judged.received.staging / "outcomes"))
    if plan.has_versions:
        keep_versions(judged, table, outcomes)
    losers = outcomes.where("NOT is_last AND NOT is_held").select("row_id")
    winners = judged.good.join(losers, "row_id", "left_anti")
    if plan.fresh_dates and table.partitioned_by:
        is_fresh = is_on(table, plan.fresh_dates)
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
    books.revise(RULE_RESULTS, _rule_results(judged))
    books.append(
        DELIVERIES,
        [_ledger(received, by_id[name], "loaded", None, plan.touched.get(name, [])) for name in plan.counts]
        + [_ledger(received, repeat, "duplicate", f"same content as {first}", []) for repeat, first in repeats]
        + [_ledger(received, by_id[name], "refused", why, []) for name, why in plan.refused.items()]
        + [_ledger(received, delivery, "refused", why, []) for delivery, why in received.refusals],
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
