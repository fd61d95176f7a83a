"""mart.customer_scores and mart.customer_forecasts: what the champions say of each customer, and how sure that is."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.transforms.customer_months import exact_sum
from jobs.transforms.metering import customers_on
from jobs.transforms.profiles import RECENT_DAYS, end_of_date, metering_on, recent_shares, usage_by_date
from schemas import Table
from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_SCORES

HORIZON_DAYS = 14
# an eighth of the values estimated: sums still hold, shapes begin to show the estimate
HIGH_ESTIMATED_SHARE = 0.125
LOW_COMPLETENESS = 0.9
# below this a weekday is seen at most twice
FEW_KNOWN_DAYS = 14
NEW_CUSTOMER_DAYS = 60

_MADE, _KNOWN = "forecasts_made", "customers_known"

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
    has_segments: bool,
    has_forecasts: bool,
    time_zone: str,
) -> DataFrame:
    """A customer known on `as_of`, in exactly one row; who has no data is said to have none, with the reasons.

    completeness and estimated_share are those of the last 30 days, `data_as_of` the latest fact in them.
    `has_segments`, `has_forecasts`: whether a champion scored anybody on the date.
    """
    day = F.lit(as_of)
    recent = days.where(F.col("usage_date") > F.lit(as_of - timedelta(days=RECENT_DAYS)))
    scored = (
        segments.where(F.col("as_of_date") == day)
        .withColumnRenamed("sufficiency", "segment_sufficiency")
        .withColumnRenamed("model_version", "segment_model_version")
        .drop("as_of_date")
    )
    joined = (
        customers_on(as_of, customers)
        .select("customer_key", "supply_start_date", "received_at")
        .join(usage_by_date(as_of, recent), on="customer_key", how="left")
        .join(metering_on(as_of, points), on="customer_key", how="left")
        .join(scored, on="customer_key", how="left")
        .join(next_days(as_of, forecasts), on="customer_key", how="left")
        .withColumns(recent_shares(as_of))
    )
    return joined.withColumns(
        {
            "as_of_date": day,
            "scored_at": end_of_date(as_of, time_zone),
            "data_as_of": F.coalesce("available_at", "received_at"),
            "completeness": F.col("completeness_30d"),
            "estimated_share": F.col("estimated_share_30d"),
            "sufficiency": _sufficiency(),
            "reasons": _reasons(as_of, has_segments=has_segments, has_forecasts=has_forecasts),
        }
    ).select(*CUSTOMER_SCORES.column_names)


def _sufficiency() -> Column:
    """Sufficient when segment and forecast are, not_enough_data when neither is there, else partial."""
    no_segment, no_forecast = F.col("segment_id").isNull(), F.col("next_14d_p50_kwh").isNull()
    both = (F.col("segment_sufficiency") == "sufficient") & (F.col("forecast_sufficiency") == "sufficient")
    return (
        F.when(no_segment & no_forecast, "not_enough_data")
        .when(~no_segment & ~no_forecast & both, "sufficient")
        .otherwise("partial")
    )


def _reasons(as_of: date, *, has_segments: bool, has_forecasts: bool) -> Column:
    """Codes of REASONS, in its order."""
    has_segment, has_forecast = F.col("segment_id").isNotNull(), F.col("next_14d_p50_kwh").isNotNull()
    is_full = F.col("forecast_sufficiency") == "sufficient"
    has_days = F.coalesce("days_known_30d", F.lit(0)) > 0
    is_metered = F.coalesce(F.col("meter_count") > 0, F.lit(False))
    first_seen = F.coalesce("metered_since", "supply_start_date")
    holds: dict[str, Column] = {
        "SEGMENT_FROM_FULL_HISTORY": has_segment,
        "NO_SEGMENT": ~has_segment & F.lit(has_segments),
        "SEGMENT_CHAMPION_MISSING": F.lit(not has_segments),
        "FORECAST_FROM_FULL_HISTORY": has_forecast & is_full,
        "FORECAST_FROM_SHORT_HISTORY": has_forecast & ~is_full,
        "NO_FORECAST": ~has_forecast & F.lit(has_forecasts),
        "FORECAST_CHAMPION_MISSING": F.lit(not has_forecasts),
        "NO_METER": ~is_metered,
        "NO_READINGS": is_metered & ~has_days,
        "FEW_KNOWN_DAYS": has_days & (F.col("days_known_30d") < FEW_KNOWN_DAYS),
        "LOW_COMPLETENESS": has_days & (F.col("completeness_30d") < LOW_COMPLETENESS),
        "HIGH_ESTIMATED_SHARE": F.col("estimated_share_30d") > HIGH_ESTIMATED_SHARE,
        "SUM_CHECK_FAILED": F.col("sum_check_failed_30d") > 0,
        "NEW_CUSTOMER": F.datediff(F.lit(as_of), first_seen) < NEW_CUSTOMER_DAYS,
    }
    return F.array_compact(F.array(*(F.when(condition, F.lit(code)) for code, condition in holds.items())))


def publication(
    as_of: date, slices: dict[str, DataFrame], forecasts_made: DataFrame, customers: DataFrame, time_zone: str
) -> DataFrame:
    """One row: as_of_date, published_at, table_rows, model_versions, and what table_rows is held against.

    `slices` are the published rows of the date by table name; forecasts_made and customers_known count what was to be
    published.
    """
    known = customers.where(F.col("valid_from") <= F.lit(as_of)).select("customer_key").distinct()
    every = _counted(_MADE, forecasts_made).unionByName(_counted(_KNOWN, known))
    for name, rows in slices.items():
        every = every.unionByName(_counted(name, rows))
    is_slice = ~F.col("name").isin(_MADE, _KNOWN)
    counts = F.collect_list(F.when(is_slice, F.struct("name", "row_count")))
    models = F.collect_list(F.when(is_slice, F.col("models")))
    return every.agg(
        F.lit(as_of).alias("as_of_date"),
        end_of_date(as_of, time_zone).alias("published_at"),
        F.map_from_entries(F.array_sort(counts)).alias("table_rows"),
        F.array_sort(F.array_distinct(F.flatten(models))).alias("model_versions"),
        *(F.max(F.when(F.col("name") == name, F.col("row_count"))).alias(name) for name in (_MADE, _KNOWN)),
    )


def slice_of(rows: DataFrame, table: Table, day: date) -> DataFrame:
    """The rows of a table in the slice of a date."""
    (column,) = table.partitioned_by
    return rows.where(F.col(column) == F.lit(day))


def _counted(name: str, rows: DataFrame) -> DataFrame:
    return rows.agg(
        F.lit(name).alias("name"),
        F.count("*").cast("int").alias("row_count"),
        _models(rows).alias("models"),
    )


def _models(rows: DataFrame) -> Column:
    names = [name for name in rows.columns if name.endswith("model_version")]
    if not names:
        return F.array().cast("array<string>")
    return F.flatten(F.array(*(F.collect_set(name) for name in names)))
