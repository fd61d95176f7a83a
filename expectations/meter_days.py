"""What must be true of a meter day. The metric columns are computed with the arrays; here they are only judged."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite

METER_DAYS_SUITE = Suite(
    "core.meter_days",
    (
        readable("MD"),
        present("MD-01", "meter_id", "a curve without a meter belongs to nobody"),
        present("MD-02", "read_date", "a curve without a date cannot be placed"),
        Rule("MD-03", "read_date <= business_date", "a reading of a day that had not ended when it was delivered"),
        Rule("MD-04", "is_known_meter", "no metering point has ever had this meter: load master data, then replay"),
        Rule("MD-05", "is_installed", "the meter is not installed anywhere on that date", severity="warn"),
        Rule("MD-06", "negative_count = 0", "energy drawn cannot be negative in an import channel"),
        Rule(
            "MD-07", "coalesce(channel, 'import') = 'import'", "export and reactive channels are kept apart from import"
        ),
        Rule("MD-08", "missing_count = 0", "intervals of the day are missing", severity="warn"),
        Rule("MD-09", "measured_count + estimated_count > 0", "the day holds no value at all", severity="warn"),
        Rule(
            "MD-10",
            "longest_constant_run * interval_minutes < 360",
            "the same value, not zero, for six hours or more: a stuck register or repeated sending",
            severity="warn",
        ),
        Rule(
            "MD-11",
            "NOT (longest_zero_run * interval_minutes BETWEEN 360 AND 1425 AND total_kwh > 0)",
            "zero for six hours or more on a day with use: an outage, or a gap filled with zero",
            severity="warn",
        ),
        Rule(
            "MD-12",
            "spike_ratio < 8",
            "one interval stands far above all others of the day: a spike",
            severity="warn",
        ),
        Rule(
            "MD-13",
            "capacity_kva IS NULL OR max_kwh * 60 / interval_minutes * multiplier <= 1.3 * greatest(capacity_kva, 3)",
            "more power than the contract capacity allows: kW sent as kWh, a wrong multiplier, or real overload",
            severity="warn",
        ),
    ),
)
