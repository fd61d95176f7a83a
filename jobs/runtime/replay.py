"""Rows out of quarantine, on the way on which they were refused: `quarantine.py` says what releasing them means.

A replay is a batch like one of deliveries. The rows are read again from the files in landing, so that nothing of them
is lost which quarantine does not keep; they go through the steps and rules of their ingest job, are staged, meet, and
are merged by the same plan. What is to be said in the books and in quarantine is written beside the plan: a replay that
was killed is finished by the next one, or by the next run of the ingest job, and adds up as it did (law 1): rows taken
= accepted + superseding + duplicate + still held.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from jobs.runtime.batch import Counts, Judged, Plan
from jobs.runtime.books import arrow_schema
from jobs.runtime.cancellations import earliest, in_books
from jobs.runtime.correction import Correction
from jobs.runtime.errors import DataError, UserError
from jobs.runtime.identities import load_keys
from jobs.runtime.landing import Delivery, delivery_of
from jobs.runtime.meeting import meet
from jobs.runtime.quarantine import (
    CANCELLED,
    CORRECTED,
    DROPPED,
    HELD,
    RELEASED,
    Wanted,
    actions_on,
    rows_in_quarantine,
    unknown_row,
    whole_row,
)
from jobs.runtime.reading import Readers, read_deliveries
from jobs.runtime.receiving import Received, Source
from jobs.runtime.roots import held
from jobs.runtime.writing import stage_judged, stop_on_batch_rules, write_rows
from schemas import QUARANTINES, Table
from schemas.ops import DELIVERIES, QUARANTINE_ACTIONS, RECONCILIATION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from expectations.rule import Suite
    from jobs.runtime.context import Context
    from schemas.feed import Feed

RELEASE, CORRECT, DROP = "release", "correct", "drop"
_PREFIX = "replay-"
# by which a row of a file is found again
_SOURCE_ROW = ("delivery_id", "received_at", "source_file", "source_row")


@dataclass(frozen=True)
class Action:
    """What a person wants done with which rows, and why. `at` is when: a job reads no clock."""

    kind: str
    wanted: Wanted
    reason: str
    user: str
    at: datetime
    entered: Mapping[str, str] = field(default_factory=dict)

    def id_for(self, table: Table, ids: Sequence[str]) -> str:
        """The action as carried out on these rows; the same where it is done again."""
        said = (self.kind, table.name, self.at.isoformat(), self.user, self.reason, *sorted(ids), *_entries(self))
        return _digest(*said)

    def edit_id(self, quarantine_id: str) -> str:
        """Delivery under which the corrected row counts."""
        return f"edit-{_digest(quarantine_id, self.at.isoformat(), *_entries(self))}"


def _entries(action: Action) -> list[str]:
    return [f"{name}={text}" for name, text in sorted(action.entered.items())]


def _digest(*said: str) -> str:
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()[:16]


@dataclass
class _Replay:
    """An action on rows of one table, while it is carried out."""

    ctx: "Context"
    source: Source
    feed: "Feed"
    action: Action
    rows: list[dict[str, Any]]
    correction: Correction | None = None

    @property
    def table(self) -> Table:
        """The table the rows were refused for."""
        return self.source.table

    @property
    def action_id(self) -> str:
        """Name of the action."""
        return self.action.id_for(self.table, [row["quarantine_id"] for row in self.rows])

    def delivery_of(self, row: Mapping[str, Any]) -> str:
        """Delivery under which a row counts."""
        return self.action.edit_id(row["quarantine_id"]) if self.correction else str(row["delivery_id"])


def replay(ctx: "Context", source: Source, action: Action) -> str:
    """Carry out an action on the rows that are meant; what it did, in words and counts."""
    ctx.lake.check_writable()
    # an ingest job puts rows in order which the replay puts in order as well: one after the other
    with held(source.job, ctx.settings):
        feed = ctx.feeds.load(source.feed)
        finish_replays(ctx, feed, source.readers, source.suite, source.table)
        _stop_if_interrupted(ctx, source)
        replayed = _Replay(ctx, source, feed, action, _chosen(ctx, source.table, action))
        if not replayed.rows:
            return f"nothing to {action.kind} in quarantine.{source.table.noun}"
        ctx.expect_rows(len(replayed.rows))
        if action.kind == CORRECT:
            replayed.correction = _correction(replayed)
        received = Received(ctx, feed, source.readers, [])
        received.folder = received.batches / f"{_PREFIX}{replayed.action_id}"
        shutil.rmtree(received.folder, ignore_errors=True)
        if action.kind == DROP:
            judged = Judged(received, source.suite, Plan(met=False), resumed=False)
            results = {row["quarantine_id"]: _Result("dropped", []) for row in replayed.rows}
        else:
            judged, results = _judge(replayed, received)
        _note(replayed, judged, results)
        judged.plan.write(received.folder / "plan.json")
        _carry_out(judged, source.table)
        return _told(action.kind, replayed, results)


# -- which rows -------------------------------------------------------------------------------------------------------


def _chosen(ctx: "Context", table: Table, action: Action) -> list[dict[str, Any]]:
    """The rows that are meant and with which there is something to do. UserError where an id names none."""
    found = rows_in_quarantine(ctx.lake, table, action.wanted)
    if unknown := action.wanted.rows - {row["quarantine_id"] for row in found}:
        raise unknown_row(table, unknown)
    done = actions_on(ctx.books, table)
    return [row for row in found if _is_open(row, action, done.get(row["quarantine_id"], []))]


def _is_open(row: Mapping[str, Any], action: Action, done: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the action has something to do with the row. UserError where it was asked for by name and cannot be."""
    status, is_named = row["quarantine_status"], bool(action.wanted.rows)
    if action.kind == DROP:
        if is_named and status not in {HELD, DROPPED}:
            raise UserError(f"Row {row['quarantine_id']} is {status}, and only what is held can be dropped.")
        return bool(status == HELD)
    if status == DROPPED:
        if is_named:
            raise UserError(f"Row {row['quarantine_id']} was dropped: have it delivered again if it is to count.")
        return False
    merged = [one for one in done if one["action"] == action.kind and one["result"] != HELD]
    if action.kind == RELEASE:
        return not merged
    return action.edit_id(row["quarantine_id"]) not in {one["new_delivery_id"] for one in merged}


def _correction(replayed: _Replay) -> Correction:
    correction = Correction(replayed.table, replayed.feed, replayed.action.entered)
    replayed.rows = [whole_row(replayed.ctx.lake, replayed.table, row["quarantine_id"]) for row in replayed.rows]
    for row in replayed.rows:
        correction.check_intervals(row.get("kwh"))
        if replayed.action.at <= row["received_at"]:
            raise UserError(
                f"Row {row['quarantine_id']} came in at {row['received_at'].isoformat()}: it cannot have been "
                "corrected before. Give a later --at."
            )
    return correction


# -- judge ------------------------------------------------------------------------------------------------------------


@dataclass
class _Result:
    """What became of a row."""

    result: str
    broken_rules: list[str]
    on_date: date | None = None


def _judge(replayed: _Replay, received: Received) -> tuple[Judged, dict[str, _Result]]:
    """Stage the rows with the rules they break now, and find out what becomes of each."""
    ctx, table = replayed.ctx, replayed.table
    for step in replayed.source.steps:
        received.then(step(ctx))
    stage_judged(received, _rows_of_files(replayed), replayed.source.suite, table)
    judged = Judged(received, replayed.source.suite, Plan(), resumed=False)
    plan = judged.plan
    cancelled = earliest(in_books(ctx.books.read(DELIVERIES, feed=replayed.feed.name)))
    plan.cancelled = {name: (one.received_at.isoformat(), one.cancelled_by) for name, one in cancelled.items()}
    results = _first_results(replayed, judged)
    for row in replayed.rows:
        result = results[row["quarantine_id"]]
        counts = plan.counts.setdefault(replayed.delivery_of(row), Counts())
        counts.read += 1
        counts.quarantined += result.result == HELD
    touched: dict[str, set[str]] = {}
    for row in replayed.rows:
        result = results[row["quarantine_id"]]
        if result.result != HELD and result.on_date:
            touched.setdefault(replayed.delivery_of(row), set()).add(result.on_date.isoformat())
    plan.touched = {name: sorted(days) for name, days in touched.items()}
    stop_on_batch_rules(judged)
    meet(judged, table)
    for name, counts in plan.counts.items():
        counts.check(name)
    _take_outcomes(judged, results)
    return judged, results


def _rows_of_files(replayed: _Replay) -> "DataFrame":
    """The rows as their files hold them, or as they were corrected, each with its `quarantine_id`.

    Where one row of a file holds several of the table, the key tells them apart, as far as it could be read before.
    """
    ctx, feed = replayed.ctx, replayed.feed
    keys = load_keys(ctx.settings.secrets, ctx.settings.lake.root)
    # each is found by its place, also where it would be another feed's by now: then a rule says so
    whole = replace(feed, takes=None, leaves=())
    rows = read_deliveries(ctx.spark, _deliveries(replayed), whole, replayed.source.readers, keys)
    by = [*_SOURCE_ROW, *replayed.table.key]
    schema = arrow_schema(QUARANTINES[replayed.table.name])
    named = {
        "quarantine_id": pa.array([row["quarantine_id"] for row in replayed.rows], pa.string()),
        "counts_under": pa.array([replayed.delivery_of(row) for row in replayed.rows], pa.string()),
        **{f"of_{name}": pa.array([row[name] for row in replayed.rows], schema.field(name).type) for name in by},
    }
    wanted = ctx.spark.createDataFrame(pa.table(named))
    is_it = [F.col(name).eqNullSafe(F.col(f"of_{name}")) for name in _SOURCE_ROW]
    known = [name for name in replayed.table.key if name in rows.columns]
    is_it += [F.col(f"of_{name}").isNull() | F.col(name).eqNullSafe(F.col(f"of_{name}")) for name in known]
    found = rows.join(F.broadcast(wanted), is_it, "inner")
    found = found.drop(*(f"of_{name}" for name in by))
    if replayed.correction is None:
        return found.drop("counts_under")
    corrected = replayed.correction.apply(found, replayed.source.readers)
    return corrected.withColumns(
        {
            "delivery_id": F.col("counts_under"),
            "received_at": F.lit(replayed.action.at),
            "business_date": F.lit(ctx.date),
        }
    ).drop("counts_under")


def _deliveries(replayed: _Replay) -> list[Delivery]:
    """The deliveries of the rows with the files they are in. DataError where one is not in landing as it came."""
    landing, feed = replayed.ctx.settings.landing, replayed.feed
    files: dict[tuple[str, date, datetime], set[str]] = {}
    for row in replayed.rows:
        place = (row["delivery_id"], row["business_date"], row["received_at"])
        files.setdefault(place, set()).add(row["source_file"])
    found, gone = [], []
    for (name, day, received_at), names in sorted(files.items()):
        there = delivery_of(landing.root, feed.landing, day, name, landing.complete_after_minutes, feed.pattern)
        listed = [] if there is None else [file for file in there.files if file.name in names]
        if there is None or there.received_at != received_at or len(listed) < len(names):
            gone.append(name)
        else:
            found.append(replace(there, files=tuple(listed)))
    if gone:
        raise DataError(
            f"{', '.join(sorted(set(gone)))}: not in {landing.root / feed.landing} as it came in, so its rows cannot "
            "be read again: put the delivery back, or have the rows delivered again and drop these."
        )
    return found


def _first_results(replayed: _Replay, judged: Judged) -> dict[str, _Result]:
    """By row, whether it still breaks a rule. DataError where a row is not found in its file, or not for certain."""
    table = replayed.table
    dated = F.col(table.partitioned_by[0]) if table.partitioned_by else F.lit(None).cast("date")
    staged = judged.rows.select("quarantine_id", "broken_rules", dated.alias("on_date")).collect()
    times = Counter(row.quarantine_id for row in staged)
    lost = [row for row in replayed.rows if times[row["quarantine_id"]] != 1]
    if lost:
        where = sorted({f"{row['delivery_id']}/{row['source_file']} row {row['source_row']}" for row in lost})
        raise DataError(
            f"{len(lost)} row(s) cannot be found again for certain, the first in {where[0]}: the file in landing is "
            "not the one that was delivered, cannot be read, or is read otherwise than before."
        )
    return {r.quarantine_id: _Result(HELD if r.broken_rules else "accepted", r.broken_rules, r.on_date) for r in staged}


def _take_outcomes(judged: Judged, results: dict[str, _Result]) -> None:
    """Say of each row which broke no rule what it was to the others of its key."""
    if not judged.plan.met:
        return
    outcomes = judged.received.ctx.spark.read.parquet(str(judged.received.staging / "outcomes"))
    met = judged.good.select("row_id", "quarantine_id").join(outcomes.select("row_id", "outcome"), "row_id")
    for row in met.collect():
        results[row.quarantine_id].result = row.outcome
    if judged.plan.cancelled:
        for row in judged.void.select("quarantine_id").collect():
            results[row.quarantine_id].result = "duplicate"


# -- what is to be said -----------------------------------------------------------------------------------------------

# where what is to be said is kept until it is said
_ACTIONS, _STATUSES = "actions.parquet", "statuses.parquet"
_LEDGER, _RECONCILED = "ledger.parquet", "reconciled.parquet"


def _note(replayed: _Replay, judged: Judged, results: Mapping[str, _Result]) -> None:
    """Write beside the plan what is to be entered in the books and in quarantine."""
    folder = judged.received.staging
    folder.mkdir(parents=True, exist_ok=True)
    said = [(row, results[row["quarantine_id"]]) for row in replayed.rows]
    _write(folder / _ACTIONS, QUARANTINE_ACTIONS, [_action_row(replayed, row, result) for row, result in said])
    merged = [(row, result) for row, result in said if result.result not in {HELD, "dropped"}]
    _write(folder / _LEDGER, DELIVERIES, _ledger_rows(replayed, judged.plan, [row for row, _ in merged]))
    edits = merged if replayed.correction else []
    _write(folder / _RECONCILED, RECONCILIATION, [_reconciled(replayed, judged.plan, row) for row, _ in edits])
    _write(folder / _STATUSES, _status_table(replayed.table), [_status(replayed, row, result) for row, result in said])


def _write(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    schema = arrow_schema(table)
    plain = [{name: row.get(name) for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(plain, schema=schema), path)


def _status_table(table: Table) -> Table:
    """The columns of quarantine which an action sets, with its key."""
    quarantine = QUARANTINES[table.name]
    names = {*quarantine.key, "quarantine_status", "settled_by", "broken_rules"}
    return replace(quarantine, columns=tuple(c for c in quarantine.columns if c.name in names))


def _status(replayed: _Replay, row: Mapping[str, Any], result: _Result) -> dict[str, Any]:
    """What quarantine says of the row from now on. Of several corrections it names the one that holds."""
    now = {**row}
    kind, status = replayed.action.kind, row["quarantine_status"]
    if kind == DROP:
        now |= {"quarantine_status": DROPPED, "settled_by": replayed.action_id}
    elif result.result == HELD:
        # a correction which still breaks a rule says nothing about the row as it was delivered
        now |= {"broken_rules": result.broken_rules} if kind == RELEASE else {}
    elif kind == CORRECT:
        before = actions_on(replayed.ctx.books, replayed.table).get(row["quarantine_id"], [])
        edits = [
            (one["acted_at"], one["new_delivery_id"], one["action_id"])
            for one in before
            if one["action"] == CORRECT and one["result"] != HELD
        ]
        last = max([*edits, (replayed.action.at, replayed.delivery_of(row), replayed.action_id)])
        now |= {"quarantine_status": CORRECTED, "settled_by": last[2]}
    elif status not in {CORRECTED, CANCELLED}:
        now |= {"quarantine_status": RELEASED, "settled_by": replayed.action_id}
    return now


def _action_row(replayed: _Replay, row: Mapping[str, Any], result: _Result) -> dict[str, Any]:
    before, after = replayed.correction.change(row) if replayed.correction else (None, None)
    return {
        "action_id": replayed.action_id,
        "quarantine_id": row["quarantine_id"],
        "action": replayed.action.kind,
        "table_name": replayed.table.name,
        **{name: row[name] for name in _SOURCE_ROW},
        "acted_at": replayed.action.at,
        "acted_by": replayed.action.user,
        "reason": replayed.action.reason,
        "before": before,
        "after": after,
        "result": result.result,
        "broken_rules": result.broken_rules,
        "new_delivery_id": replayed.delivery_of(row) if replayed.correction and result.result != HELD else None,
    }


def _ledger_rows(replayed: _Replay, plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each delivery whose rows count now, so that what is derived takes them up."""
    by_delivery: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_delivery.setdefault(replayed.delivery_of(row), []).append(row)
    is_edit = replayed.correction is not None
    return [
        {
            "feed": replayed.feed.name,
            "delivery_id": name,
            "business_date": replayed.ctx.date if is_edit else of_it[0]["business_date"],
            "received_at": replayed.action.at if is_edit else of_it[0]["received_at"],
            "status": "cancelled" if name in plan.cancelled else "loaded",
            "reason": f"rows out of quarantine: {replayed.action.kind} {replayed.action_id}",
            "content_sha256": replayed.action_id,
            "manifest_sha256": replayed.action_id,
            "file_names": [],
            "rows_stated": len(of_it),
            "job": replayed.ctx.job,
            "touched_dates": [date.fromisoformat(day) for day in plan.touched.get(name, [])],
            "cancels": [],
        }
        for name, of_it in sorted(by_delivery.items())
    ]


def _reconciled(replayed: _Replay, plan: Plan, row: Mapping[str, Any]) -> dict[str, Any]:
    name = replayed.delivery_of(row)
    counts = plan.counts[name]
    return {
        "delivery_id": name,
        "feed": replayed.feed.name,
        "business_date": replayed.ctx.date,
        "rows_read": counts.read,
        "rows_accepted": counts.accepted,
        "rows_superseding": counts.superseding,
        "rows_duplicate": counts.duplicate,
        "rows_quarantined": counts.quarantined,
        "manifest_sha256": replayed.action_id,
    }


def _told(kind: str, replayed: _Replay, results: Mapping[str, _Result]) -> str:
    times = Counter(result.result for result in results.values())
    if kind == DROP:
        return f"{times['dropped']} row(s) dropped"
    broken = Counter(rule for result in results.values() for rule in result.broken_rules)
    why = f" ({', '.join(f'{rule} {rows}' for rule, rows in sorted(broken.items()))})" if broken else ""
    return (
        f"{len(replayed.rows)} row(s) taken = {times['accepted']} accepted + {times['superseding']} superseding + "
        f"{times['duplicate']} duplicate + {times[HELD]} still held{why}"
    )


# -- carry out --------------------------------------------------------------------------------------------------------


def is_replay(folder: Path) -> bool:
    """Whether a folder of staged rows is of a replay."""
    return folder.name.startswith(_PREFIX)


def finish_replays(ctx: "Context", feed: "Feed", readers: Readers, suite: "Suite", table: Table) -> None:
    """Carry out what replays of the feed had planned when they were killed."""
    batches = Received(ctx, feed, readers, []).batches
    for folder in sorted(path for path in batches.glob(f"{_PREFIX}*")):
        if not (folder / "plan.json").exists():
            shutil.rmtree(folder, ignore_errors=True)  # nothing of it was written
            continue
        ctx.log.warning("finishing a replay of quarantined rows which was interrupted")
        received = Received(ctx, feed, readers, [], folder=folder)
        _carry_out(Judged(received, suite, Plan.read(folder / "plan.json"), resumed=True), table)


def _carry_out(judged: Judged, table: Table) -> None:
    """Write the rows, then what quarantine says of them, then the books; a second time changes nothing."""
    ctx, folder = judged.received.ctx, judged.received.staging
    if any(counts.read > counts.quarantined for counts in judged.plan.counts.values()):
        write_rows(judged, table)
    statuses = ctx.spark.read.parquet(str(folder / _STATUSES))
    ctx.lake.set_columns(statuses, QUARANTINES[table.name], "quarantine_status", "settled_by", "broken_rules")
    for name, book in ((_ACTIONS, QUARANTINE_ACTIONS), (_RECONCILED, RECONCILIATION), (_LEDGER, DELIVERIES)):
        ctx.books.append(book, pq.read_table(folder / name).to_pylist())
    shutil.rmtree(folder, ignore_errors=True)


def _stop_if_interrupted(ctx: "Context", source: Source) -> None:
    """UserError where a run of the ingest job left its deliveries half in the tables: they come first."""
    batches = ctx.settings.lake.root.resolve() / "_staging" / source.feed
    if any(not is_replay(folder) and (folder / "plan.json").exists() for folder in batches.glob("*")):
        raise UserError(f"A run of {source.job} was interrupted: run {source.job} again before anything is replayed.")


def action_of(options: Mapping[str, str]) -> Action:
    """The action which a job's options ask for. UserError where one is missing, unknown, or contradicts another."""
    known = {"table", "action", "rule", "delivery", "row", "reason", "user", "at", "set"}
    if unknown := sorted(set(options) - known):
        raise UserError(f"Unknown option {unknown[0]!r}. Options: {', '.join(sorted(known))}.")
    given = {name: value.strip() for name, value in options.items()}
    kind = given.get("action", RELEASE)
    if kind not in {RELEASE, CORRECT, DROP}:
        raise UserError(f"Unknown action {kind!r}: release, correct or drop.")
    for name, what in (("reason", "why it is done"), ("user", "who does it"), ("at", "when it is done")):
        if not given.get(name):
            raise UserError(f"No {name} is given: say {what} (--key {name}=...).")
    rows = frozenset(filter(None, (row.strip() for row in given.get("row", "").split(","))))
    wanted = Wanted(given.get("rule") or None, given.get("delivery") or None, rows)
    if not (wanted.rule or wanted.delivery or wanted.rows):
        raise UserError("Which rows? Give a rule, a delivery or rows by their ids.")
    if kind == CORRECT and not rows:
        raise UserError("A correction is of rows which are named by their ids.")
    try:
        at = datetime.fromisoformat(given["at"])
        if at.tzinfo is None:
            raise ValueError
    except ValueError:
        raise UserError("at is no instant: give it with its offset from UTC (2025-06-30T08:00:00+08:00).") from None
    try:
        entered = json.loads(given.get("set") or "{}")
        if not isinstance(entered, dict):
            raise ValueError
    except ValueError:
        raise UserError('set is no JSON object: {"column": "value"}.') from None
    if entered and kind != CORRECT:
        raise UserError("Only a correction sets values.")
    texts = {str(name): "" if value is None else str(value) for name, value in entered.items()}
    return Action(kind, wanted, given["reason"], given["user"], at.astimezone(UTC), texts)
