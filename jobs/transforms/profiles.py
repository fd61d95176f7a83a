"""mart.customer_profiles: a customer on a date."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.transforms.customer_months import exact_mean, exact_sum
from jobs.transforms.metering import NEVER, customers_on, meter_periods
from schemas.mart import CUSTOMER_PROFILES

RECENT_DAYS = 30
YEAR_DAYS = 365
YEAR_MONTHS = 12


def end_of_date(day: date, time_zone: str) -> Column:
    """The instant, UTC, at which a local date ends: what a run for the date may know."""
    midnight = F.lit(f"{day + timedelta(days=1)} 00:00:00").cast("timestamp")
    return F.to_utc_timestamp(midnight, time_zone)


def customer_profiles(
    as_of: date,
    *,
    customers: DataFrame,
    points: DataFrame,
    days: DataFrame,
    months: DataFrame,
    complaints: DataFrame,
    tariffs: DataFrame,
    time_zone: str,
) -> DataFrame:
    """A customer known on `as_of`, with or without data, in exactly one row."""
    held = customers_on(as_of, customers)
    joined = (
        held.join(places(as_of, points), on="customer_key", how="left")
        .join(recent_usage(as_of, days, points), on="customer_key", how="left")
        .join(usage_between(as_of - timedelta(days=YEAR_DAYS - 1), as_of, days, months, "kwh_365d"),
              on="customer_key", how="left")
        .join(usage_between(as_of.replace(month=1, day=1), as_of, days, months, "kwh_year_to_date"),
              on="customer_key", how="left")
        .join(billed(as_of, months), on="customer_key", how="left")
        .join(contacts(as_of, complaints, time_zone), on="customer_key", how="left")
        .join(F.broadcast(tier_bounds(as_of, tariffs)), on="tariff_code", how="left")
    )  # fmt: skip
    used = F.coalesce("kwh_year_to_date", F.lit(0.0))
    counts = ("meter_count", "contact_count_12m", "complaint_count_12m")
    return joined.withColumns(
        {
            "as_of_date": F.lit(as_of),
            "scored_at": end_of_date(as_of, time_zone),
            "tier_no": F.size(F.filter("tier_bounds", lambda bound: bound <= used)),
            "completeness_30d": F.coalesce("completeness_30d", F.lit(0.0)),
            "estimated_share_30d": F.coalesce("estimated_share_30d", F.lit(0.0)),
            "bill_yuan_12m": F.coalesce("bill_yuan_12m", F.lit(0)),
            "arrears_yuan": F.coalesce("arrears_yuan", F.lit(0)),
            **{name: F.coalesce(name, F.lit(0)).cast("int") for name in counts},
        }
    ).select(*CUSTOMER_PROFILES.column_names)


def places(as_of: date, points: DataFrame) -> DataFrame:
    """A customer with a meter on the date: county, prefecture (the first by name), meter_count."""
    day = F.lit(as_of)
    held = meter_periods(points).where((F.col("starts_on") <= day) & (day < F.col("ends_on")))
    return held.groupBy("customer_key").agg(
        F.min(F.struct("prefecture", "county")).alias("place"), F.count_distinct("meter_id").alias("meter_count")
    ).select("customer_key", "place.county", "place.prefecture", "meter_count")  # fmt: skip


def recent_usage(as_of: date, days: DataFrame, points: DataFrame) -> DataFrame:
    """A customer: its last 30 days. Dates without any reading count as not known, from its first meter on."""
    first = as_of - timedelta(days=RECENT_DAYS - 1)
    usage = (
        days.where(F.col("usage_date").between(first, as_of))
        .groupBy("customer_key")
        .agg(
            exact_sum("kwh").cast("double").alias("kwh_30d"),
            exact_sum("kwh_valley").cast("double").alias("kwh_valley_30d"),
            F.max("peak_kw").alias("peak_kw_30d"),
            exact_sum("completeness").alias("completeness_sum"),
            exact_sum("estimated_share").alias("estimated_sum"),
            F.count("kwh").alias("days_known_30d"),
            F.count("*").alias("dates_with_row"),
            F.count_if(F.col("sum_check") == "failed").alias("sum_check_failed_30d"),
            F.max("available_at").alias("available_at"),
        )
    )
    since = points.groupBy("customer_key").agg(F.min("installed_from").alias("metered_since"))
    metered = F.datediff(F.lit(as_of), F.greatest(F.coalesce("metered_since", F.lit(first)), F.lit(first))) + 1
    dates = F.greatest(metered, F.col("dates_with_row"))
    return usage.join(since, on="customer_key", how="left").select(
        "customer_key",
        "kwh_30d",
        "peak_kw_30d",
        F.when(F.col("kwh_30d") > 0, F.round(F.col("kwh_valley_30d") / F.col("kwh_30d"), 6)).alias("valley_share_30d"),
        exact_mean(F.col("completeness_sum"), dates).alias("completeness_30d"),
        exact_mean(F.col("estimated_sum"), dates).alias("estimated_share_30d"),
        "days_known_30d",
        "sum_check_failed_30d",
        "metered_since",
        "available_at",
    )


def usage_between(first: date, last: date, days: DataFrame, months: DataFrame, name: str) -> DataFrame:
    """A customer: its energy from `first` to `last`, both included, as column `name`.

    Whole months come added up, so that a year costs the days of two months at most.
    """
    whole = _whole_months(first, last)
    dated = F.col("usage_date").between(first, last)
    if whole:
        after = _next_month(date.fromisoformat(f"{whole[-1]}-01"))
        inside = F.col("usage_date").between(date.fromisoformat(f"{whole[0]}-01"), after - timedelta(days=1))
        dated = dated & ~inside
    of_months = months.where(F.col("month").isin(whole)).select("customer_key", "kwh")
    of_days = days.where(dated).select("customer_key", "kwh")
    both = of_months.unionByName(of_days)
    return both.groupBy("customer_key").agg(exact_sum("kwh").cast("double").alias(name))


def _whole_months(first: date, last: date) -> list[str]:
    month = first if first.day == 1 else _next_month(first)
    whole = []
    while _next_month(month) - timedelta(days=1) <= last:
        whole.append(f"{month:%Y-%m}")
        month = _next_month(month)
    return whole


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def billed(as_of: date, months: DataFrame) -> DataFrame:
    """A customer: bill_yuan_12m of the twelve months up to the date's, and arrears_yuan of all months."""
    first = as_of.replace(day=1)
    for _ in range(YEAR_MONTHS - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    in_year = F.col("month").between(f"{first:%Y-%m}", f"{as_of:%Y-%m}")
    overdue = F.col("due_date") < F.lit(as_of)
    return months.groupBy("customer_key").agg(
        F.sum(F.when(in_year, F.col("bill_yuan"))).alias("bill_yuan_12m"),
        F.sum(F.when(overdue, F.col("unpaid_yuan"))).alias("arrears_yuan"),
    )


def contacts(as_of: date, complaints: DataFrame, time_zone: str) -> DataFrame:
    """A customer: its work orders of the last twelve months, and the category of the latest one ever."""
    until = end_of_date(as_of, time_zone)
    in_year = F.col("accepted_at") >= F.add_months(until, -YEAR_MONTHS)
    latest = F.max(F.struct("accepted_at", "work_order_id", "category"))
    return (
        complaints.where(F.col("accepted_at") < until)
        .groupBy("customer_key")
        .agg(
            F.count_if(in_year).alias("contact_count_12m"),
            F.count_if(in_year & (F.col("category") == "complaint")).alias("complaint_count_12m"),
            latest.alias("latest"),
        )
        .select("*", F.col("latest.category").alias("last_contact_category"))
        .drop("latest")
    )


def tier_bounds(as_of: date, tariffs: DataFrame) -> DataFrame:
    """A tiered tariff on the date: tariff_code, tier_bounds = annual kWh from which each step's price holds."""
    tiered = tariffs.where("tariff_kind = 'tiered'")
    day = F.lit(as_of)
    valid = (F.col("valid_from") <= day) & (day <= F.coalesce("valid_to", F.lit(NEVER)))
    latest = Window.partitionBy("tariff_code").orderBy(F.desc("valid_from"))
    held = tiered.where(valid).withColumn("place", F.rank().over(latest)).where("place = 1")
    bounds = F.array_sort(F.collect_set(F.coalesce("tier_from_kwh", F.lit(0.0))))
    return held.groupBy("tariff_code").agg(bounds.alias("tier_bounds"))
