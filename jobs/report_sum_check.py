"""Report the sum check: on how many customer days the intervals agree with the registers, and the largest gaps.

Reads features.customer_days of `days` dates (365) up to --date, counts in Spark, and shows the `top` (5) widest gaps.
Writes nothing.

    wattlake report_sum_check --date 2013-12-31 --env lcl --key days=365 --key top=5
"""

from datetime import timedelta

from pyspark.sql import functions as F

from jobs.runtime.context import Context
from jobs.runtime.errors import DataError, UserError
from schemas.features import CUSTOMER_DAYS

OUTCOMES = ("ok", "failed", "not_checked")


def run(ctx: Context) -> str:
    """Count by outcome; list the widest gaps."""
    days, top = (_whole_number(ctx, name, default) for name, default in (("days", "365"), ("top", "5")))
    if not ctx.lake.exists(CUSTOMER_DAYS):
        raise DataError("There are no customer days yet: run build_customer_days first.")
    first = ctx.date - timedelta(days=days - 1)
    rows = ctx.lake.read(CUSTOMER_DAYS).where(F.col("usage_date").between(first, ctx.date))
    # three outcomes and a handful of gaps come back, however many customers there are
    counted = {row.sum_check: row["count"] for row in rows.groupBy("sum_check").count().collect()}
    gap = F.col("kwh") - F.col("register_kwh")
    gaps = (
        rows.where("sum_check <> 'not_checked'")
        .select("customer_key", "usage_date", "kwh", "register_kwh", "sum_check", gap.alias("gap_kwh"))
        .orderBy(F.desc(F.abs("gap_kwh")), "usage_date", "customer_key")
        .limit(top)
        .collect()
    )
    shown = ", ".join(f"{counted.get(name, 0):,} {name}" for name in OUTCOMES)
    lines = [f"sum check of {sum(counted.values()):,} customer days {first} to {ctx.date}: {shown}"]
    lines += [
        f"  {row.usage_date} {row.customer_key[:12]}… {row.sum_check}: intervals {row.kwh:.3f}, "
        f"registers {row.register_kwh:.3f}, gap {row.gap_kwh:+.6f} kWh"
        for row in gaps
    ]
    return "\n".join(lines)


def _whole_number(ctx: Context, name: str, default: str) -> int:
    text = ctx.option(name, default)
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"--key {name}={text}: a whole number above zero is needed.")
    return int(text)
