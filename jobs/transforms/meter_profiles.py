"""features.meter_profiles: a meter and a week with what is usual for it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.transforms.changes import Facts, Touched, calendar_dates, weather_dates
from jobs.transforms.weather import daily_weather, meter_places, weather_around
from schemas.meter_profiles import METER_PROFILES

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# the feeds on which a profile depends
PROFILE_FEEDS = ("meter_days", "calendar", "weather_hours", "metering_points")
# a row of these changes the profiles of all meters, or of all of a place
FOR_MANY = ("calendar", "weather_hours")
# a meter's past, as the days of a week are held against, are the days so far before the Monday of the week
PAST_DAYS = 28
_WEEK = timedelta(days=7)

PROFILES = StructType([field for field in METER_PROFILES.struct.fields if field.name != "flags"])


def weeks_after(days: Sequence[date], until: date) -> list[date]:
    """The Mondays up to a date for whose weeks one of the days is the past."""
    mondays = set()
    for day in days:
        monday = day + timedelta(days=7 - day.weekday())
        while monday <= min(until, day + timedelta(days=PAST_DAYS)):
            mondays.add(monday)
            monday += _WEEK
    return sorted(mondays)


def past_of(weeks: Sequence[date]) -> list[date]:
    """The dates which are the past of one of the weeks."""
    return sorted({week - timedelta(days=n) for week in weeks for n in range(1, PAST_DAYS + 1)})


def dates_told(touched: Touched, facts: Facts, until: date) -> list[date]:
    """Local dates up to a date of which the calendar or the weather says something new: few whatever the customers."""
    told = [calendar_dates(touched, facts, until)] if touched.has("calendar") else []
    if touched.has("weather_hours"):
        told.append(weather_dates(touched, facts).select("usage_date").where(F.col("usage_date") <= F.lit(until)))
    return sorted({row.usage_date for part in told for row in part.distinct().collect()})


def meter_profiles(facts: Facts, meters: DataFrame | None, weeks: Sequence[date], profile: Batches) -> DataFrame:
    """A meter and each of the weeks (Mondays) with a day in the time before it, without flags.

    Of these meters, or of all.
    """
    dates = past_of(weeks)
    past = facts.meter_days.where(F.col("read_date").isin(dates))
    if meters is not None:
        past = past.join(meters, "meter_id", "left_semi")
    weather = daily_weather(weather_around(facts.weather, dates), facts.time_zone)
    temperatures = weather.select("prefecture", F.col("usage_date").alias("read_date"), "temperature_c")
    ordered = (
        past.select("meter_id", "read_date", "interval_minutes", "kwh")
        .repartition("meter_id")
        .join(meter_places(facts.points), "meter_id", "left")
        .join(F.broadcast(temperatures), ["prefecture", "read_date"], "left")
        .select("meter_id", "read_date", "interval_minutes", "kwh", "temperature_c")
        .sortWithinPartitions("meter_id", "read_date")
    )
    return ordered.mapInArrow(profile, PROFILES)


def meters_of(touched: Touched, facts: Facts) -> DataFrame:
    """A meter (meter_id) of which new deliveries brought days."""
    new = touched.of("meter_days")
    return new.rows(facts.meter_days).where(F.col("read_date").isin(list(new.dates))).select("meter_id").distinct()


def meters_moved(touched: Touched, facts: Facts) -> DataFrame:
    """A meter (meter_id) of which new master data may say that it is, or was, in another prefecture, or in none."""
    new, key = touched.of("metering_points"), ["point_id", "installed_from"]
    names = ("meter_id", "prefecture", "delivery_id", *key)
    every = facts.points.select(*names).unionByName(facts.points_before.select(*names))
    changed = (
        new.rows(facts.points).select("meter_id").unionByName(new.replaced(facts.points_before).select("meter_id"))
    )
    places = F.count_distinct(F.coalesce("prefecture", F.lit("")))
    moved = every.groupBy("meter_id").agg(places.alias("places")).where("places > 1").select("meter_id")
    # what replaced the value said nothing of it: a cancellation took it away
    replacing = every.select(*key, F.col("delivery_id").alias("replaced_by"))
    taken = facts.points_before.join(replacing, [*key, "replaced_by"], "left_anti").select("meter_id")
    return moved.unionByName(taken).join(changed, "meter_id", "left_semi").distinct()


def no_longer_profiled(meters: DataFrame, weeks: Sequence[date], made: DataFrame, held: DataFrame) -> DataFrame:
    """A meter and week that is held and not made any more, all columns, with `keep` false."""
    of_weeks = held.where(F.col("week_start").isin(list(weeks))).join(meters, "meter_id", "left_semi")
    gone = of_weeks.join(made, ["meter_id", "week_start"], "left_anti")
    return gone.withColumn("keep", F.lit(False)).select(*made.columns, "keep")


def worked_dates(calendar: DataFrame) -> dict[int, bool]:
    """Whether a date of the calendar is worked, by its ordinal. A few hundred a year."""
    is_weekend = F.dayofweek("calendar_date").isin(1, 7)
    is_worked = ~F.coalesce("is_holiday", F.lit(False)) & (~is_weekend | F.coalesce("is_working_weekend", F.lit(False)))
    rows = calendar.select("calendar_date", is_worked.alias("is_worked")).collect()
    return {row.calendar_date.toordinal(): row.is_worked for row in rows}
