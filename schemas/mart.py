"""What other people read. Contracts: every column commented, versioned, never half-published.

A reader takes the slice of `mart.publications`' latest as-of date; its row is written after all tables of the
publication are in place. Deletion vectors are off here, so that any Delta reader can read.
"""

from pyspark.sql.types import MapType

from schemas.common import (
    AS_OF_DATE,
    COMPLETENESS,
    CUSTOMER_KEY,
    DATE,
    DOUBLE,
    ESTIMATED_SHARE,
    INSTANT,
    INT,
    MODEL_VERSION,
    P10,
    P50,
    P90,
    SCORED_AT,
    STRING,
    STRINGS,
    SUFFICIENCY,
    YUAN,
)
from schemas.table import Column, Table

CUSTOMER_SCORES = Table(
    name="mart.customer_scores",
    comment="A customer on a date: segment, expected energy, and how sure that is",
    key=("as_of_date", "customer_key"),
    columns=(
        CUSTOMER_KEY,
        AS_OF_DATE,
        Column("segment_id", INT, "Segment; null where there are not enough data"),
        Column("segment_name", STRING, "Name of the segment in words"),
        Column("segment_name_zh", STRING, "Name of the segment in Chinese"),
        Column("next_14d_p10_kwh", DOUBLE, "Energy of the next 14 days, low case: sum of the daily P10, kWh"),
        Column("next_14d_p50_kwh", DOUBLE, "Energy of the next 14 days, sum of the daily medians, kWh"),
        Column("next_14d_p90_kwh", DOUBLE, "Energy of the next 14 days, high case: sum of the daily P90, kWh"),
        SUFFICIENCY,
        Column("reasons", STRINGS, "Reason codes: why the score is as it is, or why there is none"),
        COMPLETENESS,
        ESTIMATED_SHARE,
        Column("segment_model_version", STRING, "Registered model and version of the segment"),
        Column("forecast_model_version", STRING, "Registered model and version of the forecast"),
        Column("data_as_of", INSTANT, "Latest fact known here when the score was made, UTC"),
        SCORED_AT,
    ),
    write="replace",
    partitioned_by=("as_of_date",),
)

CUSTOMER_FORECASTS = Table(
    name="mart.customer_forecasts",
    comment="A customer and a date to come: daily energy with its range",
    key=("origin_date", "customer_key", "forecast_date"),
    columns=(
        CUSTOMER_KEY,
        Column("origin_date", DATE, "Last date whose data were used"),
        Column("forecast_date", DATE, "Date forecast"),
        P10,
        P50,
        P90,
        SUFFICIENCY,
        MODEL_VERSION,
        SCORED_AT,
    ),
    write="replace",
    partitioned_by=("origin_date",),
)

CUSTOMER_PROFILES = Table(
    name="mart.customer_profiles",
    comment="A customer on a date: what is known of contract, usage, bills and contacts",
    key=("as_of_date", "customer_key"),
    columns=(
        CUSTOMER_KEY,
        AS_OF_DATE,
        Column("usage_class", STRING, "Usage class (用电类别)"),
        Column("industry", STRING, "Industry (行业)"),
        Column("tariff_code", STRING, "Tariff of the contract"),
        Column("contract_capacity_kva", DOUBLE, "Contract capacity, kVA"),
        Column("supply_start_date", DATE, "Start of supply"),
        Column("channel_preference", STRING, "Channel by which the customer wants to be reached"),
        Column("county", STRING, "County"),
        Column("prefecture", STRING, "Prefecture"),
        Column("meter_count", INT, "Meters installed on the date"),
        Column("kwh_30d", DOUBLE, "Energy of the last 30 days, known intervals, kWh"),
        Column("kwh_365d", DOUBLE, "Energy of the last 365 days, known intervals, kWh"),
        Column("kwh_year_to_date", DOUBLE, "Energy billed or metered since 1 January, known intervals, kWh"),
        Column("peak_kw_30d", DOUBLE, "Highest average power of an interval in the last 30 days, kW"),
        Column("valley_share_30d", DOUBLE, "Share of the valley period in the last 30 days' energy, 0 to 1"),
        Column("tier_no", INT, "Step of the tiered price reached this year (阶梯); null on other tariffs"),
        Column("bill_yuan_12m", YUAN, "Billed in the last 12 months"),
        Column("arrears_yuan", YUAN, "Billed, unpaid and past the due date (欠费)"),
        Column("contact_count_12m", INT, "Work orders of any category in the last 12 months"),
        Column("complaint_count_12m", INT, "Work orders of category complaint in the last 12 months"),
        Column("last_contact_category", STRING, "Category of the latest work order"),
        Column("completeness_30d", DOUBLE, "Known intervals / expected intervals of the last 30 days, 0 to 1"),
        Column("estimated_share_30d", DOUBLE, "Estimated intervals / expected intervals of the last 30 days, 0 to 1"),
        SCORED_AT,
    ),
    write="replace",
    partitioned_by=("as_of_date",),
)

PUBLICATIONS = Table(
    name="mart.publications",
    comment="Publications that are complete: read the slices of the latest as_of_date",
    key=("as_of_date",),
    columns=(
        AS_OF_DATE,
        Column("published_at", INSTANT, "As-of instant of the publication, UTC"),
        Column("table_rows", MapType(STRING, INT), "Rows of each table in the publication"),
        Column("model_versions", STRINGS, "Models behind the publication"),
    ),
    write="upsert",
)
