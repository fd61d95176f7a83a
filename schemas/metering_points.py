"""Metering points and which meter is installed at each, when, with which multiplier.

Surprises: a meter swap is two rows of one point; a multiplier corrected backwards is a later row of the same key; a
customer can have several points; the meter of a transformer district measures the energy of its customers once more,
and has no customer, or one that stands for the grid itself (考核户). All points of a customer count as use: another
channel than import which goes by the name of a meter of its own (a data stream of NEM12) is a point of its own kind.
"""

from schemas.common import CUSTOMER_KEY, DATE, DOUBLE, FLAGS, METER_ID, PROVENANCE, STRING
from schemas.table import Column, Table

METERING_POINTS = Table(
    name="core.metering_points",
    comment="Metering points (计量点): a point from the date a meter was installed",
    key=("point_id", "installed_from"),
    columns=(
        Column("point_id", STRING, "Number of the metering point"),
        Column("installed_from", DATE, "First local date of this meter at the point"),
        Column("installed_to", DATE, "First local date on which the meter is no longer there; null = still installed"),
        METER_ID,
        Column("multiplier", DOUBLE, "CT x PT ratio (综合倍率): primary kWh = dial kWh x multiplier"),
        Column(
            "point_kind",
            STRING,
            "What the point measures: customer (客户), district (台区总表), channel (another than import, where it "
            "goes by the name of a meter of its own); null = customer",
        ),
        CUSTOMER_KEY,
        Column("district_id", STRING, "Transformer district (台区)"),
        Column("feeder_id", STRING, "Feeder (线路)"),
        Column("county", STRING, "County (县)"),
        Column("prefecture", STRING, "Prefecture (地市)"),
        Column("voltage_level", STRING, "Voltage level of the connection"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)
