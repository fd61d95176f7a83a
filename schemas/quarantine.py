"""Refused rows, one table for each core table: the row as far as it could be read, and which rules it broke.

A row stays as it was delivered; only its status changes, and after a release in vain the rules which it still broke.
"""

from pyspark.sql.types import LongType, MapType

from schemas.common import DATE, STRING, STRINGS
from schemas.core import CORE
from schemas.table import Column, Table

_SOURCE = (
    Column("raw_values", MapType(STRING, STRING), "Source fields as written, without personal ones, where unreadable"),
    Column("unreadable", STRINGS, "Source columns whose text could not be read as their type"),
    Column("source_file", STRING, "File of the delivery"),
    Column("source_row", LongType(), "Row in the file, from 1, without the header"),
    Column("business_date", DATE, "Business date of the delivery"),
    Column("broken_rules", STRINGS, "Ids of the error rules the row broke"),
    Column("quarantine_status", STRING, "held, released, corrected, dropped or cancelled (with its delivery)"),
    Column("settled_by", STRING, "Action in ops.quarantine_actions which settled it, or delivery which cancelled it"),
)


def _quarantine(table: Table) -> Table:
    return Table(
        name=f"quarantine.{table.noun}",
        comment=f"Rows refused for {table.name}",
        # a delivery that is sent again under its id comes in later; one row of a file may hold several of the table
        key=("delivery_id", "received_at", "source_file", "source_row", *table.key),
        columns=(*(c for c in table.columns if c.name != "flags"), *_SOURCE),
        write="append",
    )


QUARANTINES: dict[str, Table] = {table.name: _quarantine(table) for table in CORE}
