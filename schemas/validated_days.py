"""Meter days after validation and estimation (VEE): what the rest of the lakehouse works on.

A row is a meter and a local date on which it was installed, or on which it sent something. Surprises: dates on which
it sent nothing are here too, estimated where its past or its registers say enough; the dial values are as in
core.meter_days, multiplier not applied, and what was delivered stays there unchanged.
"""

from pyspark.sql.types import LongType

from schemas.common import AVAILABLE_AT, BYTES, DOUBLE, FLAGS, FLOATS, INT, METER_ID, READ_DATE, STRING
from schemas.quality_codes import LISTED
from schemas.table import Column, Table

VALIDATED_DAYS = Table(
    name="features.validated_days",
    comment="A meter and a local date after validation and estimation (VEE)",
    key=("read_date", "meter_id"),
    columns=(
        METER_ID,
        READ_DATE,
        Column("interval_minutes", INT, "Length of an interval, minutes; null when nothing is known of the date"),
        Column("kwh", FLOATS, "Energy of each interval on the dial, kWh, multiplier not applied; null = missing"),
        Column("quality", BYTES, f"Quality of each interval: {LISTED}"),
        Column("total_kwh", DOUBLE, "Sum of the known intervals, dial kWh; null when none is known"),
        Column("measured_count", INT, "Intervals with a measured value"),
        Column("estimated_count", INT, "Intervals with an estimated value, by the source or here"),
        Column("missing_count", INT, "Intervals without a value"),
        Column("register_kwh", DOUBLE, "Energy by the total register, dial kWh; null where it does not tell"),
        Column("sum_gap_kwh", DOUBLE, "Delivered intervals - register, dial kWh, before anything was estimated"),
        Column("estimate_sd_kwh", DOUBLE, "Standard deviation of the energy estimated here, dial kWh; 0 without any"),
        Column("curve_hash", LongType(), "Equal for equal delivered curves; by it curves of two meters are compared"),
        Column("clock_shift_minutes", INT, "How late (+) or early (-) the meter's clock is, where that is seen"),
        FLAGS,
        AVAILABLE_AT,
    ),
    write="replace",
    deletion_vectors=True,
    partitioned_by=("read_date",),
)

REVALIDATED_DAYS = Table(
    name="ops.revalidated_days",
    comment="Validated days made again because of readings of other dates or meters, for what is made of them",
    key=("revalidation_id", "read_date", "meter_id"),
    columns=(
        Column("revalidation_id", STRING, "Run which made the day again, named by the deliveries that it took up"),
        READ_DATE,
        METER_ID,
    ),
    write="append",
)
