"""mart.customer_scores and mart.customer_forecasts: what the champions say of each customer, and how sure that is."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.transforms.customer_months import exact_sum
from jobs.transforms.metering import customers_on, meter_periods
from jobs.transforms.profiles import end_of_date, recent_usage
from schemas import Table
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_SCORES

HORIZON_DAYS = 14
# an eighth of the values estimated: sums still hold, shapes begin to show the estimate
HIGH_ESTIMATED_SHARE = 0.125
LOW_COMPLETENESS = 0.9
# below this a weekday is seen at most twice
FEW_KNOWN_DAYS = 14
NEW_CUSTOMER_DAYS = 60

REASONS = {
    "SEGMENT_FROM_FULL_HISTORY": "the segment rests on enough known days",
    "NO_SEGMENT": "the days known are too few, or of one kind only, to tell the shape of use",
    "SEGMENT_CHAMPION_MISSING": "no segmentation is in use yet",
    "FORECAST_FROM_FULL_HISTORY": "the forecast rests on two thirds of the last twelve weeks or more",
    "FORECAST_FROM_SHORT_HISTORY": "the forecast rests on less than two thirds of the last twelve weeks",
    "NO_FORECAST": "the days known are too few for a forecast of this customer's own",
    "FORECAST_CHAMPION_MISSING": "no forecast model is in use yet",
    "NO_METER": "no meter is installed on the date",
    "NO_READINGS": "no reading came in during the last 30 days",
    "FEW_KNOWN_DAYS": "fewer than 14 of the last 30 days are known",
    "LOW_COMPLETENESS": "more than a tenth of the last 30 days' intervals is missing",
    "HIGH_ESTIMATED_SHARE": "more than an eighth of the last 30 days' intervals is estimated",
    "SUM_CHECK_FAILED": "intervals and registers disagree on a day of the last 30",
    "NEW_CUSTOMER": "metered for less than 60 days",
}


def customer_forecasts(as_of: date, forecasts: DataFrame, time_zone: str) -> DataFrame:
    """A customer and a date to come: the slice of the forecasts made on the date."""
    made = forecasts.where(F.col("origin_date") == F.lit(as_of))
    return made.withColumn("scored_at", end_of_date(as_of, time_zone)).select(*CUSTOMER_FORECASTS.column_names)


def next_days(as_of: date, forecasts: DataFrame) -> DataFrame:
    """A customer: sums of its forecasts of the next 14 days, null unless all are there and rest on enough data."""
    last = as_of + timedelta(days=HORIZON_DAYS)
    made = forecasts.where((F.col("origin_date") == F.lit(as_of)) & (F.col("forecast_date") <= F.lit(last)))
    # the least sure day tells how sure the sum is; the three words sort in that order
    least = F.min("sufficiency")
    whole = (F.count("p50_kwh") == HORIZON_DAYS) & (least != "not_enough_data")
    sums = {f"next_14d_{p}_kwh": exact_sum(F.round(f"{p}_kwh", 6)) for p in ("p10", "p50", "p90")}
    return made.groupBy("customer_key").agg(
        *(F.when(whole, total.cast("double")).alias(name) for name, total in sums.items()),
        least.alias("forecast_sufficiency"),
        F.max("model_version").alias("forecast_model_version"),
    )


def customer_scores(
    as_of: date,
    *,
    customers: DataFrame,
    points: DataFrame,
    days: DataFrame,
    segments: DataFrame,
    forecasts: DataFrame,
    time_zone: str,
) -> DataFrame:
    """A customer known on `as_of`, in exactly one row; who has no data is said to have none, with the reasons.

    completeness and estimated_share are those of the last 30 days, `data_as_of` the latest fact in them. Beside the
    published columns: customer_count, by which the suite sees that nobody is missing.
    """
    day = F.lit(as_of)
    scored = (
        segments.where(F.col("as_of_date") == day)
        .withColumnRenamed("sufficiency", "segment_sufficiency")
        .withColumnRenamed("model_version", "segment_model_version")
        .drop("as_of_date")
    )
    metered = meter_periods(points).where((F.col("starts_on") <= day) & (day < F.col("ends_on")))
    since = points.groupBy("customer_key").agg(F.min("installed_from").alias("first_metered_on"))
    joined = (
        customers_on(as_of, customers)
        .select("customer_key", "supply_start_date", "received_at")
        .join(recent_usage(as_of, days, points), on="customer_key", how="left")
        .join(scored, on="customer_key", how="left")
        .join(next_days(as_of, forecasts), on="customer_key", how="left")
        .join(metered.select("customer_key", F.lit(True).alias("is_metered")).distinct(), on="customer_key", how="left")
        .join(since, on="customer_key", how="left")
        .join(F.broadcast(champions(as_of, segments, forecasts)), how="cross")
        .join(F.broadcast(customer_count(as_of, customers)), how="cross")
    )
    return joined.withColumns(
        {
            "as_of_date": day,
            "scored_at": end_of_date(as_of, time_zone),
            "data_as_of": F.coalesce("available_at", "received_at"),
            "completeness": F.coalesce("completeness_30d", F.lit(0.0)),
            "estimated_share": F.coalesce("estimated_share_30d", F.lit(0.0)),
            "sufficiency": _sufficiency(),
            "reasons": _reasons(as_of),
        }
    ).select(*CUSTOMER_SCORES.column_names, "customer_count")


def customer_count(as_of: date, customers: DataFrame) -> DataFrame:
    """One row: customer_count, how many customers are known on the date."""
    known = customers.where(F.col("valid_from") <= F.lit(as_of))
    return known.agg(F.count_distinct("customer_key").alias("customer_count"))


def champions(as_of: date, segments: DataFrame, forecasts: DataFrame) -> DataFrame:
    """One row: has_segments, has_forecasts, whether anybody has a score of the date."""
    by_segment = segments.where(F.col("as_of_date") == F.lit(as_of)).agg((F.count("*") > 0).alias("has_segments"))
    by_forecast = forecasts.where(F.col("origin_date") == F.lit(as_of)).agg((F.count("*") > 0).alias("has_forecasts"))
    return by_segment.crossJoin(by_forecast)


def _sufficiency() -> Column:
    """Sufficient when segment and forecast are, not_enough_data when neither is there, else partial."""
    no_segment, no_forecast = F.col("segment_id").isNull(), F.col("next_14d_p50_kwh").isNull()
    both = (F.col("segment_sufficiency") == "sufficient") & (F.col("forecast_sufficiency") == "sufficient")
    return (
        F.when(no_segment & no_forecast, "not_enough_data")
        .when(~no_segment & ~no_forecast & both, "sufficient")
        .otherwise("partial")
    )


def _reasons(as_of: date) -> Column:
    """Codes of REASONS, in its order."""
    has_segment, has_forecast = F.col("segment_id").isNotNull(), F.col("next_14d_p50_kwh").isNotNull()
    is_full = F.col("forecast_sufficiency") == "sufficient"
    has_days = F.coalesce("days_known_30d", F.lit(0)) > 0
    first_seen = F.coalesce("first_metered_on", "supply_start_date")
    holds: dict[str, Column] = {
        "SEGMENT_FROM_FULL_HISTORY": has_segment,
        "NO_SEGMENT": ~has_segment & F.col("has_segments"),
        "SEGMENT_CHAMPION_MISSING": ~F.col("has_segments"),
        "FORECAST_FROM_FULL_HISTORY": has_forecast & is_full,
        "FORECAST_FROM_SHORT_HISTORY": has_forecast & ~is_full,
        "NO_FORECAST": ~has_forecast & F.col("has_forecasts"),
        "FORECAST_CHAMPION_MISSING": ~F.col("has_forecasts"),
        "NO_METER": F.col("is_metered").isNull(),
        "NO_READINGS": F.col("is_metered").isNotNull() & ~has_days,
        "FEW_KNOWN_DAYS": has_days & (F.col("days_known_30d") < FEW_KNOWN_DAYS),
        "LOW_COMPLETENESS": has_days & (F.col("completeness_30d") < LOW_COMPLETENESS),
        "HIGH_ESTIMATED_SHARE": F.col("estimated_share_30d") > HIGH_ESTIMATED_SHARE,
        "SUM_CHECK_FAILED": F.col("sum_check_failed_30d") > 0,
        "NEW_CUSTOMER": F.datediff(F.lit(as_of), first_seen) < NEW_CUSTOMER_DAYS,
    }
    return F.array_compact(F.array(*(F.when(condition, F.lit(code)) for code, condition in holds.items())))


def publication(as_of: date, slices: dict[str, DataFrame], forecasts_made: DataFrame, time_zone: str) -> DataFrame:
    """One row: as_of_date, published_at, table_rows, model_versions, and forecasts_made to hold table_rows against.

    `slices` are the published rows of the date by table name, `forecasts_made` those which were to be published.
    """
    every = _counted(None, forecasts_made)
    for name, rows in slices.items():
        every = every.unionByName(_counted(name, rows))
    is_slice = F.col("name").isNotNull()
    counts = F.collect_list(F.when(is_slice, F.struct("name", "row_count")))
    models = F.collect_list(F.when(is_slice, F.col("models")))
    return every.agg(
        F.lit(as_of).alias("as_of_date"),
        end_of_date(as_of, time_zone).alias("published_at"),
        F.map_from_entries(F.array_sort(counts)).alias("table_rows"),
        F.array_sort(F.array_distinct(F.flatten(models))).alias("model_versions"),
        F.max(F.when(~is_slice, F.col("row_count"))).alias("forecasts_made"),
    )


def slice_of(rows: DataFrame, table: Table, day: date) -> DataFrame:
    """The rows of a table in the slice of a date."""
    (column,) = table.partitioned_by
    return rows.where(F.col(column) == F.lit(day))


def _counted(name: str | None, rows: DataFrame) -> DataFrame:
    return rows.agg(
        F.lit(name).cast("string").alias("name"),
        F.count("*").cast("int").alias("row_count"),
        _models(rows).alias("models"),
    )


def _models(rows: DataFrame) -> Column:
    names = [name for name in rows.columns if name.endswith("model_version")]
    if not names:
        return F.array().cast("array<string>")
    return F.flatten(F.array(*(F.collect_set(name) for name in names)))
