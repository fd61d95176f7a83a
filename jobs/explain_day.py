"""Explain a meter day: every version of it, what was said against it, what was made of it, and who read it.

Reads without Spark and changes nothing. Exit code 2 when nothing is known of the meter and date.

    wattlake explain_day --date 2025-06-30 --key meter=410000000101
"""

from jobs.runtime.context import Context
from jobs.runtime.errors import UserError
from jobs.runtime.explanation import explain_meter_day


def run(ctx: Context) -> str:
    """Print the story of the day."""
    meter = ctx.option("meter", "")
    if not meter:
        raise UserError("explain_day needs the meter: --key meter=<asset number>.")
    return explain_meter_day(ctx, meter)
