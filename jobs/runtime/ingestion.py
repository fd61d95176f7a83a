"""From landed deliveries to merged tables, in steps which can be killed anywhere and run again.

1. `receive` (receiving.py): which deliveries are new; their files become one lazy frame of typed rows.
2. `judge`: the rules as two columns; the rows are staged, then counted in one pass.
3. `merge`: refused deliveries are left out whole, broken rows go to quarantine, new dates are appended, the rest is
   merged so that the later wins (meeting.py), what was replaced is kept, what is cancelled (cancellations.py) gives way
   to what was there without it; the counts must add up (law 1) before the ledger says that a delivery is loaded.

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

from jobs.runtime.batch import MOST_IN_DRIVER, Counts, Judged, Plan
from jobs.runtime.cancellations import brought_by, earliest
from jobs.runtime.errors import DataError
from jobs.runtime.identities import load_keys
from jobs.runtime.lake import date_of
from jobs.runtime.landing import Delivery
from jobs.runtime.meeting import meet
from jobs.runtime.reading import LEFT_OUT, read_deliveries
from jobs.runtime.receiving import Received, Source, receive
from jobs.runtime.replay import finish_replays, is_replay
from jobs.runtime.wide_rows import are_wide, stage_wide
from jobs.runtime.writing import stage_judged, stop_on_batch_rules, write_rows
from schemas import QUARANTINES, Table
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


def ingest(ctx: "Context", source: Source) -> str:
    """Take what is new of a feed into its table."""
    received = receive(ctx, source.feed, source.readers)
    for step in source.steps if received.deliveries else ():
        received.then(step(ctx))
    return merge(judge(received, source.suite, source.table), source.table)


# -- judge ------------------------------------------------------------------------------------------------------------


def judge(received: Received, suite: "Suite", table: Table) -> Judged:
    """Stage the rows with the rules they broke, and find out what is to be done with each delivery.

    A batch of other deliveries which a run left unfinished is finished first.
    """
    _finish_interrupted(received, suite, table)
    if not received.deliveries:
        judged = Judged(received, suite, Plan(met=False), resumed=False)
        _find_cancelled(judged)
        return judged
    plan_file = received.staging / "plan.json"
    if plan_file.exists():
        received.ctx.log.warning("finishing a run which was interrupted")
        return Judged(received, suite, Plan.read(plan_file), resumed=True)
    judged = Judged(received, suite, Plan(), resumed=False)
    patterns = _stage(judged, table)
    judged.plan.deliveries = [(d.delivery_id, d.manifest_sha256) for d in received.deliveries]
    _survey(judged, patterns)
    _find_cancelled(judged)
    stop_on_batch_rules(judged)
    with received.ctx.step("meeting"):
        meet(judged, table)
    judged.plan.write(plan_file)
    return judged


def _finish_interrupted(received: Received, suite: "Suite", table: Table) -> None:
    """Carry out what another batch had planned when it was killed; its rows may be in the table already."""
    finish_replays(received.ctx, received.feed, received.readers, suite, table)
    for folder in sorted(received.batches.glob("*")):
        if is_replay(folder) or (folder == received.staging and received.deliveries):
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


def _stage(judged: Judged, table: Table) -> Sequence[Any]:
    """Stage the rows; how many of each delivery, file and date broke which rules."""
    received, suite = judged.received, judged.suite
    ctx = received.ctx
    # what a run that was killed before its plan has left
    shutil.rmtree(received.staging, ignore_errors=True)
    if are_wide(received, suite):
        return stage_wide(received, suite, table)
    keys = load_keys(ctx.settings.secrets, ctx.settings.lake.root)
    rows = read_deliveries(ctx.spark, received.deliveries, received.feed, received.readers, keys)
    with ctx.step("reading and rules"):
        stage_judged(received, rows, suite, table)
        return _patterns(judged, table)


def _patterns(judged: Judged, table: Table) -> Sequence[Any]:
    """One pass over the staged rows: counts by delivery, file, date and broken rules."""
    staged = judged.staged
    # several rows of the file may make one of the table: the reader counts them
    source_rows = F.sum("source_rows") if "source_rows" in staged.columns else F.count("*")
    left_out = F.col(LEFT_OUT) if LEFT_OUT in staged.columns else F.lit(None).cast("long")
    return (
        staged.groupBy(
            "delivery_id",
            "source_file",
            "file_error",
            "extra_columns",
            "broken_rules",
            "flags",
            date_of(table).alias("on_date"),
        )
        .agg(
            F.count_if(left_out.isNull()).alias("row_count"),
            F.max("source_row").alias("last_row"),
            source_rows.alias("source_rows"),
            F.sum(left_out).alias(LEFT_OUT),
        )
        .collect()
    )


def _survey(judged: Judged, patterns: Sequence[Any]) -> None:
    """What the counts say of the deliveries: which are refused, and what becomes of the others' rows."""
    received, plan = judged.received, judged.plan
    _warn_of_extra_columns(received, patterns)
    plan.refused = _refusals(received, patterns)
    if left_out := sum(p.left_out_rows or 0 for p in patterns):
        received.ctx.log.info("rows of the files which are other feeds': %d", left_out)
    patterns = [p for p in patterns if p.row_count]
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
            rows_found[p.delivery_id, p.source_file] += (p.source_rows or 0) + (p.left_out_rows or 0)
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


def _find_cancelled(judged: Judged) -> None:
    """Which deliveries are cancelled, now that it is known which are refused; and what that takes out of the tables."""
    received, plan = judged.received, judged.plan
    refused = {*plan.refused, *(delivery.delivery_id for delivery, _ in received.refusals)}
    found = earliest(received.cancellations, refused)
    plan.cancelled = {name: (one.received_at.isoformat(), one.cancelled_by) for name, one in found.items()}
    named = {one.delivery_id for one in brought_by(received.deliveries) if one.cancelled_by not in refused}
    rows = [r for r in received.ctx.books.read(DELIVERIES, feed=received.feed.name) if r["delivery_id"] in named]
    plan.undone = sorted({row["delivery_id"] for row in rows if row["status"] in {"loaded", "cancelled"}})
    plan.undone_dates = sorted({day.isoformat() for row in rows for day in row["touched_dates"] or ()})


# -- merge ------------------------------------------------------------------------------------------------------------


def merge(judged: Judged, table: Table) -> str:
    """Carry out the plan and close the books. DataError at the end where a delivery was refused."""
    received, plan, ctx = judged.received, judged.plan, judged.received.ctx
    for name, counts in plan.counts.items():
        counts.check(name)
    if plan.counts:
        _write(judged, table)
    with ctx.step("books"):
        _close_books(judged)
    if received.deliveries:
        shutil.rmtree(received.staging, ignore_errors=True)
    refused = {**plan.refused, **{delivery.delivery_id: why for delivery, why in received.refusals}}
    refused = {name: why for name, why in refused.items() if name not in plan.cancelled}
    if refused:
        lines = "\n".join(f"  {name}: {why}" for name, why in sorted(refused.items()))
        raise DataError(f"{len(refused)} delivery(ies) of {received.feed.name} refused whole:\n{lines}")
    total = Counts()
    rows_repeated = sum(_rows_repeated(judged, repeat, first) for repeat, first in received.repeats)
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
    plan = judged.plan
    step = judged.received.ctx.step
    with step("quarantine"):
        if any(counts.quarantined for counts in plan.counts.values()):
            _quarantine(judged, QUARANTINES[table.name])
        if plan.undone:
            _cancel_quarantined(judged, table)
    with step("merge"):
        write_rows(judged, table)


def _quarantine(judged: Judged, refused: Table) -> None:
    """Put the refused rows there; those which are there already stay as they are."""
    lake, counts = judged.received.ctx.lake, judged.plan.counts
    are_few = sum(count.quarantined for count in counts.values()) <= MOST_IN_DRIVER
    if not are_few or lake.holds(refused, "delivery_id", counts):
        lake.insert_missing(_refused_rows(judged), refused)
    else:
        lake.append_once(_refused_rows(judged), refused, judged.app_id("quarantine"))


def _refused_rows(judged: Judged) -> "DataFrame":
    """Rows for quarantine: held, or cancelled with their delivery."""
    plan = judged.plan
    by = {name: by for name, (_, by) in plan.cancelled.items() if name in plan.counts}
    status, settled_by = F.lit("held"), F.lit(None).cast("string")
    for name, cancelled_by in sorted(by.items()):
        is_of_it = F.col("delivery_id") == name
        status = F.when(is_of_it, F.lit("cancelled")).otherwise(status)
        settled_by = F.when(is_of_it, F.lit(cancelled_by)).otherwise(settled_by)
    return judged.broken.withColumns({"quarantine_status": status, "settled_by": settled_by})


def _cancel_quarantined(judged: Judged, table: Table) -> None:
    """What is held of cancelled deliveries is cancelled with them; what a person corrected stays corrected."""
    plan, by_canceller = judged.plan, dict[str, list[str]]()
    for name in plan.undone:
        by_canceller.setdefault(plan.cancelled[name][1], []).append(name)
    for cancelled_by, names in sorted(by_canceller.items()):
        judged.received.ctx.lake.mark(
            QUARANTINES[table.name],
            {"quarantine_status": "cancelled", "settled_by": cancelled_by},
            {"delivery_id": names},
            "quarantine_status <> 'corrected'",
        )


def _close_books(judged: Judged) -> None:
    """Reconciliation and rule results first, the ledger last: only then is a delivery loaded."""
    received, plan, books = judged.received, judged.plan, judged.received.ctx.books
    by_id = {delivery.delivery_id: delivery for delivery in received.deliveries}
    counted = [(by_id[name], counts) for name, counts in plan.counts.items()]
    # what repeats a delivery that is refused in this very run is looked at again when that one is settled
    repeats = [(repeat, first) for repeat, first in received.repeats if first not in plan.refused]
    refused = [(by_id[name], why) for name, why in plan.refused.items()] + received.refusals
    for repeat, first in repeats:
        rows = _rows_repeated(judged, repeat, first)
        counted.append((repeat, Counts(read=rows, duplicate=rows)))
    books.append(RECONCILIATION, [_reconciled(received.feed, delivery, counts) for delivery, counts in counted])
    books.revise(RULE_RESULTS, _rule_results(judged))
    books.append(
        DELIVERIES,
        _cancelled_entries(judged)
        + [_loaded_entry(judged, by_id[name]) for name in plan.counts if name not in plan.cancelled]
        + [_ledger(received, repeat, "duplicate", f"same content as {first}", []) for repeat, first in repeats]
        + [_ledger(received, d, "refused", why, []) for d, why in refused if d.delivery_id not in plan.cancelled],
    )


def _rows_repeated(judged: Judged, repeat: Delivery, first: str) -> int:
    """Rows of a delivery which is not read: as many as the one had whose content it brings again."""
    received, books = judged.received, judged.received.ctx.books
    if first in judged.plan.counts:
        return judged.plan.counts[first].read
    of_first = {"feed": received.feed.name, "delivery_id": first}
    loaded = {
        row["manifest_sha256"]
        for row in books.read(DELIVERIES, **of_first)
        if row["content_sha256"] == repeat.content_sha256
    }
    rows = [r["rows_read"] for r in books.read(RECONCILIATION, **of_first) if r["manifest_sha256"] in loaded]
    return max(rows, default=repeat.rows_stated)


def _loaded_entry(judged: Judged, delivery: Delivery) -> dict[str, Any]:
    """A delivery that is loaded; one which cancels others also touched the dates of theirs."""
    plan = judged.plan
    touched = {*plan.touched.get(delivery.delivery_id, [])} | {*(plan.undone_dates if delivery.cancels else [])}
    return _ledger(judged.received, delivery, "loaded", None, sorted(touched))


def _cancelled_entries(judged: Judged) -> list[dict[str, Any]]:
    """Deliveries which are cancelled: those of the batch, and those in the books which it cancels."""
    received, plan = judged.received, judged.plan
    new = [d for d in (*received.deliveries, *(d for d, _ in received.refusals)) if d.delivery_id in plan.cancelled]
    entries = [
        _ledger(received, d, "cancelled", _why(plan, d.delivery_id), plan.touched.get(d.delivery_id, [])) for d in new
    ]
    ledger = received.ctx.books.read(DELIVERIES, feed=received.feed.name) if plan.cancelled else []
    for row in ledger:
        if row["delivery_id"] in plan.cancelled and row["status"] != "cancelled":
            entries.append({**row, "status": "cancelled", "reason": _why(plan, row["delivery_id"])})
    return entries


def _why(plan: Plan, delivery_id: str) -> str:
    return f"cancelled by {plan.cancelled[delivery_id][1]}"


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
        for rule in judged.suite.counted_rules()
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
        "cancels": list(delivery.cancels),
    }
