"""How warm a date was, and where: hours of weather as means of local dates, and which of them are a meter's."""

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def daily_weather(weather: DataFrame, time_zone: str) -> DataFrame:
    """A place and a local date: prefecture, usage_date, temperature_c (mean), weather_received_at."""
    local = weather.withColumn("usage_date", F.to_date(F.from_utc_timestamp("hour_at", time_zone)))
    # sums of decimals do not depend on the order in which rows come
    mean = F.sum(F.col("temperature_c").cast("decimal(12,4)")) / F.count("temperature_c")
    return local.groupBy(F.col("place").alias("prefecture"), "usage_date").agg(
        F.round(mean.cast("double"), 3).alias("temperature_c"),
        F.max("received_at").alias("weather_received_at"),
    )


def weather_around(weather: DataFrame, dates: Sequence[date]) -> DataFrame:
    """The hours of these local dates, and some around them: wide enough for any time zone."""
    if not dates:
        return weather.limit(0)
    first, last = min(dates) - timedelta(days=1), max(dates) + timedelta(days=2)
    return weather.where((F.col("hour_at") >= F.lit(first)) & (F.col("hour_at") < F.lit(last)))


def meter_places(points: DataFrame) -> DataFrame:
    """A meter and the prefecture in which it was installed last (meter_id, prefecture)."""
    latest = F.max(F.struct("installed_from", "point_id", "prefecture"))
    return points.groupBy("meter_id").agg(latest.alias("latest")).select("meter_id", "latest.prefecture")
