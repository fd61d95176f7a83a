"""Rows of core as they were before another value took their place, one table for each core table.

A row is a value which was delivered and does not hold, with the delivery whose value followed it, or which cancelled
the delivery that brought it. Repeats of the same value are one row, the latest of them; the ones before it are in the
table of repeats, as the latest may be cancelled, or another value may come in between. Surprises: a value that came
after the one which holds, but is older, is here as well; it never held.
"""

from schemas.common import INSTANT, STRING
from schemas.core import CORE
from schemas.table import Column, Table


def _versions(table: Table) -> Table:
    return Table(
        name=f"{table.name.removesuffix('s')}_versions",
        comment=f"Rows of {table.name} which gave way to a later value, or came too late to hold",
        key=(*table.key, "received_at", "delivery_id"),
        columns=(
            *table.columns,
            Column("replaced_at", INSTANT, "received_at of the delivery whose value followed, or which cancelled it"),
            Column("replaced_by", STRING, "Delivery whose value followed, or which cancelled the row's own"),
        ),
        write="append",
    )


def _repeats(table: Table) -> Table:
    return Table(
        name=f"{table.name.removesuffix('s')}_repeats",
        comment=f"Rows of {table.name} whose value the next delivery of their key said again",
        key=(*table.key, "received_at", "delivery_id"),
        columns=table.columns,
        write="append",
    )


# by the name of the table whose rows they were
VERSIONS: dict[str, Table] = {table.name: _versions(table) for table in CORE}
REPEATS: dict[str, Table] = {table.name: _repeats(table) for table in CORE}
