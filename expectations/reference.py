"""What must be true of calendar, weather, tariffs and class profiles."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite

CALENDAR_SUITE = Suite(
    "core.calendar",
    (
        readable("CA"),
        present("CA-01", "calendar_date", "a row of the calendar is a date"),
        present("CA-02", "is_holiday", "the calendar says whether the date is a holiday"),
        present("CA-03", "is_working_weekend", "the calendar says whether a weekend is worked"),
        Rule("CA-04", "NOT (is_holiday AND is_working_weekend)", "a date is not both holiday and working weekend"),
    ),
)

WEATHER_HOURS_SUITE = Suite(
    "core.weather_hours",
    (
        readable("WE"),
        present("WE-01", "place", "weather is weather of a place"),
        present("WE-02", "hour_at", "weather has an hour"),
        Rule("WE-03", "temperature_c BETWEEN -60 AND 60", "no such air temperature has been measured"),
        Rule("WE-04", "humidity_pct BETWEEN 0 AND 100", "relative humidity lies between 0 and 100 %", severity="warn"),
        Rule("WE-05", "to_date(hour_at) <= date_add(business_date, 1)", "measured weather of the future"),
        Rule("WE-06", "temperature_c IS NOT NULL", "the hour has no temperature", severity="warn"),
    ),
)

TARIFFS_SUITE = Suite(
    "core.tariffs",
    (
        readable("TA"),
        present("TA-01", "tariff_code", "a tariff has a code"),
        present("TA-02", "valid_from", "a version says from when it holds"),
        present("TA-03", "line_no", "lines of a version are numbered"),
        Rule("TA-04", "tariff_kind IS NOT NULL", "a tariff is flat, tiered or by time of use"),
        Rule("TA-05", "coalesce(price_yuan, capacity_price_yuan) IS NOT NULL", "a line states a price"),
        Rule("TA-06", "price_yuan >= 0", "an energy price below zero", severity="warn"),
        Rule("TA-07", "valid_to >= valid_from", "a version does not end before it begins"),
    ),
)

CLASS_PROFILES_SUITE = Suite(
    "core.class_profiles",
    (
        readable("LP"),
        present("LP-01", "usage_class", "a profile is that of a usage class"),
        present("LP-02", "valid_from", "a version says from when it holds"),
        Rule(
            "LP-03",
            "coalesce(day_type IN ('working', 'other'), false)",
            "a profile is one of working days or of the others",
        ),
        present("LP-04", "start_minute", "a share belongs to an interval"),
        Rule(
            "LP-05",
            "coalesce(interval_minutes > 0 AND 1440 % nullif(interval_minutes, 0) = 0, false)",
            "intervals of one length fill a day of 24 hours",
        ),
        Rule(
            "LP-06",
            "start_minute BETWEEN 0 AND 1439 AND start_minute % nullif(interval_minutes, 0) = 0",
            "an interval begins within the day, a whole number of intervals after midnight",
        ),
        Rule("LP-07", "coalesce(share BETWEEN 0 AND 1e9, false)", "a share is a number, and not below zero"),
        Rule(
            "LP-08",
            "usage_class IN ('large_industrial', 'general_commercial', 'agricultural', 'residential')",
            "customers have no such usage class: no meter would ever get the profile",
        ),
    ),
)
