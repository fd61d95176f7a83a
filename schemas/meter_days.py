"""Interval readings: one row a meter and local date.

Comes from the AMI head-end. Surprises: values are as the meter shows them, before the multiplier (a multiplier that is
corrected later must not rewrite readings); days are late, repeated and corrected; a gap is null and never zero.
"""

from schemas.common import (
    BYTES,
    DELIVERY_ID,
    DOUBLE,
    FLAGS,
    FLOATS,
    INT,
    METER_ID,
    READ_DATE,
    RECEIVED_AT,
)
from schemas.quality_codes import LISTED
from schemas.table import Column, Table

METER_DAYS = Table(
    name="core.meter_days",
    comment="Interval readings (负荷曲线): a meter and a local date, latest value of each",
    key=("read_date", "meter_id"),
    columns=(
        METER_ID,
        READ_DATE,
        Column("interval_minutes", INT, "Length of an interval, minutes"),
        Column("kwh", FLOATS, "Energy of each interval on the dial, kWh, multiplier not applied; null = missing"),
        Column("quality", BYTES, f"Quality of each interval: {LISTED}"),
        Column("total_kwh", DOUBLE, "Sum of the known intervals, dial kWh; null when none is known"),
        Column("measured_count", INT, "Intervals with a measured value"),
        Column("estimated_count", INT, "Intervals with an estimated value"),
        Column("missing_count", INT, "Intervals without a value"),
        FLAGS,
        RECEIVED_AT,
        DELIVERY_ID,
    ),
    write="upsert",
    deletion_vectors=True,
    partitioned_by=("read_date",),
)
