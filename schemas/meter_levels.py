"""Breaks of level: dates from which a meter counts more or less by a factor that stays.

A row is a meter and the first date of the new level, found in the 56 days up to a run. Surprises: a row stays when its
date has left the 56 days; one of a meter whose dial jumps because its transformers and the master data were changed
together is here as explained. What a meter does in its own way (holidays, a new tenant) is not here, as no other
evidence agrees with it.
"""

from pyspark.sql.types import BooleanType

from schemas.common import AVAILABLE_AT, DATE, DOUBLE, FLAGS, INT, METER_ID, STRING
from schemas.table import Column, Table

METER_LEVELS = Table(
    name="features.meter_levels",
    comment="A meter and a date from which it counts on another level than before",
    key=("since", "meter_id"),
    columns=(
        METER_ID,
        Column("since", DATE, "First local date of the new level"),
        Column("district_id", STRING, "Transformer district (台区) of the meter"),
        Column("multiplier", DOUBLE, "Multiplier by the master data since then"),
        Column("multiplier_before", DOUBLE, "Multiplier by the master data the date before"),
        Column("ratio", DOUBLE, "Counted energy after / before: by the district's balance, else by the meter's own"),
        Column("ratio_error", DOUBLE, "Standard error of the ratio's logarithm"),
        Column("own_ratio", DOUBLE, "Counted energy after / before, by the meter's own days alone"),
        Column("own_error", DOUBLE, "Standard error of that ratio's logarithm"),
        Column("dial_ratio", DOUBLE, "Energy on the dial after / before, by the meter's own days alone"),
        Column("whole_factor", INT, "k where it counts k times as much, -k where a k-th, 0 where by no whole factor"),
        Column("missing_kwh", DOUBLE, "Energy a day which the loss of the district gained with it, kWh; below 0: lost"),
        Column("is_confirmed", BooleanType(), "Whether the district's loss moves with it; null without a balance"),
        Column("is_explained", BooleanType(), "Whether dial and multiplier changed together, as the master data say"),
        Column(
            "confidence",
            DOUBLE,
            "0 to 1. Confirmed: how likely it is this meter and no other, by what each leaves of the loss; else "
            "z^2 / (z^2 + 9), z = own change / error",
        ),
        Column("days_before", INT, "Days with energy among the 28 before"),
        Column("days_since", INT, "Days with energy among the 28 since"),
        FLAGS,
        AVAILABLE_AT,
    ),
    write="replace",
)
