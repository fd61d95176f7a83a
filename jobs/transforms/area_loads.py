"""features.area_loads: an area of the hierarchy and a local date."""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.transforms.changes import Facts, Touched, metered_dates, metered_since, meters_since
from jobs.transforms.metering import holds_on
from schemas.features import AREA_LOADS

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
WholeDate = Callable[[pa.Table], pa.Table]

# the feeds on which the curve of an area depends
AREA_FEEDS = ("validated_days", "meter_days", "register_readings", "metering_points")


def area_dates(touched: Touched, facts: Facts, since: DataFrame | None = None) -> DataFrame:
    """A local date (load_date) on which an area's curve depends on the new deliveries.

    `since` are `meters_since`, where they are worked out already.
    """
    return metered_parts(touched, facts, since).select(F.col("usage_date").alias("load_date")).distinct()


def metered_parts(touched: Touched, facts: Facts, since: DataFrame | None = None) -> DataFrame:
    """A meter and a local date (meter_id, usage_date) whose part in its areas depends on the new deliveries.

    `since` are `meters_since`, where they are worked out already.
    """
    held = facts.validated.select("meter_id", F.col("read_date").alias("usage_date"))
    if touched.everything:
        return held
    parts = metered_dates(touched, facts)
    if touched.has("metering_points"):
        parts = parts.unionByName(metered_since(held, meters_since(touched, facts) if since is None else since))
    return parts


def area_loads(facts: Facts, add_up: Batches, parts: pa.Schema, roll_up: WholeDate) -> DataFrame:
    """An area of each level and a local date of the facts' validated days: the curves of its meters added up.

    `add_up` turns meters into `parts`, sums by district, on the workers, batch by batch; `roll_up` makes of the
    districts of one date the rows of all levels. Neither ever holds the curves of a date's meters in one place.
    """
    meters = (
        facts.validated.where("kwh IS NOT NULL")
        .withColumnRenamed("read_date", "load_date")
        .join(facts.periods, on="meter_id", how="inner")
        .where(holds_on(F.col("load_date")))
        .select(
            "load_date",
            "district_id",
            "feeder_id",
            "county",
            "prefecture",
            "interval_minutes",
            "kwh",
            "multiplier",
            F.greatest("available_at", "point_received_at").alias("available_at"),
        )
    )
    sums = meters.mapInArrow(add_up, from_arrow_schema(parts))
    return sums.groupBy("load_date").applyInArrow(roll_up, AREA_LOADS.struct)
