"""Print how the injected faults of a generated province were found: injected, detected, named, wrongly flagged.

Reads the ledger beside the landing area, which no other job reads, and the tables up to the date; changes nothing.

    wattlake report_faults --date 2025-06-30 --env demo
"""

from jobs.runtime.context import Context
from jobs.runtime.errors import UserError
from jobs.runtime.summary import print_fault_table
from jobs.transforms.fault_report import fault_table, findings
from schemas import QUARANTINES
from schemas.features import CUSTOMER_DAYS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS


def run(ctx: Context) -> str:
    """Join the ledger with what the rules said, and print the table."""
    ledger = ctx.settings.landing.root.resolve().parent / "province" / "faults"
    if not ledger.is_dir():
        raise UserError(f"There is no ledger of faults in {ledger}: generate a province first.")
    faults = ctx.spark.read.parquet(str(ledger)).where(f"feed = 'meter_days' AND read_date <= DATE'{ctx.date}'")
    days = ctx.lake.read(METER_DAYS)
    failed = ctx.lake.read(CUSTOMER_DAYS).where("sum_check = 'failed'").select("customer_key", "usage_date")
    points = ctx.lake.read(METERING_POINTS)
    sums = failed.join(points, "customer_key").where(
        "usage_date >= installed_from AND (installed_to IS NULL OR usage_date < installed_to)"
    )
    found = findings(
        days,
        ctx.lake.read(QUARANTINES[METER_DAYS.name]),
        sums.select("meter_id", sums.usage_date.alias("read_date")),
    )
    rows = fault_table(faults, found, days).collect()
    return print_fault_table([row.asDict() for row in rows])
