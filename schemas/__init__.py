"""What every table is. `TABLES` holds them all by name."""

from schemas.core import CORE
from schemas.customers import CUSTOMER_IDENTITIES
from schemas.district_days import DISTRICT_DAYS
from schemas.features import AREA_LOADS, CUSTOMER_DAYS, CUSTOMER_MONTHS, SEGMENT_SCORES, USAGE_FORECASTS
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_PROFILES, CUSTOMER_SCORES, PUBLICATIONS
from schemas.meter_levels import METER_LEVELS
from schemas.meter_profiles import METER_PROFILES
from schemas.ops import (
    CONSUMPTIONS,
    DELIVERIES,
    JOB_RUNS,
    QUARANTINE_ACTIONS,
    RECONCILIATION,
    REVALIDATIONS,
    RULE_RESULTS,
)
from schemas.quarantine import QUARANTINES
from schemas.table import Column, Table
from schemas.validated_days import REVALIDATED_DAYS, VALIDATED_DAYS
from schemas.versions import REPEATS, VERSIONS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *CORE,
        CUSTOMER_IDENTITIES,
        METER_PROFILES,
        VALIDATED_DAYS,
        REVALIDATED_DAYS,
        CUSTOMER_DAYS,
        CUSTOMER_MONTHS,
        AREA_LOADS,
        DISTRICT_DAYS,
        METER_LEVELS,
        SEGMENT_SCORES,
        USAGE_FORECASTS,
        CUSTOMER_SCORES,
        CUSTOMER_FORECASTS,
        CUSTOMER_PROFILES,
        PUBLICATIONS,
        DELIVERIES,
        RECONCILIATION,
        RULE_RESULTS,
        QUARANTINE_ACTIONS,
        JOB_RUNS,
        CONSUMPTIONS,
        REVALIDATIONS,
        *VERSIONS.values(),
        *REPEATS.values(),
        *QUARANTINES.values(),
    )
}

__all__ = ["QUARANTINES", "REPEATS", "TABLES", "VERSIONS", "Column", "Table"]
