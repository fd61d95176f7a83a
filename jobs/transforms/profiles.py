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
    joined = (
        customers_on(as_of, customers)
        .join(metering_on(as_of, points), on="customer_key", how="left")
        .join(usage_by_date(as_of, days), on="customer_key", how="left")
        .join(usage_by_month(as_of, months), on="customer_key", how="left")
        .join(contacts(as_of, complaints, time_zone), on="customer_key", how="left")
        .join(F.broadcast(tier_bounds(as_of, tariffs)), on="tariff_code", how="left")
    )
    joined = joined.withColumns(
        {
            **recent_shares(as_of),
            "kwh_365d": _sum_of_halves("kwh_365d_dates", "kwh_365d_months"),
            "kwh_year_to_date": _sum_of_halves("kwh_ytd_dates", "kwh_ytd_months"),
        }
    )
    used = F.coalesce("kwh_year_to_date", F.lit(0.0))
    counts = ("meter_count", "contact_count_12m", "complaint_count_12m")
    return joined.withColumns(
        {
            "as_of_date": F.lit(as_of),
            "scored_at": end_of_date(as_of, time_zone),
            "tier_no": F.size(F.filter("tier_bounds", lambda bound: bound <= used)),
            "bill_yuan_12m": F.coalesce("bill_yuan_12m", F.lit(0)),
            "arrears_yuan": F.coalesce("arrears_yuan", F.lit(0)),
            **{name: F.coalesce(name, F.lit(0)).cast("int") for name in counts},
        }
    ).select(*CUSTOMER_PROFILES.column_names)


def metering_on(as_of: date, points: DataFrame) -> DataFrame:
    """A customer that ever had a meter: county and prefecture (the first by name) and meter_count on the date.

    `metered_since` is the date of its first meter ever.
    """
    day = F.lit(as_of)
    holds = (F.col("starts_on") <= day) & (day < F.col("ends_on"))
    return (
        meter_periods(points)
        .groupBy("customer_key")
        .agg(
            F.min(F.when(holds, F.struct("prefecture", "county"))).alias("place"),
            F.count_distinct(F.when(holds, F.col("meter_id"))).alias("meter_count"),
            F.min("starts_on").alias("metered_since"),
        )
        .select("customer_key", "place.county", "place.prefecture", "meter_count", "metered_since")
    )


def usage_by_date(as_of: date, days: DataFrame) -> DataFrame:
    """A customer: its last 30 days, and of the year those dates which are in no whole month of it."""
    day = F.col("usage_date")
    recent_from, year_from = _recent_from(as_of), _year_from(as_of)
    recent = day.between(recent_from, as_of)
    in_year = _outside_whole_months(year_from, as_of)
    to_date = _outside_whole_months(as_of.replace(month=1, day=1), as_of)

    def recent_only(name: str) -> Column:
        return F.when(recent, F.col(name))

    return (
        days.where(recent | in_year | to_date)
        .groupBy("customer_key")
        .agg(
            exact_sum(recent_only("kwh")).cast("double").alias("kwh_30d"),
            exact_sum(recent_only("kwh_valley")).cast("double").alias("kwh_valley_30d"),
            F.max(recent_only("peak_kw")).alias("peak_kw_30d"),
            exact_sum(recent_only("completeness")).alias("completeness_sum"),
            exact_sum(recent_only("estimated_share")).alias("estimated_sum"),
            F.count(recent_only("kwh")).alias("days_known_30d"),
            F.count(recent_only("completeness")).alias("dates_with_row"),
            F.count_if(recent & (F.col("sum_check") == "failed")).alias("sum_check_failed_30d"),
            F.max(recent_only("available_at")).alias("available_at"),
            exact_sum(F.when(in_year, F.col("kwh"))).alias("kwh_365d_dates"),
            exact_sum(F.when(to_date, F.col("kwh"))).alias("kwh_ytd_dates"),
        )
    )


def recent_shares(as_of: date) -> dict[str, Column]:
    """Columns over `usage_by_date` and `metered_since`: shares of the last 30 days.

    Dates without any reading count as not known, from the customer's first meter on.
    """
    first = F.lit(_recent_from(as_of))
    metered = F.datediff(F.lit(as_of), F.greatest(F.coalesce("metered_since", first), first)) + 1
    dates = F.greatest(metered, F.col("dates_with_row"), F.lit(1))
    valley = F.round(F.col("kwh_valley_30d") / F.col("kwh_30d"), 6)
    return {
        "completeness_30d": exact_mean(F.coalesce("completeness_sum", F.lit(0)), dates),
        "estimated_share_30d": exact_mean(F.coalesce("estimated_sum", F.lit(0)), dates),
        "valley_share_30d": F.when(F.col("kwh_30d") > 0, valley),
    }


def usage_by_month(as_of: date, months: DataFrame) -> DataFrame:
    """A customer: energy of the year's whole months, bill_yuan_12m of the twelve months up to the date's, arrears.

    Whole months come added up, so that a year costs the days of two months at most.
    """
    month = F.col("month")
    first = as_of.replace(day=1)
    for _ in range(YEAR_MONTHS - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    billed = month.between(f"{first:%Y-%m}", f"{as_of:%Y-%m}")
    in_year = month.isin(_whole_months(_year_from(as_of), as_of))
    to_date = month.isin(_whole_months(as_of.replace(month=1, day=1), as_of))
    overdue = F.col("due_date") < F.lit(as_of)
    return months.groupBy("customer_key").agg(
        exact_sum(F.when(in_year, F.col("kwh"))).alias("kwh_365d_months"),
        exact_sum(F.when(to_date, F.col("kwh"))).alias("kwh_ytd_months"),
        F.sum(F.when(billed, F.col("bill_yuan"))).alias("bill_yuan_12m"),
        F.sum(F.when(overdue, F.col("unpaid_yuan"))).alias("arrears_yuan"),
    )


def _sum_of_halves(one: str, other: str) -> Column:
    nothing = F.lit(0)
    total = (F.coalesce(one, nothing) + F.coalesce(other, nothing)).cast("double")
    return F.when(F.coalesce(one, other).isNotNull(), total)


def _recent_from(as_of: date) -> date:
    return as_of - timedelta(days=RECENT_DAYS - 1)


def _year_from(as_of: date) -> date:
    return as_of - timedelta(days=YEAR_DAYS - 1)


def _outside_whole_months(first: date, last: date) -> Column:
    """Whether a date lies between the two, both included, and in no whole month between them."""
    dated = F.col("usage_date").between(first, last)
    whole = _whole_months(first, last)
    if not whole:
        return dated
    after = _next_month(date.fromisoformat(f"{whole[-1]}-01"))
    return dated & ~F.col("usage_date").between(date.fromisoformat(f"{whole[0]}-01"), after - timedelta(days=1))


def _whole_months(first: date, last: date) -> list[str]:
    month = first if first.day == 1 else _next_month(first)
    whole = []
    while _next_month(month) - timedelta(days=1) <= last:
        whole.append(f"{month:%Y-%m}")
        month = _next_month(month)
    return whole


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


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
