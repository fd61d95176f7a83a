"""The lake: Delta tables under one root. The only place where Delta is spoken.

SQL and DataFrames only, so that a job runs in its own session or at a Spark Connect server alike.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction, write_deltalake
from deltalake.transaction import AddAction
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from jobs.runtime.books import literal
from jobs.runtime.errors import UserError
from jobs.runtime.roots import check_writable
from schemas import TABLES
from schemas.table import Table

# a dates-in condition longer than this says nothing a range does not
_MOST_LITERALS = 400

_TXN_APP = "spark.databricks.delta.write.txnAppId"
_TXN_VERSION = "spark.databricks.delta.write.txnVersion"
_LATER_WINS = (
    "WHEN MATCHED AND (s.received_at > t.received_at OR (s.received_at = t.received_at "
    "AND s.delivery_id > t.delivery_id)) THEN UPDATE SET *"
)


def _is_conflict(error: BaseException) -> bool:
    """Whether another writer was faster: the statement is safe to repeat."""
    return any(word in str(error) for word in ("DELTA_CONCURRENT", "ConcurrentAppend", "ConcurrentDelete"))


_retry_conflicts = retry(
    retry=retry_if_exception(_is_conflict),
    stop=stop_after_attempt(6),
    wait=wait_random_exponential(max=8),
    reraise=True,
)


class Lake:
    """Reads and writes the tables that `schemas` declares."""

    def __init__(
        self, root: Path, session: Callable[[], SparkSession], few_rows: Callable[[], int] = lambda: 0
    ) -> None:
        """`session` is called at the first need, so that a job which reads nothing starts none.

        `few_rows` says how many rows a table may hold to be read as one partition: nothing of it has to be moved then
        to be joined.
        """
        self.root = root
        self._session = session
        self._few_rows = few_rows

    # -- where ----------------------------------------------------------------------------------------------------

    def path(self, table: Table) -> Path:
        """Folder of a table."""
        return (self.root / table.layer / table.noun).resolve()

    def _sql_name(self, table: Table) -> str:
        return f"delta.`{self.path(table)}`"

    def exists(self, table: Table) -> bool:
        """Whether the table was written at least once."""
        return DeltaTable.is_deltatable(str(self.path(table)))

    def version(self, table: Table) -> int | None:
        """Delta version of the table now; None when it does not exist."""
        return DeltaTable(str(self.path(table))).version() if self.exists(table) else None

    def holds(self, table: Table, column: str, values: Collection[str]) -> bool:
        """Whether any row has one of the values, found without a session; the log tells most files which have not."""
        if not values or not self.exists(table):
            return False
        listed = ", ".join(sorted(map(literal, values)))
        return self.query(table, f'SELECT 1 FROM held WHERE "{column}" IN ({listed}) LIMIT 1').num_rows > 0

    def query(self, table: Table, sql: str) -> pa.Table:
        """What SQL finds in a table that exists, named `held` in it; without a session."""
        found = QueryBuilder().register("held", DeltaTable(str(self.path(table)))).execute(sql)
        return pa.table(found.read_all())

    def rows_held(self, table: Table) -> int:
        """About how many rows the table holds, from its log alone; rows deleted since they were written still count."""
        if not self.exists(table):
            return 0
        counts = DeltaTable(str(self.path(table))).get_add_actions(flatten=True).column("num_records")
        return sum(count for count in counts.to_pylist() if count is not None)

    def check_writable(self) -> None:
        """UserError unless the root can be written."""
        check_writable(self.root, "lake.root")

    # -- read -----------------------------------------------------------------------------------------------------

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The table's rows with the declared columns; an empty frame when it does not exist yet."""
        session = self._session()
        if not self.exists(table):
            return session.createDataFrame([], table.struct)
        reader = session.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        rows = self._selected(reader.load(str(self.path(table))), table)
        few = self._few_rows()
        return rows.coalesce(1) if few and self.rows_held(table) <= few else rows

    # -- write ----------------------------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Create the table with its comments and properties; one that is there gets the columns which it lacks."""
        if self.exists(table):
            self._add_columns(table)
            return
        columns = ", ".join(f"`{c.name}` {c.type.simpleString()} COMMENT '{_quoted(c.comment)}'" for c in table.columns)
        partitioned = f"PARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
        vectors = str(table.deletion_vectors).lower()
        self._session().sql(
            f"CREATE TABLE IF NOT EXISTS {self._sql_name(table)} ({columns}) USING DELTA {partitioned} "
            f"COMMENT '{_quoted(table.comment)}' "
            f"TBLPROPERTIES ('delta.enableDeletionVectors' = '{vectors}', "
            f"'delta.dataSkippingStatsColumns' = '{','.join(stats_columns(table))}')"
        )

    def _add_columns(self, table: Table) -> None:
        """A column that was declared after the table had been made is added to it, null in all rows."""
        held = {field.name for field in DeltaTable(str(self.path(table))).schema().fields}
        missing = [column for column in table.columns if column.name not in held]
        if missing:
            columns = ", ".join(f"`{c.name}` {c.type.simpleString()} COMMENT '{_quoted(c.comment)}'" for c in missing)
            self._session().sql(f"ALTER TABLE {self._sql_name(table)} ADD COLUMNS ({columns})")

    @_retry_conflicts
    def append_new(self, rows: DataFrame, table: Table) -> None:
        """Append rows whose partition holds none yet: the fast way in for new dates."""
        self.create(table)
        self._selected(rows, table).write.format("delta").mode("append").save(str(self.path(table)))

    def append_once(self, rows: DataFrame, table: Table, app_id: str) -> None:
        """Append rows, few enough for the driver, whose keys are not held; once for all time, see `once`."""
        self.create(table)
        if not self.has_happened(table, app_id):
            schema = to_arrow_schema(table.struct, timezone="UTC")
            write_deltalake(
                str(self.path(table)),
                self._selected(rows, table).toArrow().cast(schema),
                mode="append",
                commit_properties=CommitProperties(app_transactions=[Transaction(app_id, 1)]),
            )

    def has_happened(self, table: Table, app_id: str) -> bool:
        """Whether a write which is to happen once for all time is in the table."""
        return self.exists(table) and DeltaTable(str(self.path(table))).transaction_version(app_id) is not None

    def append_files(self, table: Table, files: Sequence[Mapping[str, Any]], app_id: str) -> None:
        """Make files in the table's folder part of it, in one commit and once for all time; see `once`.

        A file has path (below the folder), size, modified (ms), on_date (its partition) and stats (as the log has it).
        """
        held = DeltaTable(str(self.path(table)))
        (column,) = table.partitioned_by
        added = [
            AddAction(
                path=file["path"],
                size=file["size"],
                partition_values={column: None if file["on_date"] is None else file["on_date"].isoformat()},
                modification_time=file["modified"],
                data_change=True,
                stats=file["stats"],
            )
            for file in files
        ]
        # of two who write under one id the second finds a conflict
        held.create_write_transaction(
            added,
            "append",
            held.schema(),
            partition_by=[column],
            commit_properties=CommitProperties(app_transactions=[Transaction(app_id, 1)]),
        )

    @_retry_conflicts
    def upsert(self, rows: DataFrame, table: Table) -> None:
        """Keyed merge in which the later (received_at, delivery_id) wins. `rows` holds one row a key."""
        self._merge(rows, table, _LATER_WINS)

    @_retry_conflicts
    def update(self, rows: DataFrame, table: Table) -> None:
        """The same for rows whose keys are all held: what is held need not be moved to be compared."""
        self._merge(rows, table, _LATER_WINS, "")

    @_retry_conflicts
    def merge(self, rows: DataFrame, table: Table) -> None:
        """Keyed merge in which the given row replaces the held one. `rows` holds one row a key."""
        if not self.exists(table):
            self.append_new(rows, table)
        else:
            self._merge(rows, table, "WHEN MATCHED THEN UPDATE SET *")

    @_retry_conflicts
    def set_columns(self, rows: DataFrame, table: Table, *names: str) -> None:
        """Set these columns of the rows which are held under the given keys. `rows` holds one row a key."""
        said = ", ".join(f"t.`{name}` = s.`{name}`" for name in names)
        self._merge(rows, table, f"WHEN MATCHED THEN UPDATE SET {said}", "")

    @_retry_conflicts
    def insert_missing(self, rows: DataFrame, table: Table) -> None:
        """Append the rows whose key is not held; those held stay as they are."""
        self._merge(rows, table, "")

    @_retry_conflicts
    def synchronise(self, rows: DataFrame, table: Table, keep: str) -> None:
        """Let the table hold the given rows where the Boolean column `keep` is true, and not hold the others.

        Rows of other keys stay as they are. `rows` holds one row a key; without any no version is made.
        """
        self.create(table)
        if rows.isEmpty():
            return
        values = ", ".join(f"t.`{name}` = s.`{name}`" for name in table.column_names)
        names = ", ".join(f"`{name}`" for name in table.column_names)
        inserted = ", ".join(f"s.`{name}`" for name in table.column_names)
        self._merge(
            rows,
            table,
            f"WHEN MATCHED AND NOT s.`{keep}` THEN DELETE WHEN MATCHED THEN UPDATE SET {values}",
            f"WHEN NOT MATCHED AND s.`{keep}` THEN INSERT ({names}) VALUES ({inserted})",
            keep,
        )

    def _merge(
        self,
        rows: DataFrame,
        table: Table,
        when_matched: str,
        when_not_matched: str = "WHEN NOT MATCHED THEN INSERT *",
        *further: str,
    ) -> None:
        self.create(table)
        source = self._selected(rows, table, *further)
        pruning = [self._partition_condition(source, table)] if table.partitioned_by else []
        on = " AND ".join([*pruning, *(f"t.`{name}` <=> s.`{name}`" for name in table.key)])
        view = f"merge_source_{uuid.uuid4().hex}"
        source.createOrReplaceTempView(view)
        try:
            self._session().sql(
                f"MERGE INTO {self._sql_name(table)} t USING {view} s ON {on} {when_matched} {when_not_matched}"
            )
        finally:
            self._session().catalog.dropTempView(view)

    def _partition_condition(self, source: DataFrame, table: Table) -> str:
        (column,) = table.partitioned_by
        values = [row[0] for row in source.select(column).distinct().limit(_MOST_LITERALS + 1).collect()]
        if not values:
            return "false"
        if len(values) > _MOST_LITERALS:
            low, high = source.agg(F.min(column), F.max(column)).collect()[0]
            return f"t.`{column}` BETWEEN {_literal(low)} AND {_literal(high)}"
        return f"t.`{column}` IN ({', '.join(sorted(_literal(value) for value in values))})"

    def replace(self, rows: DataFrame, table: Table, value: date | str) -> None:
        """Replace the slice `partition = value` in one commit: readers see the old slice or the new one."""
        self.replace_slices(rows, table, [value])

    @_retry_conflicts
    def replace_slices(self, rows: DataFrame, table: Table, values: Sequence[date | str]) -> None:
        """Replace the slices of these partition values in one commit; the rows are of no others."""
        self.create(table)
        (column,) = table.partitioned_by
        listed = ", ".join(sorted(_literal(value) for value in values))
        (
            self._selected(rows, table)
            .write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", f"`{column}` IN ({listed})")
            .save(str(self.path(table)))
        )

    @contextmanager
    def once(self, app_id: str) -> Iterator[None]:
        """Let the one write inside happen once for all time, whoever tries it again, by Delta's transaction ids.

        A client that was killed may have left its write running at a Spark Connect server: whichever of the two comes
        second is skipped. The setting goes with the session and is taken back at the end, as any further write under
        it would be skipped as well.
        """
        conf = self._session().conf
        conf.set(_TXN_APP, app_id)
        conf.set(_TXN_VERSION, "1")
        try:
            yield
        finally:
            conf.unset(_TXN_APP)
            conf.unset(_TXN_VERSION)

    @_retry_conflicts
    def delete(self, table: Table, condition: str) -> None:
        """Delete the rows for which the SQL condition holds."""
        if self.exists(table):
            self._session().sql(f"DELETE FROM {self._sql_name(table)} WHERE {condition}")

    @_retry_conflicts
    def mark(self, table: Table, said: Mapping[str, str], rows: Mapping[str, Sequence[str]], *conditions: str) -> None:
        """Set columns to these texts in the rows whose columns have one of the given values and all conditions hold."""
        if not self.exists(table):
            return
        self._add_columns(table)
        assigned = ", ".join(f"`{name}` = {_literal(value)}" for name, value in said.items())
        wanted = [f"`{name}` IN ({', '.join(map(_literal, sorted(given)))})" for name, given in rows.items()]
        where = " AND ".join([*wanted, *conditions])
        self._session().sql(f"UPDATE {self._sql_name(table)} SET {assigned} WHERE {where}")

    def partitions_held(self, table: Table, values: Sequence[Any]) -> set[Any]:
        """Which of the partition values hold at least one file, from the log alone."""
        if not self.exists(table):
            return set()
        (column,) = table.partitioned_by
        held = {entry[column] for entry in DeltaTable(str(self.path(table))).partitions()}
        return {value for value in values if str(value) in held}

    def partition_dates(self, table: Table) -> list[date]:
        """The dates by which a table is partitioned and which hold at least one file, in order, from the log alone."""
        if not self.exists(table):
            return []
        (column,) = table.partitioned_by
        return sorted({date.fromisoformat(entry[column]) for entry in DeltaTable(str(self.path(table))).partitions()})

    @staticmethod
    def _selected(rows: DataFrame, table: Table, *further: str) -> DataFrame:
        """Exactly the declared columns, cast to the declared types, and `further` ones; what a frame lacks is null."""
        have = set(rows.columns)
        return rows.select(
            *((F.col(c.name) if c.name in have else F.lit(None)).cast(c.type).alias(c.name) for c in table.columns),
            *further,
        )


def date_of(table: Table) -> Column:
    """The date by which a row of the table is partitioned; null where the table is not."""
    return F.col(table.partitioned_by[0]) if table.partitioned_by else F.lit(None).cast("date")


def same_key(rows: DataFrame, keys: DataFrame, names: Sequence[str], how: str) -> DataFrame:
    """Rows whose named columns are (left_semi) or are not (left_anti) among the keys; null is a value like others."""
    named = keys.select(*(F.col(name).alias(f"of_key_{name}") for name in names))
    return rows.join(named, [F.col(name).eqNullSafe(F.col(f"of_key_{name}")) for name in names], how)


def stats_columns(table: Table) -> Iterable[str]:
    """Columns with file statistics: key and provenance. Statistics of arrays cost and never help."""
    names = [
        *(n for n in table.key if n not in table.partitioned_by),
        *(n for n in ("received_at", "delivery_id") if n in table.column_names),
    ]
    return dict.fromkeys(names)


def _literal(value: Any) -> str:
    return f"DATE'{value.isoformat()}'" if isinstance(value, date) else f"'{_quoted(str(value))}'"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def table_named(name: str) -> Table:
    """A declared table by its full name. UserError where there is none."""
    if name not in TABLES:
        raise UserError(f"Unknown table {name!r}. Tables: {', '.join(sorted(TABLES))}.")
    return TABLES[name]
