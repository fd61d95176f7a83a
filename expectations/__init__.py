"""What must be true of the tables: rules as data. `SUITES` holds them by table."""

from expectations.bills import BILL_LINES_SUITE, BILLS_SUITE, PAYMENTS_SUITE
from expectations.channel_days import CHANNEL_DAYS_SUITE
from expectations.complaints import COMPLAINTS_SUITE
from expectations.customers import CUSTOMERS_SUITE, METERING_POINTS_SUITE
from expectations.districts import DISTRICT_DAYS_SUITE, METER_LEVELS_SUITE
from expectations.features import (
    AREA_LOADS_SUITE,
    CUSTOMER_DAYS_SUITE,
    CUSTOMER_MONTHS_SUITE,
    SEGMENT_SCORES_SUITE,
    USAGE_FORECASTS_SUITE,
)
from expectations.mart import (
    CUSTOMER_FORECASTS_SUITE,
    CUSTOMER_PROFILES_SUITE,
    CUSTOMER_SCORES_SUITE,
    PUBLICATIONS_SUITE,
)
from expectations.meter_days import METER_DAYS_SUITE
from expectations.meter_profiles import METER_PROFILES_SUITE
from expectations.reference import CALENDAR_SUITE, CLASS_PROFILES_SUITE, TARIFFS_SUITE, WEATHER_HOURS_SUITE
from expectations.register_readings import REGISTER_READINGS_SUITE
from expectations.rule import Rule, Suite
from expectations.validated_days import VALIDATED_DAYS_SUITE

SUITES: dict[str, Suite] = {
    suite.table: suite
    for suite in (
        METER_DAYS_SUITE,
        CHANNEL_DAYS_SUITE,
        REGISTER_READINGS_SUITE,
        CUSTOMERS_SUITE,
        METERING_POINTS_SUITE,
        BILLS_SUITE,
        BILL_LINES_SUITE,
        PAYMENTS_SUITE,
        COMPLAINTS_SUITE,
        CALENDAR_SUITE,
        WEATHER_HOURS_SUITE,
        TARIFFS_SUITE,
        CLASS_PROFILES_SUITE,
        METER_PROFILES_SUITE,
        VALIDATED_DAYS_SUITE,
        CUSTOMER_DAYS_SUITE,
        CUSTOMER_MONTHS_SUITE,
        AREA_LOADS_SUITE,
        DISTRICT_DAYS_SUITE,
        METER_LEVELS_SUITE,
        SEGMENT_SCORES_SUITE,
        USAGE_FORECASTS_SUITE,
        CUSTOMER_SCORES_SUITE,
        CUSTOMER_FORECASTS_SUITE,
        CUSTOMER_PROFILES_SUITE,
        PUBLICATIONS_SUITE,
    )
}

__all__ = ["SUITES", "Rule", "Suite"]
