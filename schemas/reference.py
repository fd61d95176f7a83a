"""Reference data: calendar, weather, tariffs, class profiles. None of them grows with customers."""

from pyspark.sql.types import BooleanType

from schemas.common import DATE, DOUBLE, FLAGS, INSTANT, INT, PRICE, PROVENANCE, STRING
from schemas.table import Column, Table

CALENDAR = Table(
    name="core.calendar",
    comment="Local calendar dates with holidays and working weekends",
    key=("calendar_date",),
    columns=(
        Column("calendar_date", DATE, "Local calendar date"),
        Column("is_holiday", BooleanType(), "Public holiday (法定节假日)"),
        Column("is_working_weekend", BooleanType(), "Saturday or Sunday that is worked (调休上班)"),
        Column("holiday_name", STRING, "Name of the holiday; null on other days"),
        Column("season", STRING, "Season of the tariffs: summer, winter, other"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)

WEATHER_HOURS = Table(
    name="core.weather_hours",
    comment="Weather by place and hour",
    key=("place", "hour_at"),
    columns=(
        Column("place", STRING, "Prefecture, or the station's name"),
        Column("hour_at", INSTANT, "Start of the hour, UTC"),
        Column("temperature_c", DOUBLE, "Air temperature, degrees Celsius"),
        Column("humidity_pct", DOUBLE, "Relative humidity, %"),
        Column("precipitation_mm", DOUBLE, "Precipitation of the hour, mm"),
        Column("wind_m_s", DOUBLE, "Wind speed, m/s"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)

TARIFFS = Table(
    name="core.tariffs",
    comment="Tariffs: a line of a version of a tariff",
    key=("tariff_code", "valid_from", "line_no"),
    columns=(
        Column("tariff_code", STRING, "Code of the tariff (电价代码)"),
        Column("valid_from", DATE, "First local date of the version"),
        Column("valid_to", DATE, "Last local date of the version; null = until a later version begins"),
        Column("line_no", INT, "Number of the line in the version"),
        Column("usage_class", STRING, "Usage class the tariff is for"),
        Column("tariff_kind", STRING, "flat 单一, tiered 阶梯, tou 分时"),
        Column("months", STRING, "Months in which the line holds, as 7,8,9; null = all"),
        Column("period_code", STRING, "Time-of-use period: sharp, peak, flat, valley, all"),
        Column("hours", STRING, "Clock hours of the period, as 10:00-12:00;14:00-19:00; null = the whole day"),
        Column("tier_from_kwh", DOUBLE, "Annual energy from which the line's price holds, kWh; null = from 0"),
        Column("price_yuan", PRICE, "Energy price, yuan/kWh (the site's currency)"),
        Column("capacity_price_yuan", PRICE, "Capacity price, yuan per kVA and month; null = none"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)

# only the shape counts; of rows of several interval lengths those of the length which came last are the version, and
# one which is not whole is not used
CLASS_PROFILES = Table(
    name="core.class_profiles",
    comment="Load profiles of usage classes: an interval of a type of day in a version",
    key=("usage_class", "valid_from", "day_type", "start_minute"),
    columns=(
        Column(
            "usage_class",
            STRING,
            "Usage class (用电类别): large_industrial, general_commercial, agricultural, residential",
        ),
        Column("valid_from", DATE, "First local date of the version; it holds until a later one begins"),
        Column("day_type", STRING, "working 工作日, other 非工作日 (weekends and holidays)"),
        Column("start_minute", INT, "Begin of the interval, minutes after 00:00 on the clock"),
        Column("interval_minutes", INT, "Length of the interval, minutes; the same throughout the day"),
        Column("share", DOUBLE, "Share of the day's energy which falls into the interval, in any unit"),
        FLAGS,
        *PROVENANCE,
    ),
    write="upsert",
)
