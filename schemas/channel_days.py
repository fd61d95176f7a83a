"""Interval readings of the channels beside import: one row a meter, channel and local date.

Energy fed in by roofs of solar cells, reactive energy, and what a source has netted or added up already. Kept apart
from core.meter_days, so that none of it is ever taken for energy drawn; no feature reads it. Surprises: reactive
channels are in kvarh, in the columns which are kWh elsewhere; `net` may be negative, the others may not.
"""

from dataclasses import replace

from schemas.common import DOUBLE, FLOATS, METER_ID, READ_DATE, STRING
from schemas.meter_days import METER_DAYS
from schemas.table import Column

# what each channel is; reactive ones are counted in kvarh
CHANNELS = {
    "export": "energy fed in, kWh",
    "reactive_import": "reactive energy drawn, kvarh",
    "reactive_export": "reactive energy fed in, kvarh",
    "net": "energy drawn less energy fed in, kWh",
    "total": "energy drawn and energy fed in together, kWh",
}

CHANNEL = Column("channel", STRING, "; ".join(f"{name}: {meaning}" for name, meaning in CHANNELS.items()))

# what meter days say otherwise
_OTHERWISE = {
    "kwh": Column(
        "kwh",
        FLOATS,
        "Energy of each interval on the dial, kWh, in reactive channels kvarh, multiplier not applied; null = missing",
    ),
    "total_kwh": Column(
        "total_kwh", DOUBLE, "Sum of the known intervals, dial kWh, in reactive channels kvarh; null when none is known"
    ),
}

CHANNEL_DAYS = replace(
    METER_DAYS,
    name="core.channel_days",
    comment="Interval readings of channels beside import: a meter, a channel and a local date, latest value of each",
    key=(*METER_DAYS.key, CHANNEL.name),
    columns=(
        METER_ID,
        READ_DATE,
        CHANNEL,
        *(_OTHERWISE.get(c.name, c) for c in METER_DAYS.columns if c not in (METER_ID, READ_DATE)),
    ),
)
