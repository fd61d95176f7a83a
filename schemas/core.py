"""The tables of core, in the order in which they are documented."""

from schemas.bills import BILL_LINES, BILLS, PAYMENTS
from schemas.channel_days import CHANNEL_DAYS
from schemas.complaints import COMPLAINTS
from schemas.customers import CUSTOMERS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.reference import CALENDAR, CLASS_PROFILES, TARIFFS, WEATHER_HOURS
from schemas.register_readings import REGISTER_READINGS
from schemas.table import Table

CORE: tuple[Table, ...] = (
    METER_DAYS,
    CHANNEL_DAYS,
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
    CLASS_PROFILES,
)
