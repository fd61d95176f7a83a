"""Print what is published for the date, the reconciliation of all deliveries, and where the pages are.

Reads without Spark and changes nothing. Exit code 3 when there is no publication, a delivery does not add up, or there
are no pages.

    wattlake show_publication --date 2025-06-30
"""

from jobs.runtime.context import Context
from jobs.runtime.summary import publication_summary


def run(ctx: Context) -> str:
    """Print the summary."""
    return publication_summary(ctx)
