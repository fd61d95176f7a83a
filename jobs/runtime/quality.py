"""Rules -> columns and counts on Spark, and the same rules as Great Expectations suites with their Data Docs pages.

The only place where Great Expectations is spoken. Spark evaluates each rule once, in the pass which stages the rows;
Great Expectations then validates the outcome of each rule on each row, rebuilt from how often every pattern of broken
rules occurred. So the pages show counts of rows and cost no second pass over the data.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from expectations.rule import Rule, Suite
from jobs.runtime.errors import DataError
from schemas.ops import RULE_RESULTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.runtime.context import Context

_MOST_SHOWN = 10


def with_broken_rules(rows: "DataFrame", suite: Suite, errors: str = "broken_rules", warns: str = "flags") -> "DataFrame":
    """Add two columns: ids of the error and of the warn row rules whose condition is false.

    A row which stands for a file that could not be read is judged by no rule.
    """
    return rows.withColumns(
        {
            errors: F.expr(_ids_where_false(suite.row_rules("error"), rows.columns)),
            warns: F.expr(_ids_where_false(suite.row_rules("warn"), rows.columns)),
        }
    )


def _ids_where_false(rules: Sequence[Rule], columns: Sequence[str]) -> str:
    if not rules:
        return "CAST(array() AS array<string>)"
    unless = "file_error IS NULL AND " if "file_error" in columns else ""
    cases = ", ".join(f"CASE WHEN {unless}NOT ({rule.condition}) THEN '{rule.id}' END" for rule in rules)
    return f"array_compact(array({cases}))"


def broken_batch_rules(rows: "DataFrame", suite: Suite) -> list[Rule]:
    """The batch rules whose aggregate condition is false, found in one pass."""
    rules = suite.batch_rules()
    if not rules:
        return []
    held = rows.agg(*(F.expr(rule.condition).alias(rule.id) for rule in rules)).collect()[0]
    return [rule for rule in rules if held[rule.id] is False]


def gate(ctx: "Context", rows: "DataFrame", suite: Suite) -> "DataFrame":
    """Stage and judge what a job is about to write; see `Context.gate`."""
    staging = ctx.settings.lake.root.resolve() / "_staging" / ctx.job / ctx.date.isoformat() / suite.table
    with_broken_rules(rows, suite, "_errors", "_warns").write.mode("overwrite").parquet(str(staging))
    staged = ctx.spark.read.parquet(str(staging))
    batch = suite.batch_rules()
    patterns = staged.groupBy("_errors", "_warns").count().collect()
    broken = broken_batch_rules(staged, suite)
    judged = sum(p["count"] for p in patterns)
    counts = {
        rule.id: sum(p["count"] for p in patterns if rule.id in p["_errors" if rule.severity == "error" else "_warns"])
        for rule in suite.row_rules()
    }
    counts.update({rule.id: int(rule in broken) for rule in batch})
    ctx.books.append(
        RULE_RESULTS,
        [
            {
                "job": ctx.job,
                "run_date": ctx.date,
                "table_name": suite.table,
                "delivery_id": None,
                "rule_id": rule.id,
                "severity": rule.severity,
                "rows_judged": judged if rule.scope == "row" else 1,
                "rows_broken": counts[rule.id],
            }
            for rule in suite.rules
        ],
    )
    errors = [rule for rule in suite.rules if rule.severity == "error" and counts[rule.id]]
    for rule in suite.rules:
        if rule.severity == "warn" and counts[rule.id]:
            ctx.log.warning("%s: %s of %s rows (%s)", rule.id, counts[rule.id], judged, rule.reason)
    if errors:
        lines = "\n".join(
            f"  {rule.id}: {'the table' if rule.scope == 'batch' else f'{counts[rule.id]} of {judged} rows'}: {rule.reason}"
            for rule in errors[:_MOST_SHOWN]
        )
        raise DataError(f"{suite.table} is not written, as its suite does not pass; what was there stays:\n{lines}")
    return staged.drop("_errors", "_warns")
