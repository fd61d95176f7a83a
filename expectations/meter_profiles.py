"""What must be true of what is usual for a meter."""

from expectations.rule import Rule, Suite

METER_PROFILES_SUITE = Suite(
    "features.meter_profiles",
    (
        Rule("PR-01", "meter_id IS NOT NULL AND week_start IS NOT NULL", "a profile is of a meter and a week"),
        Rule("PR-02", "weekday(week_start) = 0", "a week begins on a Monday"),
        Rule(
            "PR-03",
            "size(working_kwh) * interval_minutes = 1440 AND size(other_kwh) = size(working_kwh) "
            "AND size(spread_kwh) = 24",
            "a profile has one value for each interval of a day of 24 hours, and a spread for each hour",
        ),
        Rule("PR-04", "days >= 0 AND days <= 28 AND dropped_days >= 0", "a profile is made of 28 days at most"),
        Rule("PR-05", "coalesce(highest_kwh >= 0 AND daily_kwh >= 0, true)", "what is usual is never below zero"),
        Rule(
            "MD-29",
            "NOT coalesce(clock_shift_minutes <> 0, false)",
            "the last days lie at other hours of the clock than the meter's own past: its clock moved, or habits did",
            severity="warn",
        ),
    ),
)
