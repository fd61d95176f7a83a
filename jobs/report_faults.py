"""Print how the injected faults of a generated province came out: every class, detected, named, wrongly flagged.

Reads the ledger beside the landing area, which no other job reads, and the tables up to the date; changes nothing.

    wattlake report_faults --date 2025-06-30 --env demo
"""

from datetime import date

from jobs.province import FAULT_CLASSES
from jobs.runtime.context import Context
from jobs.runtime.errors import UserError
from jobs.runtime.summary import print_fault_table
from jobs.transforms.fault_report import (
    AWAITED,
    COUNTS_AS_DETECTED,
    SLIGHT,
    YOUNG,
    Recorded,
    customers_of,
    fault_table,
    findings,
)
from schemas import QUARANTINES, TABLES
from schemas.features import CUSTOMER_DAYS
from schemas.meter_days import METER_DAYS
from schemas.meter_levels import METER_LEVELS
from schemas.meter_profiles import METER_PROFILES
from schemas.metering_points import METERING_POINTS
from schemas.ops import CONSUMPTIONS, DELIVERIES, RECONCILIATION
from schemas.register_readings import REGISTER_READINGS
from schemas.validated_days import VALIDATED_DAYS


def run(ctx: Context) -> str:
    """Compare the ledger of deliveries up to the date with the tables, and print the table."""
    ledger = ctx.settings.landing.root.resolve().parent / "province"
    if not (ledger / "faults").is_dir():
        raise UserError(f"There is no ledger of faults in {ledger}: generate a province first.")
    # a fault is known from the delivery which brought it: its rows may be of any date, the future included
    sent_on = "to_date(regexp_extract(delivery_id, '-([0-9]{8})-[0-9]+$', 1), 'yyyyMMdd')"
    notes = ctx.spark.read.parquet(str(ledger / "faults")).where(f"{sent_on} <= DATE'{ctx.date}'")
    truth = ctx.spark.read.parquet(str(ledger / "truth")).where(f"usage_date <= DATE'{ctx.date}'")
    recorded = Recorded(
        meter_days=ctx.lake.read(METER_DAYS),
        validated=ctx.lake.read(VALIDATED_DAYS),
        levels=ctx.lake.read(METER_LEVELS),
        profiles=ctx.lake.read(METER_PROFILES),
        versions=ctx.lake.read(TABLES["core.meter_day_versions"]),
        quarantined=ctx.lake.read(QUARANTINES[METER_DAYS.name]),
        readings=ctx.lake.read(REGISTER_READINGS),
        points=ctx.lake.read(METERING_POINTS),
        customer_days=ctx.lake.read(CUSTOMER_DAYS),
        deliveries=ctx.lake.read(DELIVERIES),
        reconciliation=ctx.lake.read(RECONCILIATION),
    )
    said = ctx.stage(findings(recorded), "findings")
    key_of = ctx.stage(customers_of(notes, recorded), "customers")
    # two dozen rows come back, however large the province is
    rows = fault_table(notes, truth, recorded, said, key_of, _searched_on(ctx)).collect()
    found = {row.fault: row.asDict() for row in rows}
    return print_fault_table(found, (*FAULT_CLASSES, SLIGHT, YOUNG, AWAITED), COUNTS_AS_DETECTED)


def _searched_on(ctx: Context) -> date:
    """When breaks of level were last looked for; the run's date where they never were."""
    runs = [row["run_date"] for row in ctx.books.read(CONSUMPTIONS, job="build_meter_levels")]
    return max((day for day in runs if day <= ctx.date), default=ctx.date)
