"""Data quality pages: the outcome of every rule judged for the date -> Great Expectations Data Docs.

Beside them a catalogue of all rules with their outcomes on the last dates. Reads ops.rule_results, writes pages only; a
rerun writes the same pages. Runs last, also after a failure.

    wattlake write_quality_pages --date 2025-06-30
"""

from expectations import SUITES
from jobs.runtime.context import Context
from jobs.runtime.quality import write_pages


def run(ctx: Context) -> str:
    """Write the pages."""
    return write_pages(ctx, SUITES)
