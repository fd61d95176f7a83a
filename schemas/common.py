"""Columns which several tables share, each defined once."""

from pyspark.sql.types import (
    ArrayType,
    ByteType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    StringType,
    TimestampType,
)

from schemas.table import Column

STRING = StringType()
DATE = DateType()
INSTANT = TimestampType()
DOUBLE = DoubleType()
INT = IntegerType()
STRINGS = ArrayType(STRING)
FLOATS = ArrayType(FloatType())
BYTES = ArrayType(ByteType())
YUAN = DecimalType(18, 2)
PRICE = DecimalType(18, 6)

CUSTOMER_KEY = Column("customer_key", STRING, "Keyed pseudonym of the customer: HMAC-SHA256 of customer_no (户号)")
METER_ID = Column("meter_id", STRING, "Asset number of the meter (电能表)")
READ_DATE = Column("read_date", DATE, "Local calendar date of the readings (数据日期)")
RECEIVED_AT = Column("received_at", INSTANT, "When the delivery came in, UTC; the later one wins")
DELIVERY_ID = Column("delivery_id", STRING, "Delivery which brought the row")
PROVENANCE = (RECEIVED_AT, DELIVERY_ID)
AVAILABLE_AT = Column("available_at", INSTANT, "When the last fact in the row was known here, UTC")
FLAGS = Column("flags", STRINGS, "Ids of the warn rules which the row broke; empty when it broke none")
COMPLETENESS = Column("completeness", DOUBLE, "Known intervals / expected intervals, 0 to 1")
ESTIMATED_SHARE = Column("estimated_share", DOUBLE, "Intervals with an estimated value / expected intervals, 0 to 1")
AS_OF_DATE = Column("as_of_date", DATE, "Date up to which the data were read")
MODEL_VERSION = Column("model_version", STRING, "Registered model and version which made the row")
SCORED_AT = Column("scored_at", INSTANT, "As-of instant of the scoring: the end of its date, UTC")
SUFFICIENCY = Column("sufficiency", STRING, "Whether the data carry the result: sufficient, partial, not_enough_data")
P10 = Column("p10_kwh", DOUBLE, "Forecast energy, 10 % quantile, kWh")
P50 = Column("p50_kwh", DOUBLE, "Forecast energy, median, kWh")
P90 = Column("p90_kwh", DOUBLE, "Forecast energy, 90 % quantile, kWh")
