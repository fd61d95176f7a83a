"""Daily register readings: what the dials showed at midnight.

Comes from the AMI head-end. Surprises: the reading of a date is taken at the midnight which *ends* it, so the energy
of date D is reading(D) - reading(D-1); a dial rolls over at its highest digit; some sources send the day's energy
instead of, or beside, the dial.
"""

from schemas.common import DOUBLE, FLAGS, METER_ID, PROVENANCE, READ_DATE, STRING
from schemas.table import Column, Table

REGISTER_READINGS = Table(
    name="core.register_readings",
    comment="Register readings (日冻结示值): a meter, a local date and a register",
    key=("read_date", "meter_id", "register_code"),
    columns=(
        METER_ID,
        READ_DATE,
        Column("register_code", STRING, "Register: total, sharp, peak, flat, valley (总尖峰平谷)"),
        Column("reading_kwh", DOUBLE, "Dial at the midnight which ends the date, kWh, multiplier not applied"),
        Column("day_kwh", DOUBLE, "Energy of the date as the source states it, dial kWh; null where it states none"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
    deletion_vectors=True,
    partitioned_by=("read_date",),
)
