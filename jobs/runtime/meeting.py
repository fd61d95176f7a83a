"""Rows which meet others of their key, held or in their batch: which of them holds, and what it gave way to."""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.runtime.batch import Judged
from schemas import VERSIONS, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# a value which another one follows, or which came after the one that holds
GAVE_WAY = "(NOT is_last AND said <> said_next) OR (is_outdated AND NOT is_held)"


def meet(judged: Judged, table: Table) -> None:
    """Which rows meet others of their key, held or in the batch; counts of what that makes of them.

    Most rows of a delivery meet none: only the few that do are put in order and compared.
    """
    lake, plan = judged.received.ctx.lake, judged.plan
    if table.partitioned_by:
        days = sorted({day for touched in plan.touched.values() for day in touched})
        found = lake.partitions_held(table, days)
        if not judged.received.ctx.are_rows_few:
            # of many rows those of new dates need not be merged; of few, one commit costs less than two
            plan.fresh_dates = [day for day in days if day not in found]
        held = lake.read(table).where(is_on(table, found)) if found else None
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
    patterns = (
        outcomes.groupBy("delivery_id", "outcome", "is_held", F.expr(GAVE_WAY).alias("gave_way")).count().collect()
    )
    plan.has_versions = any(row.gave_way for row in patterns)
    for row in patterns:
        if not row.is_held:
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


def is_on(table: Table, days: Collection[str]) -> Any:
    """Whether a row's date is one of these."""
    return F.col(table.partitioned_by[0]).isin([date.fromisoformat(day) for day in sorted(days)])


def _values_hash(table: Table) -> Any:
    """Hash of what a row says, without key and provenance: equal where a repeat says nothing new."""
    silent = {*table.key, "received_at", "delivery_id", "flags"}
    return F.xxhash64(*(F.col(c.name).cast(c.type) for c in table.columns if c.name not in silent))


def _outcomes(judged: Judged, table: Table, meeting: "DataFrame", held: "DataFrame | None") -> "DataFrame":
    """A row for each staged good row and each held row of the keys that meet: what becomes of it.

    outcome: accepted (first of its key), superseding (says something else than the one before it), duplicate (says the
    same, or is older than what is held). is_last: the one that holds from now on.
    """
    columns = [*table.key, "received_at", "delivery_id"]
    incoming = complete(_same_key(judged.good, meeting, table, "left_semi"), table).select(
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
        F.lead("delivery_id").over(order).isNull().alias("is_last"),
        F.coalesce(F.max("is_held").over(after), F.lit(False)).alias("is_outdated"),
    ).select(
        "*",
        F.expr(
            "CASE WHEN is_outdated THEN 'duplicate' WHEN nth_of_key = 1 THEN 'accepted' "
            "WHEN said = said_before THEN 'duplicate' ELSE 'superseding' END"
        ).alias("outcome"),
    )


def keep_versions(judged: Judged, table: Table, outcomes: "DataFrame") -> None:
    """Bring the kept versions of the keys concerned up to date, whatever order their values came in.

    All values known of a key are put in the order of their deliveries. One that another value follows is kept, with
    what followed it; of repeats of the same value, one after the other, the latest.
    """
    lake, versions = judged.received.ctx.lake, VERSIONS[table.name]
    concerned = outcomes.where(GAVE_WAY).select(*table.key).distinct()
    place = (*table.key, "received_at", "delivery_id")
    told = ("said", "source_file", "source_row", "row_id")
    nowhere = (F.lit("").alias("source_file"), F.lit(0).cast("long").alias("source_row"))
    kept_before = _same_key(lake.read(versions), concerned, table, "left_semi").select(
        *place, _values_hash(table).alias("said"), *nowhere, F.lit(None).cast("long").alias("row_id")
    )
    every = _same_key(outcomes, concerned, table, "left_semi").select(*place, *told).unionByName(kept_before)
    # one delivery may bring a key more than once: the last of its rows is what it said
    last = Window.partitionBy(*place).orderBy(F.desc("source_file"), F.desc("source_row"), F.desc("row_id"))
    following = Window.partitionBy(*table.key).orderBy("received_at", "delivery_id")
    line = (
        every.withColumn("nth", F.row_number().over(last))
        .where("nth = 1")
        .select(
            *place,
            "row_id",
            F.lead("received_at").over(following).alias("replaced_at"),
            F.lead("delivery_id").over(following).alias("replaced_by"),
            (F.lead("said").over(following) != F.col("said")).alias("is_followed"),
        )
    )
    gave_way = line.withColumn("is_kept", F.coalesce("is_followed", F.lit(False))).drop("is_followed")
    folder = str(judged.received.staging / "versions")
    gave_way.write.mode("overwrite").parquet(folder)
    gave_way = judged.received.ctx.spark.read.schema(gave_way.schema).parquet(folder)
    names = (*table.column_names, "replaced_at", "replaced_by", "is_kept")
    incoming = complete(judged.good, table).join(gave_way.drop(*place), "row_id")
    held = lake.read(table)
    if table.partitioned_by:
        held = held.where(is_on(table, {day for touched in judged.plan.touched.values() for day in touched}))
    others = gave_way.where("row_id IS NULL").drop("row_id")
    held = held.join(others, list(place))
    before = lake.read(versions).drop("replaced_at", "replaced_by").join(others, list(place))
    rows = incoming.select(*names).unionByName(held.select(*names)).unionByName(before.select(*names))
    # a run that was killed after it had written them finds its rows both held and kept
    lake.synchronise(rows.dropDuplicates(list(versions.key)), versions, "is_kept")


def complete(rows: "DataFrame", table: Table) -> "DataFrame":
    """The rows with every column of the table, null where the feed has none."""
    missing = [c for c in table.columns if c.name not in rows.columns]
    return rows.select("*", *(F.lit(None).cast(c.type).alias(c.name) for c in missing))
