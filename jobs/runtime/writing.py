"""What deliveries and rows out of quarantine have in common: rows are staged, judged, and written into their table."""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.runtime.batch import Judged
from jobs.runtime.errors import DataError
from jobs.runtime.meeting import complete, is_on, keep_lines, superseding, with_key_flags
from jobs.runtime.quality import broken_batch_rules, with_broken_rules
from jobs.runtime.receiving import Received
from jobs.runtime.wide_files import append_wide
from jobs.runtime.wide_rows import OUTCOMES
from schemas import Table
from schemas.customers import CUSTOMER_IDENTITIES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from expectations.rule import Suite


def stage_judged(received: Received, rows: "DataFrame", suite: "Suite", table: Table) -> None:
    """Write the rows, with the rules they broke, beside where the plan will be."""
    for step in received.steps:
        rows = step(rows)
    judged = with_broken_rules(complete(rows, table), suite).withColumn("row_id", F.monotonically_increasing_id())
    judged.write.mode("overwrite").parquet(str(received.staging / "rows"))


def stop_on_batch_rules(judged: Judged) -> None:
    """DataError where a rule of the whole batch does not hold."""
    if not judged.suite.batch_rules():
        return
    for rule in broken_batch_rules(judged.good, judged.suite):
        if rule.severity == "error":
            raise DataError(
                f"{judged.suite.table}: {rule.id} does not hold for the batch: {rule.reason}. Nothing was written."
            )
        judged.received.ctx.log.warning("%s does not hold for the batch: %s", rule.id, rule.reason)


def write_rows(judged: Judged, table: Table) -> None:
    """Write the good rows as the plan says; a second time changes nothing."""
    plan, lake = judged.plan, judged.received.ctx.lake
    if judged.are_wide:
        _write_wide(judged, table)
        return
    if not plan.met:
        _append(judged, judged.good, table)
        _keep_identities(judged, judged.good)
        return
    outcomes = judged.received.ctx.spark.read.parquet(str(judged.received.staging / OUTCOMES))
    keep_lines(judged, table)
    losers = outcomes.where("NOT is_last AND NOT is_held").select("row_id")
    winners = with_key_flags(judged, judged.good.join(losers, "row_id", "left_anti"))
    if plan.fresh_dates and table.partitioned_by:
        is_fresh = is_on(table, plan.fresh_dates)
        _append(judged, winners.where(is_fresh), table)
        winners = winners.where(~is_fresh)
        if plan.fresh_dates == plan.dates:
            return
    lake.upsert(winners, table)
    _keep_identities(judged, winners)


def _write_wide(judged: Judged, table: Table) -> None:
    """The same for wide rows: what is new is appended, on dates which are held too; what meets a held row is merged."""
    if judged.plan.met:
        keep_lines(judged, table)
    append_wide(judged, table)
    if judged.plan.has_merged:
        lake = judged.received.ctx.lake
        # the value that gave way is held, but where it was a cancelled one it has just been taken out
        merge = lake.upsert if judged.plan.undone else lake.update
        merge(superseding(judged), table)


def _append(judged: Judged, rows: "DataFrame", table: Table) -> None:
    """Append what meets nothing; a run which is finished by another one merges instead, as the append may be in."""
    lake = judged.received.ctx.lake
    with lake.once(judged.app_id("append")):
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
