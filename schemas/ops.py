"""The suite's own books: deliveries, reconciliation, results of rules, job runs. Small, append-only."""

from pyspark.sql.types import ArrayType, LongType

from schemas.common import DATE, DELIVERY_ID, DOUBLE, INSTANT, INT, STRING, STRINGS
from schemas.table import Column, Table

LONG = LongType()

DELIVERIES = Table(
    name="ops.deliveries",
    comment="Ledger of deliveries: what became of each",
    key=("feed", "delivery_id", "manifest_sha256", "status"),
    columns=(
        Column("feed", STRING, "Feed it belongs to"),
        DELIVERY_ID,
        Column("business_date", DATE, "Business date of the delivery"),
        Column("received_at", INSTANT, "When it came in, UTC"),
        Column("status", STRING, "loaded, duplicate (the same content was loaded before), refused or cancelled"),
        Column("reason", STRING, "Why it was refused, which delivery it repeats, or which one cancelled it"),
        Column("content_sha256", STRING, "Checksum over the checksums of its files"),
        Column("manifest_sha256", STRING, "Checksum of its manifest"),
        Column("file_names", STRINGS, "Its files"),
        Column("rows_stated", LONG, "Rows its manifest states"),
        Column("job", STRING, "Job which took it"),
        Column(
            "touched_dates", ArrayType(DATE), "Local dates of the rows which it changed; empty where rows have none"
        ),
        Column("cancels", STRINGS, "Deliveries of the feed which it cancels"),
    ),
    write="append",
)

RECONCILIATION = Table(
    name="ops.reconciliation",
    comment="Law 1: rows read = accepted + superseding + duplicate + quarantined, for each delivery",
    key=("feed", "delivery_id", "manifest_sha256"),
    columns=(
        DELIVERY_ID,
        Column("feed", STRING, "Feed it belongs to"),
        Column("business_date", DATE, "Business date of the delivery"),
        Column("rows_read", LONG, "Rows in its files"),
        Column("rows_accepted", LONG, "Rows with a key not held before"),
        Column("rows_superseding", LONG, "Rows which replace an older row of the same key"),
        Column(
            "rows_duplicate", LONG, "Repeats, and rows older than what is held (kept as versions where they differ)"
        ),
        Column("rows_quarantined", LONG, "Rows which broke an error rule"),
        Column("manifest_sha256", STRING, "Checksum of the delivery's manifest"),
    ),
    write="append",
)

RULE_RESULTS = Table(
    name="ops.rule_results",
    comment="How often each rule was broken, by job run and delivery",
    # a rerun with another outcome is the next revision; the same outcome is not written twice
    key=("job", "run_date", "delivery_id", "rule_id", "revision"),
    columns=(
        Column("job", STRING, "Job which judged"),
        Column("run_date", DATE, "Date of the run"),
        Column("table_name", STRING, "Table the rows were for"),
        DELIVERY_ID,
        Column("rule_id", STRING, "Rule"),
        Column("severity", STRING, "error or warn"),
        Column("rows_judged", LONG, "Rows judged"),
        Column("rows_broken", LONG, "Rows which broke the rule"),
        Column(
            "revision",
            INT,
            "1, and one more each time the same job and date came to another result: the highest holds. Null in rows "
            "of before there were revisions, which are the earliest",
        ),
    ),
    write="append",
)

QUARANTINE_ACTIONS = Table(
    name="ops.quarantine_actions",
    comment="What a person did with a row in quarantine: released, corrected or dropped it",
    key=("action_id", "quarantine_id"),
    columns=(
        Column("action_id", STRING, "The action: the same for all rows which it concerned"),
        Column("quarantine_id", STRING, "The row, as `wattlake quarantine list` names it"),
        Column("action", STRING, "release, correct or drop"),
        Column("table_name", STRING, "Table the row was refused for"),
        DELIVERY_ID,
        Column("received_at", INSTANT, "When that delivery came in, UTC"),
        Column("source_file", STRING, "File of the delivery"),
        Column("source_row", LONG, "Row in the file, from 1, without the header"),
        Column("acted_at", INSTANT, "When it was done, UTC; a correction counts as received then"),
        Column("acted_by", STRING, "Who did it"),
        Column("reason", STRING, "Why, in that person's words"),
        Column("before", STRING, "What a correction changed, as it was: JSON"),
        Column("after", STRING, "What a correction changed, as it is now: JSON"),
        Column("result", STRING, "accepted, superseding, duplicate (nothing new, or outdated), held or dropped"),
        Column("broken_rules", STRINGS, "Ids of the error rules which the row broke this time"),
        Column("new_delivery_id", STRING, "Delivery under which a corrected row counts"),
    ),
    write="append",
)

JOB_RUNS = Table(
    name="ops.job_runs",
    comment="Runs of jobs and how they ended",
    key=("job", "run_date", "started_at"),
    columns=(
        Column("job", STRING, "Job which ran"),
        Column("run_date", DATE, "Date of the run"),
        Column("started_at", INSTANT, "Start, UTC"),
        Column("seconds", DOUBLE, "Duration, s"),
        Column("outcome", STRING, "done, refused, failed"),
        Column("message", STRING, "What was done, or why it failed"),
    ),
    write="append",
)

CONSUMPTIONS = Table(
    name="ops.consumptions",
    comment="Which loaded deliveries each derived table has taken up",
    key=("job", "feed", "delivery_id", "manifest_sha256"),
    columns=(
        Column("job", STRING, "Job which makes the derived table"),
        Column("feed", STRING, "Feed of the delivery"),
        DELIVERY_ID,
        Column("manifest_sha256", STRING, "Checksum of the delivery's manifest"),
        Column("run_date", DATE, "Date of the run which took it up"),
    ),
    write="append",
)

REVALIDATIONS = Table(
    name="ops.revalidations",
    comment="Validated days made again beside those which deliveries name: what has to be made of them anew",
    key=("revalidation_id",),
    columns=(
        Column("revalidation_id", STRING, "Run which made them, named by the deliveries that it took up"),
        Column("run_date", DATE, "Date of the run"),
        Column("received_at", INSTANT, "When the last of these deliveries came in, UTC"),
        Column("touched_dates", ArrayType(DATE), "Local dates of the days"),
        Column("days", LONG, "How many meter days"),
    ),
    write="append",
)
