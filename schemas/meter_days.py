"""Interval readings: one row a meter and local date, and the rows which later deliveries replaced.

Comes from the AMI head-end. Surprises: values are as the meter shows them, before the multiplier (a multiplier that is
corrected later must not rewrite readings); days are late, repeated and corrected; a gap is null and never zero.
"""

from schemas.common import (
    BYTES,
    DELIVERY_ID,
    DOUBLE,
    FLAGS,
    FLOATS,
    INSTANT,
    INT,
    METER_ID,
    READ_DATE,
    RECEIVED_AT,
    STRING,
)
from schemas.table import Column, Table

_COLUMNS = (
    METER_ID,
    READ_DATE,
    Column("interval_minutes", INT, "Length of an interval, minutes"),
    Column("kwh", FLOATS, "Energy of each interval on the meter's dial, kWh, multiplier not applied; null = missing"),
    Column("quality", BYTES, "Quality code of each interval: 0 missing, 1 measured, 2 estimated by source, 9 edited"),
    Column("total_kwh", DOUBLE, "Sum of the known intervals, dial kWh; null when none is known"),
    Column("measured_count", INT, "Intervals with a measured value"),
    Column("estimated_count", INT, "Intervals with an estimated value"),
    Column("missing_count", INT, "Intervals without a value"),
    FLAGS,
    RECEIVED_AT,
    DELIVERY_ID,
)

METER_DAYS = Table(
    name="core.meter_days",
    comment="Interval readings (负荷曲线): a meter and a local date, latest value of each",
    key=("read_date", "meter_id"),
    columns=_COLUMNS,
    write="upsert",
    partitioned_by=("read_date",),
)

METER_DAY_VERSIONS = Table(
    name="core.meter_day_versions",
    comment="Meter days as they were before they were replaced, or older ones that came too late to be used",
    key=("read_date", "meter_id", "received_at", "delivery_id"),
    columns=(
        *_COLUMNS,
        Column("replaced_at", INSTANT, "received_at of the delivery which replaced the row"),
        Column("replaced_by", STRING, "Delivery which replaced the row"),
    ),
    write="append",
)
