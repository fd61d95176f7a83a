"""Rows which meet others of their key, held or in their batch: which of them holds, and what becomes of the others.

All values known of a key are put in the order of their deliveries: its *line*. The last one of a delivery that is not
cancelled holds and is in core. One which the next says otherwise is kept in the versions, one which the next says again
in the repeats. A value of a cancelled delivery is kept in the versions, replaced by what cancelled it, and has no part
in the order. So the tables depend on what was delivered and not on when each was taken.
"""

from collections import Counter
from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.runtime.batch import MOST_IN_DRIVER, Judged
from jobs.runtime.held_rows import HELD_FILE, rows_in_files, with_file
from jobs.runtime.lake import date_of, same_key
from jobs.runtime.quality import ids_where_false
from jobs.runtime.wide_rows import OUTCOMES
from schemas import REPEATS, VERSIONS, Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_PLACE = ("received_at", "delivery_id")
# where a value of a line belongs
_CORE, _VERSION, _REPEAT = "core", "version", "repeat"


def meet(judged: Judged, table: Table) -> None:
    """Which rows meet others of their key, held or in the batch; counts of what that makes of them; their lines.

    Most rows of a delivery meet none: only the few that do are put in order and compared.
    """
    lake, plan = judged.received.ctx.lake, judged.plan
    held: DataFrame | None = None
    found: set[str] | None = None
    if table.partitioned_by:
        found = lake.partitions_held(table, plan.dates)
        if not judged.received.ctx.are_rows_few:
            # of many rows those of new dates need not be merged; of few, one commit costs less than two
            plan.fresh_dates = [day for day in plan.dates if day not in found]
        held = lake.read(table).where(is_on(table, found)) if found else None
    elif lake.exists(table):
        held = lake.read(table)
    meeting = _keys_that_meet(judged, table, held, found)
    told = (
        meeting.groupBy(date_of(table).alias("on_date"))
        .agg(F.max("is_held").alias("is_held"), F.count("*").alias("row_count"))
        .collect()
    )
    if not told:
        plan.met = False
        for counts in plan.counts.values():
            counts.accepted = counts.read - counts.quarantined
        plan.to_append = sum(counts.accepted for counts in plan.counts.values())
        return
    if held is not None and table.partitioned_by:
        dates = sorted(row.on_date.isoformat() for row in told if row.is_held)
        held = _held_that_meet(judged, table, meeting, held, dates)
    delivered = _delivered_that_meet(judged, table, meeting)
    with judged.received.ctx.few(sum(row.row_count for row in told)):
        _count(judged, table, delivered, meeting, held)
        _stage_lines(judged, table, delivered, meeting, held)


def _keys_that_meet(
    judged: Judged, table: Table, held: "DataFrame | None", dates: Collection[str] | None
) -> "DataFrame":
    """Keys of good rows which occur more than once or are held, and of cancelled values.

    is_held: a good row meets one that is held; what others meet is not told. `HELD_FILE` says in which file of a table
    of wide rows. `dates` are those of the held rows.
    """
    lake, plan = judged.received.ctx.lake, judged.plan
    rows = judged.good.select(*table.key)
    nowhere = F.lit(None).cast("string").alias(HELD_FILE)
    unheld = (*table.key, nowhere, F.lit(False).alias("is_held"))
    keys = rows.groupBy(*table.key).count().where("count > 1").select(*unheld)
    if held is not None:
        if dates is not None:
            # few of many: staged, Spark knows how few they are, and does not move what is held to meet them
            rows = _staged(judged, rows.where(is_on(table, dates)), "near")
        where = with_file(held).select(*table.key, HELD_FILE) if judged.are_wide else held.select(*table.key, nowhere)
        met = where.join(rows, list(table.key), "left_semi")
        keys = keys.unionByName(met.withColumn("is_held", F.lit(True)))
    if plan.cancelled.keys() & plan.counts.keys():
        keys = keys.unionByName(judged.void.select(*unheld))
    if plan.undone:
        is_undone = F.col("delivery_id").isin(plan.undone)
        stored = [lake.read(other) for other in (VERSIONS[table.name], REPEATS[table.name]) if lake.exists(other)]
        for frame in (*([] if held is None else [held]), *stored):
            keys = keys.unionByName(frame.where(is_undone).select(*unheld))
    # read back: a frame cannot be told from its own origin where the two are joined
    told = [F.max(name).alias(name) for name in ("is_held", HELD_FILE)]
    return _staged(judged, keys.groupBy(*table.key).agg(*told), "meeting")


def _held_that_meet(
    judged: Judged, table: Table, meeting: "DataFrame", held: "DataFrame", dates: Collection[str]
) -> "DataFrame | None":
    """The held rows of the keys that meet, staged; None where there are none.

    Only the `dates` on which good rows meet some are read, as whole rows are many times what keys are; of wide rows no
    others than these.
    """
    plan = judged.plan
    if not plan.undone and not plan.cancelled.keys() & plan.counts.keys():
        if not dates:
            return None
        if judged.are_wide:
            return _staged(judged, rows_in_files(meeting, table), "held")
        held = held.where(is_on(table, dates))
    return _staged(judged, same_key(held, meeting, table.key, "left_semi"), "held")


def _delivered_that_meet(judged: Judged, table: Table, meeting: "DataFrame") -> "DataFrame":
    """The good rows of the keys that meet, whole, and those of cancelled deliveries."""
    plan = judged.plan
    rows = judged.good
    if plan.cancelled.keys() & plan.counts.keys():
        rows = rows.unionByName(judged.void)
    met = judged.whole(same_key(rows, meeting, table.key, "left_semi"))
    # of few rows it costs less to look them up twice
    return met if judged.received.ctx.are_rows_few else _staged(judged, met, "delivered")


def _staged(judged: Judged, rows: "DataFrame", name: str) -> "DataFrame":
    """The rows, written beside the plan and read back."""
    folder = str(judged.received.staging / name)
    rows.write.mode("overwrite").parquet(folder)
    return judged.received.ctx.spark.read.schema(rows.schema).parquet(folder)


def is_on(table: Table, days: Collection[str]) -> Any:
    """Whether a row's date is one of these."""
    return F.col(table.partitioned_by[0]).isin([date.fromisoformat(day) for day in sorted(days)])


def _values_hash(table: Table) -> Any:
    """Hash of what a row says, without key and provenance: equal where a repeat says nothing new."""
    silent = {*table.key, *_PLACE, "flags"}
    return F.xxhash64(*(F.col(c.name).cast(c.type) for c in table.columns if c.name not in silent))


# -- counts -----------------------------------------------------------------------------------------------------------


def _count(
    judged: Judged, table: Table, delivered: "DataFrame", meeting: "DataFrame", held: "DataFrame | None"
) -> None:
    """Add to the plan's counts what becomes of the good rows; a value that is cancelled holds as little as a repeat."""
    plan = judged.plan
    outcomes = _staged(judged, _outcomes(judged, table, delivered, meeting, held), OUTCOMES)
    by = ("delivery_id", "outcome", "is_last", "is_new", "key_flags")
    told = outcomes.where("NOT is_held").groupBy(*by).count().collect()
    if judged.are_wide:
        # what meets nothing is the rest; that they are as many is seen when they are written
        alone = {name: counts.read - counts.quarantined for name, counts in plan.counts.items()}
        for row in told:
            alone[row.delivery_id] -= row["count"]
        alone = {name: rows for name, rows in alone.items() if name not in plan.cancelled}
    else:
        rows = same_key(judged.good, meeting, table.key, "left_anti").groupBy("delivery_id").count().collect()
        alone = {row.delivery_id: row["count"] for row in rows}
    for name, count in alone.items():
        plan.counts[name].accepted += count
    marked: Counter[tuple[str, str]] = Counter()
    for row in told:
        counts = plan.counts[row.delivery_id]
        setattr(counts, row.outcome, getattr(counts, row.outcome) + row["count"])
        marked.update({(row.delivery_id, rule): row["count"] for rule in row.key_flags})
    plan.broken += [(*key, "warn", rows) for key, rows in sorted(marked.items())]
    plan.has_key_flags = bool(marked)
    for name in plan.counts.keys() & plan.cancelled.keys():
        plan.counts[name].duplicate = plan.counts[name].read - plan.counts[name].quarantined
    plan.to_append = sum(alone.values()) + sum(row["count"] for row in told if row.is_new)
    plan.has_merged = any(row.is_last and not row.is_new for row in told)


def _outcomes(
    judged: Judged, table: Table, delivered: "DataFrame", meeting: "DataFrame", held: "DataFrame | None"
) -> "DataFrame":
    """A row for each staged good row and each held row of the keys that meet: what becomes of it.

    outcome: accepted (first of its key), superseding (says something else than the one before it), duplicate (says the
    same, or is older than what is held). is_last: the one that holds from now on. is_new: it does, and core holds none
    of its key. key_flags: ids of the key rules which the rows of its key in its delivery broke.
    """
    columns = [*table.key, *_PLACE]
    is_void = F.col("delivery_id").isin(sorted(judged.plan.cancelled))
    incoming = complete(delivered.where(~is_void), table).select(
        *columns,
        "source_file",
        "source_row",
        "row_id",
        _values_hash(table).alias("said"),
        F.lit(False).alias("is_held"),
    )
    both = incoming
    if held is not None:
        met = same_key(held.where(~is_void), meeting, table.key, "left_semi").select(
            *columns,
            F.lit("").alias("source_file"),
            F.lit(0).cast("long").alias("source_row"),
            F.lit(None).cast("long").alias("row_id"),
            _values_hash(table).alias("said"),
            F.lit(True).alias("is_held"),
        )
        both = incoming.unionByName(met)
    # of two rows of one delivery, of which one was held back, the one that was stored first holds
    order = Window.partitionBy(*table.key).orderBy(*_PLACE, "is_held", "source_file", "source_row", "row_id")
    after = order.rowsBetween(1, Window.unboundedFollowing)
    values = F.collect_set(F.when(~F.col("is_held"), F.col("said"))).over(Window.partitionBy(*table.key, *_PLACE))
    return both.select(
        "*",
        F.lag("said").over(order).alias("said_before"),
        F.row_number().over(order).alias("nth_of_key"),
        F.lead("delivery_id").over(order).isNull().alias("is_last"),
        F.coalesce(F.max("is_held").over(after), F.lit(False)).alias("is_outdated"),
        F.max("is_held").over(Window.partitionBy(*table.key)).alias("has_held"),
        *([F.size(values).alias("values_count")] if judged.suite.key_rules() else []),
    ).select(
        "*",
        # of what is cancelled it is not looked up whether core holds it
        (F.col("is_last") & ~F.col("has_held") & F.lit(not judged.plan.undone)).alias("is_new"),
        F.expr(
            "CASE WHEN is_outdated THEN 'duplicate' WHEN nth_of_key = 1 THEN 'accepted' "
            "WHEN said = said_before THEN 'duplicate' ELSE 'superseding' END"
        ).alias("outcome"),
        F.expr(ids_where_false(judged.suite.key_rules(), ())).alias("key_flags"),
    )


def with_key_flags(judged: Judged, rows: "DataFrame") -> "DataFrame":
    """Grain of the given staged rows (with row_id): adds the key rules which they break to their flags."""
    if not judged.plan.has_key_flags:
        return rows
    outcomes = judged.received.ctx.spark.read.parquet(str(judged.received.staging / OUTCOMES))
    marked = outcomes.where("NOT is_held AND size(key_flags) > 0").select("row_id", "key_flags")
    both = F.expr("array_sort(array_union(coalesce(flags, array()), key_flags))")
    # of rows that were stored before row_id is null
    flags = F.when(F.col("key_flags").isNull(), F.col("flags")).otherwise(both)
    return rows.join(F.broadcast(marked), "row_id", "left").withColumn("flags", flags).drop("key_flags")


# -- lines ------------------------------------------------------------------------------------------------------------


def _stage_lines(
    judged: Judged, table: Table, delivered: "DataFrame", meeting: "DataFrame", held: "DataFrame | None"
) -> None:
    """Write the lines of the keys that meet beside the plan, whole, so that a run which was killed finds them again."""
    told = (
        _staged(judged, _lines(judged, table, delivered, meeting, held), "lines")
        .agg(
            F.max(F.expr(_CHANGES_VERSIONS)).alias("versions"),
            F.max(F.expr(_CHANGES_REPEATS)).alias("repeats"),
            F.max(F.expr(_CHANGES_CORE)).alias("core"),
            F.max(F.expr(f"({_CHANGES_VERSIONS}) AND was_version")).alias("changes_versions"),
            F.max(F.expr(f"({_CHANGES_REPEATS}) AND was_repeat")).alias("changes_repeats"),
            F.count("*").alias("rows"),
        )
        .collect()[0]
    )
    plan = judged.plan
    plan.merges_versions = bool(told.changes_versions) or told.rows > MOST_IN_DRIVER
    plan.merges_repeats = bool(told.changes_repeats) or told.rows > MOST_IN_DRIVER
    plan.has_versions, plan.has_repeats, plan.has_withdrawn = bool(told.versions), bool(told.repeats), bool(told.core)


# what of a line is to be written where
_CHANGES_VERSIONS = (
    f"(place = '{_VERSION}' AND NOT (was_version AND replaced_by <=> was_replaced_by AND replaced_at <=> "
    f"was_replaced_at)) OR (place <> '{_VERSION}' AND was_version)"
)
_CHANGES_REPEATS = f"(place = '{_REPEAT}') <> was_repeat"
_CHANGES_CORE = f"loses_core AND (place = '{_CORE}' OR (was_core AND is_void AND NOT has_value))"


def _lines(
    judged: Judged, table: Table, delivered: "DataFrame", meeting: "DataFrame", held: "DataFrame | None"
) -> "DataFrame":
    """A key and a delivery which said something of it: the whole row, where it belongs and where it was.

    place: core, version (with replaced_at and replaced_by) or repeat. is_void: of a cancelled delivery. loses_core: the
    value in core is of a cancelled delivery; has_value: another one takes its place. has_core: core holds the key.
    """
    spark, lake, cancelled = judged.received.ctx.spark, judged.received.ctx.lake, judged.plan.cancelled
    parts = [_part(delivered, table, "new")]
    if held is not None:
        parts.append(_part(same_key(held, meeting, table.key, "left_semi"), table, _CORE))
    for kind, other in ((_VERSION, VERSIONS[table.name]), (_REPEAT, REPEATS[table.name])):
        if lake.exists(other):
            stored = lake.read(other)
            if table.partitioned_by:
                # the log tells which files hold none of these dates
                stored = stored.where(is_on(table, judged.plan.dates))
            parts.append(_part(same_key(stored, meeting, table.key, "left_semi"), table, kind))
    every = parts[0]
    for part in parts[1:]:
        every = every.unionByName(part)
    place = (*table.key, *_PLACE)
    same = Window.partitionBy(*place)
    # one delivery may bring a key more than once: what is stored, else the last of its rows, is what it said
    latest = same.orderBy(
        F.expr("origin = 'new'"), F.desc("source_file"), F.desc("source_row"), F.desc("row_id"), "origin"
    )
    is_version = F.col("origin") == _VERSION
    one_each = (
        every.select(
            "*",
            F.row_number().over(latest).alias("nth"),
            *(F.max(F.col("origin") == kind).over(same).alias(f"was_{kind}") for kind in (_CORE, _VERSION, _REPEAT)),
            F.max(F.when(is_version, F.col("replaced_at"))).over(same).alias("was_replaced_at"),
            F.max(F.when(is_version, F.col("replaced_by"))).over(same).alias("was_replaced_by"),
        )
        .where("nth = 1")
        .drop("nth", "replaced_at", "replaced_by", "source_file", "source_row", "origin")
    )
    one_each = with_key_flags(judged, one_each)
    ids = spark.createDataFrame(
        [(name, at, by) for name, (at, by) in sorted(cancelled.items())],
        "cancelled_id string, cancelled_at string, cancelled_by string",
    )
    known = one_each.join(F.broadcast(ids), F.col("delivery_id") == F.col("cancelled_id"), "left").select(
        *one_each.columns,
        F.col("cancelled_id").isNotNull().alias("is_void"),
        F.to_timestamp("cancelled_at").alias("cancelled_at"),
        "cancelled_by",
    )
    following = Window.partitionBy(*table.key, "is_void").orderBy(*_PLACE)
    of_key = Window.partitionBy(*table.key)
    said_next = F.lead("said").over(following)
    return (
        known.withColumns(
            {
                "place": F.when(F.col("is_void") | (said_next != F.col("said")), _VERSION)
                .when(said_next.isNull(), _CORE)
                .otherwise(_REPEAT),
                "replaced_at": F.when(F.col("is_void"), F.col("cancelled_at")).otherwise(
                    F.lead("received_at").over(following)
                ),
                "replaced_by": F.when(F.col("is_void"), F.col("cancelled_by")).otherwise(
                    F.lead("delivery_id").over(following)
                ),
            }
        )
        .withColumns(
            {
                "loses_core": F.max(F.col("was_core") & F.col("is_void")).over(of_key),
                "has_core": F.max("was_core").over(of_key),
                "has_value": F.max(~F.col("is_void")).over(of_key),
            }
        )
        .drop("cancelled_at", "cancelled_by", "said", "row_id")
    )


def _part(rows: "DataFrame", table: Table, origin: str) -> "DataFrame":
    """Rows of the keys that meet, whole, with where they come from."""
    met = complete(rows, table)

    def own(name: str, kind: str) -> "Column":
        return (F.col(name) if name in met.columns else F.lit(None)).cast(kind).alias(name)

    return met.select(
        *(F.col(c.name).cast(c.type).alias(c.name) for c in table.columns),
        own("source_file", "string"),
        own("source_row", "long"),
        own("row_id", "long"),
        own("replaced_at", "timestamp"),
        own("replaced_by", "string"),
        _values_hash(table).alias("said"),
        F.lit(origin).alias("origin"),
    )


def superseding(judged: Judged) -> "DataFrame":
    """Of the lines, whole, the values which hold from now on and take the place of a row which is held."""
    lines = judged.received.ctx.spark.read.parquet(str(judged.received.staging / "lines"))
    # of what is cancelled it is not looked up whether core holds it
    is_held = F.lit(True) if judged.plan.undone else F.col("has_core")
    return lines.where(F.expr(f"place = '{_CORE}' AND NOT was_core") & is_held)


def keep_lines(judged: Judged, table: Table) -> None:
    """Bring versions and repeats up to date, and core where it held a cancelled value; a second time changes nothing.

    What is written where was found out before anything was written.
    """
    lake, plan = judged.received.ctx.lake, judged.plan
    lines = judged.received.ctx.spark.read.parquet(str(judged.received.staging / "lines"))

    def bring(condition: str, place: str, other: Table, *, merges: bool) -> None:
        rows = lines.where(condition).withColumn("is_kept", F.expr(f"place = '{place}'"))
        if merges:
            lake.synchronise(rows, other, "is_kept")
        else:
            # nothing is looked for in a table which grows with the history
            lake.append_once(rows, other, judged.app_id(place))

    if plan.has_versions:
        bring(_CHANGES_VERSIONS, _VERSION, VERSIONS[table.name], merges=plan.merges_versions)
    if plan.has_repeats:
        bring(_CHANGES_REPEATS, _REPEAT, REPEATS[table.name], merges=plan.merges_repeats)
    if plan.has_withdrawn:
        bring(_CHANGES_CORE, _CORE, table, merges=True)


def complete(rows: "DataFrame", table: Table) -> "DataFrame":
    """The rows with every column of the table, null where the feed has none."""
    missing = [c for c in table.columns if c.name not in rows.columns]
    return rows.select("*", *(F.lit(None).cast(c.type).alias(c.name) for c in missing))
