"""Customers: new deliveries of the feed -> core.customers, a customer from a date on.

Names, phone numbers and addresses go encrypted to vault.customer_identities and nowhere else.

Rows which break an error rule go to quarantine.customers. A rerun finds no new delivery and changes nothing.

    wattlake ingest_customers --date 2025-06-30
"""

from jobs._sources import SOURCES
from jobs.runtime.context import Context
from jobs.runtime.ingestion import ingest


def run(ctx: Context) -> str:
    """Receive, judge, merge."""
    return ingest(ctx, SOURCES["core.customers"])
