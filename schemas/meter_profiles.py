"""What is usual for a meter, one row a week: the mean curves of its last 28 days and a few figures of them.

Made from what was delivered, before validation, without days which stand out as faulty. Surprises: slots are times of
the clock, 24 hours on every date; with fewer than five days behind it a profile is there and not used.
"""

from schemas.common import DATE, DOUBLE, FLAGS, FLOATS, INT, METER_ID
from schemas.table import Column, Table

METER_PROFILES = Table(
    name="features.meter_profiles",
    comment="A meter and a week: what is usual for it, from the 28 days before the week",
    key=("week_start", "meter_id"),
    columns=(
        METER_ID,
        Column("week_start", DATE, "Monday of the week for which it holds"),
        Column("interval_minutes", INT, "Length of an interval, minutes"),
        Column("working_kwh", FLOATS, "Mean energy of each interval on working days, dial kWh"),
        Column("other_kwh", FLOATS, "Mean energy of each interval on weekends and holidays, dial kWh"),
        Column("spread_kwh", FLOATS, "Standard deviation of an interval from that mean, in each hour of the clock"),
        Column("days", INT, "Days with a value behind it"),
        Column("dropped_days", INT, "Days left out because they stand far above all others"),
        Column("daily_kwh", DOUBLE, "Mean energy of complete days, dial kWh"),
        Column("daily_spread_kwh", DOUBLE, "Standard deviation of complete days from the mean of their type, dial kWh"),
        Column("highest_kwh", DOUBLE, "Highest interval, dial kWh"),
        Column("zero_share", DOUBLE, "Share of intervals which are zero"),
        Column("longest_zero_run", INT, "Longest run of zeros within a day, intervals"),
        Column("longest_constant_run", INT, "Longest run of one value other than zero within a day, intervals"),
        Column("night_min_kwh", DOUBLE, "Mean over days of the lowest interval before 06:00, dial kWh"),
        Column(
            "per_degree",
            DOUBLE,
            "Share of daily_kwh by which a day is higher for each degree above temperature_c; null = not known",
        ),
        Column("temperature_c", DOUBLE, "Mean temperature of the days behind per_degree, °C"),
        Column(
            "clock_shift_minutes",
            INT,
            "How much later (+) or earlier (-) the last days come than those before them, whole hours; 0 = none seen",
        ),
        Column("clock_shift_days", INT, "How many dates before the week do so, 7 or 14; 0 = none seen"),
        Column(
            "clock_shift_errors",
            DOUBLE,
            "Standard errors by which the last days left their past, at the best fitting hour; null = not told",
        ),
        FLAGS,
    ),
    write="replace",
    partitioned_by=("week_start",),
)
