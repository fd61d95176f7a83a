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
            "MD-20",
            "values_count = 1",
            "the delivery says two things of the day; the last of its rows is taken",
            severity="warn",
            scope="key",
        ),
        Rule(
            "MD-28",
            "conflict_count = 0",
            "an interval of the day came with two values; the last of them is taken",
            severity="warn",
        ),
    ),
)
