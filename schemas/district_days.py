"""Energy balance of a transformer district (台区线损): what its own meter supplied against what its customers' counted.

A row is a district with a meter of its own (台区总表) and a local date. Surprises: what roofs feed in is in no feed,
so a district with roofs shows too little loss by day, and on sunny days less than none; it is compared with its own
past alone. Factories behind a transformer of their own are in no district. On the date of a swap both meters count.
"""

from pyspark.sql.types import ArrayType, StructField, StructType

from schemas.common import AVAILABLE_AT, DATE, DOUBLE, INT, METER_ID, STRING
from schemas.table import Column, Table

EXPLANATION = StructType(
    [
        StructField(METER_ID.name, STRING),
        StructField("explains_kwh", DOUBLE),
        StructField("share", DOUBLE),
    ]
)

DISTRICT_DAYS = Table(
    name="features.district_days",
    comment="A transformer district and a local date: supplied, counted and lost energy (台区线损)",
    key=("balance_date", "district_id"),
    columns=(
        Column("district_id", STRING, "Transformer district (台区)"),
        Column("balance_date", DATE, "Local calendar date"),
        Column("supplied_kwh", DOUBLE, "Energy by the district's own meter, primary kWh; null where it is not known"),
        Column(
            "counted_kwh",
            DOUBLE,
            "Sum of its customers' known energy, primary kWh by the multipliers in force; null when none is known",
        ),
        Column("loss_kwh", DOUBLE, "Supplied - counted, kWh; null where the energy of a meter is not known"),
        Column("loss_rate", DOUBLE, "Loss / supplied; null where nothing was supplied or the loss is not known"),
        Column("point_count", INT, "Meters of customers which count on the date"),
        Column("measured_count", INT, "of which all intervals are measured"),
        Column("estimated_count", INT, "of which some are estimated and none is missing"),
        Column("unknown_count", INT, "of which some are missing"),
        Column("estimated_share", DOUBLE, "Estimated energy of customers and of the district's meter / supplied"),
        Column("usual_loss_rate", DOUBLE, "Median loss rate of the balanced days among the 28 before the date"),
        Column("usual_spread", DOUBLE, "Their spread: 1.4826 x median distance from the median, not below 0.003"),
        Column("usual_days", INT, "How many balanced days that rests on; fewer than 7 tell nothing"),
        Column("jump_kwh", DOUBLE, "Loss above (+) or below (-) what the usual rate makes of the supply, kWh"),
        Column(
            "verdict",
            STRING,
            "ok, jump (far from its own past), high_loss, negative_loss, not_told (too much estimated or unknown)",
        ),
        Column(
            "explained_by",
            ArrayType(EXPLANATION),
            "On a jump, meters whose own change of level could explain it, the best first, 5 at most: explains_kwh is "
            "usual - counted energy of the meter, primary kWh, share is that / jump_kwh",
        ),
        Column("hourly_supplied_kwh", ArrayType(DOUBLE), "Supplied in each hour of the clock, kWh; null if not known"),
        Column("hourly_counted_kwh", ArrayType(DOUBLE), "Counted in each hour, kWh; null where a meter's is not known"),
        Column(
            "hourly_doubtful_kwh",
            ArrayType(DOUBLE),
            "of both the part that is estimated, or of a day which registers contradict, kWh",
        ),
        AVAILABLE_AT,
    ),
    write="replace",
    partitioned_by=("balance_date",),
)
