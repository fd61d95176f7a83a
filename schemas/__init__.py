"""What every table is. `TABLES` holds them all by name."""

from schemas.bills import BILL_LINES, BILLS, PAYMENTS
from schemas.complaints import COMPLAINTS
from schemas.customers import CUSTOMER_IDENTITIES, CUSTOMERS
from schemas.features import AREA_LOADS, CUSTOMER_DAYS, CUSTOMER_MONTHS, SEGMENT_SCORES, USAGE_FORECASTS
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_PROFILES, CUSTOMER_SCORES, PUBLICATIONS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.ops import CONSUMPTIONS, DELIVERIES, JOB_RUNS, RECONCILIATION, RULE_RESULTS
from schemas.quarantine import QUARANTINES
from schemas.reference import CALENDAR, TARIFFS, WEATHER_HOURS
from schemas.register_readings import REGISTER_READINGS
from schemas.table import Column, Table
from schemas.versions import VERSIONS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        METER_DAYS,
        REGISTER_READINGS,
        CUSTOMERS,
        METERING_POINTS,
        BILLS,
        BILL_LINES,
        PAYMENTS,
        COMPLAINTS,
        WEATHER_HOURS,
        CALENDAR,
        TARIFFS,
        CUSTOMER_IDENTITIES,
        CUSTOMER_DAYS,
        CUSTOMER_MONTHS,
        AREA_LOADS,
        SEGMENT_SCORES,
        USAGE_FORECASTS,
        CUSTOMER_SCORES,
        CUSTOMER_FORECASTS,
        CUSTOMER_PROFILES,
        PUBLICATIONS,
        DELIVERIES,
        RECONCILIATION,
        RULE_RESULTS,
        JOB_RUNS,
        CONSUMPTIONS,
        *VERSIONS.values(),
        *QUARANTINES.values(),
    )
}

__all__ = ["QUARANTINES", "TABLES", "VERSIONS", "Column", "Table"]
