"""features.customer_months: a customer and a month, meter, bill, payment and complaint facts side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.transforms.changes import DAY_FEEDS, Touched
from jobs.transforms.customer_days import daily_weather
from jobs.transforms.metering import meter_periods
from schemas import Table
from schemas.bills import BILLS, PAYMENTS
from schemas.complaints import COMPLAINTS
from schemas.features import CUSTOMER_DAYS, CUSTOMER_MONTHS
from schemas.metering_points import METERING_POINTS
from schemas.reference import WEATHER_HOURS

MONTH_FEEDS = (*DAY_FEEDS, "bills", "payments", "complaints")

# a house is heated below and cooled above these daily means: the bases of China's design code for public buildings
HEATING_BASE_C, COOLING_BASE_C = 18.0, 26.0

_PERIODS = ("kwh_sharp", "kwh_peak", "kwh_flat", "kwh_valley")
_MONTH = "yyyy-MM"


@dataclass(frozen=True)
class MonthFacts:
    """What a customer's month is made of."""

    days: DataFrame
    bills: DataFrame
    payments: DataFrame
    complaints: DataFrame
    points: DataFrame
    weather: DataFrame
    time_zone: str

    @classmethod
    def of(cls, read: Callable[[Table], DataFrame], time_zone: str) -> "MonthFacts":
        """All of them, by a function that reads a table."""
        return cls(
            days=read(CUSTOMER_DAYS),
            bills=read(BILLS),
            payments=read(PAYMENTS),
            complaints=read(COMPLAINTS),
            points=read(METERING_POINTS),
            weather=read(WEATHER_HOURS),
            time_zone=time_zone,
        )


def month_of(day: Column | str) -> Column:
    """The month of a date, YYYY-MM."""
    return F.date_format(day, _MONTH)


def exact_sum(column: Column | str) -> Column:
    """A sum of numbers of at most six decimals which is the same in any order of the rows; null of nothing."""
    return F.sum(F.col(column).cast("decimal(26,6)") if isinstance(column, str) else column.cast("decimal(26,6)"))


def exact_mean(total: Column, count: Column) -> Column:
    """A share of two exact numbers, rounded to six decimals."""
    return F.round(total.cast("double") / count.cast("double"), 6)


# -- which months -----------------------------------------------------------------------------------------------------


def customer_months_touched(touched: Touched, customer_dates: DataFrame, facts: MonthFacts) -> DataFrame:
    """A customer and a month (customer_key, month) which depends on new deliveries.

    `customer_dates` are the days which do. A payment belongs to the month of its bill, whenever it was paid.
    """
    # every version of a bill: one that moved it to another month also touches the month it was in before
    versions = facts.bills.select("bill_id", "customer_key", F.col("bill_month").alias("month"))
    if touched.everything:
        bills, contacts = versions, facts.complaints
    else:
        new_bills = touched.of("bills").rows(facts.bills).select("bill_id")
        new_payments = touched.of("payments").rows(facts.payments).select("bill_id")
        bills = versions.join(new_bills.unionByName(new_payments).distinct(), on="bill_id", how="left_semi")
        contacts = touched.of("complaints").rows(facts.complaints)
    of_contacts = contacts.select("customer_key", _local_month("accepted_at", facts.time_zone).alias("month"))
    return (
        customer_dates.select("customer_key", month_of("usage_date").alias("month"))
        .unionByName(bills.select("customer_key", "month"))
        .unionByName(of_contacts)
        .where("customer_key IS NOT NULL AND month IS NOT NULL")
        .distinct()
    )


def first_and_last_date(keys: DataFrame) -> tuple[date, date] | None:
    """The first date of the first and the last date of the last month; None of no months."""
    first = F.to_date(F.concat("month", F.lit("-01")))
    low, high = keys.agg(F.min(first), F.max(F.last_day(first))).collect()[0]
    return None if low is None else (low, high)


def _local_month(instant: str, time_zone: str) -> Column:
    return month_of(F.from_utc_timestamp(instant, time_zone))


# -- what they hold ---------------------------------------------------------------------------------------------------


def customer_months(keys: DataFrame, facts: MonthFacts, between: tuple[date, date]) -> DataFrame:
    """A customer and a month of `keys`. Expected are all dates of the month on which the customer has a meter.

    `between` bounds the dates of all keys, so that days of other months are not read.
    """
    first, last = between
    days = facts.days.where(F.col("usage_date").between(first, last))
    joined = (
        keys.join(expected_dates(keys, facts.points), on=["customer_key", "month"], how="left")
        .join(usage_by_month(days), on=["customer_key", "month"], how="left")
        .join(bills_by_month(facts.bills, facts.payments), on=["customer_key", "month"], how="left")
        .join(contacts_by_month(facts.complaints, facts.time_zone), on=["customer_key", "month"], how="left")
        .join(F.broadcast(degree_days(facts.weather, facts.time_zone)), on=["prefecture", "month"], how="left")
    )
    dates = F.greatest(F.col("expected_dates"), F.col("dates_with_row"), F.lit(1))
    counts = ("days_known", "sum_check_failed_days", "bill_count", "complaint_count", "fault_repair_count",
              "enquiry_count", "contact_count")  # fmt: skip
    received = [name for name in joined.columns if name.endswith("_known_at")]
    return (
        joined.withColumns(
            {
                "completeness": F.least(exact_mean(F.coalesce("completeness_sum", F.lit(0)), dates), F.lit(1.0)),
                "estimated_share": F.least(exact_mean(F.coalesce("estimated_sum", F.lit(0)), dates), F.lit(1.0)),
                "available_at": F.greatest(*received),
                **{name: F.coalesce(name, F.lit(0)).cast("int") for name in counts},
            }
        )
        .where("available_at IS NOT NULL")
        .select(*CUSTOMER_MONTHS.column_names)
    )


def usage_by_month(days: DataFrame) -> DataFrame:
    """A customer and a month: energy, peak and completeness of its days."""
    return days.groupBy("customer_key", month_of("usage_date").alias("month")).agg(
        F.count("kwh").alias("days_known"),
        F.count("*").alias("dates_with_row"),
        *(exact_sum(name).cast("double").alias(name) for name in ("kwh", *_PERIODS)),
        F.max("peak_kw").alias("peak_kw"),
        exact_sum("completeness").alias("completeness_sum"),
        exact_sum("estimated_share").alias("estimated_sum"),
        F.count_if(F.col("sum_check") == "failed").alias("sum_check_failed_days"),
        F.max("available_at").alias("days_known_at"),
    )


def expected_dates(keys: DataFrame, points: DataFrame) -> DataFrame:
    """A customer and a month of `keys`: dates from its first to its last meter in the month, and its prefecture."""
    held = (
        meter_periods(points)
        .groupBy("customer_key")
        .agg(
            F.min("starts_on").alias("starts_on"),
            F.max("ends_on").alias("ends_on"),
            F.min("prefecture").alias("prefecture"),
            F.max("point_received_at").alias("points_known_at"),
        )
    )
    first = F.to_date(F.concat("month", F.lit("-01")))
    begins, ends = F.greatest(first, "starts_on"), F.least(F.add_months(first, 1), "ends_on")
    return keys.join(held, on="customer_key", how="inner").select(
        "customer_key",
        "month",
        "prefecture",
        F.greatest(F.datediff(ends, begins), F.lit(0)).alias("expected_dates"),
        "points_known_at",
    )


def latest_bills(bills: DataFrame) -> DataFrame:
    """A bill in its highest version, with `holds`: a cancelled one is owed by nobody, yet it is a fact of its month."""
    order = Window.partitionBy("bill_id").orderBy(F.desc("bill_version"))
    latest = bills.withColumn("place", F.row_number().over(order)).where("place = 1").drop("place")
    return latest.withColumn("holds", F.coalesce(F.col("status") == "issued", F.lit(False)))


def bills_by_month(bills: DataFrame, payments: DataFrame) -> DataFrame:
    """A customer and a month: its bills that hold and what was paid on them.

    What is unpaid of one bill is not made good by overpaying another.
    """
    paid = payments.groupBy("bill_id").agg(
        F.sum("amount_yuan").alias("paid_yuan"),
        F.max("paid_at").alias("last_paid_at"),
        F.max("received_at").alias("payment_received_at"),
    )
    nothing = F.lit(0).cast("decimal(18,2)")
    each = (
        latest_bills(bills)
        .join(paid, on="bill_id", how="left")
        .withColumn("unpaid", F.greatest(F.col("total_yuan") - F.coalesce("paid_yuan", nothing), nothing))
    )
    held = {
        name: F.when(F.col("holds"), F.col(name))
        for name in ("total_kwh", "total_yuan", "read_kind", "paid_yuan", "unpaid", "due_date")
    }
    owed = each.withColumns(held)
    days_to_pay = F.when(F.col("unpaid") == 0, F.datediff("last_paid_at", "issued_at"))
    return owed.groupBy("customer_key", F.col("bill_month").alias("month")).agg(
        F.count_if("holds").alias("bill_count"),
        exact_sum("total_kwh").cast("double").alias("bill_kwh"),
        F.sum("total_yuan").alias("bill_yuan"),
        F.max(F.col("read_kind") == "estimated").alias("is_estimated_bill"),
        F.sum(F.when(F.col("holds"), F.coalesce("paid_yuan", nothing))).alias("paid_yuan"),
        F.sum("unpaid").alias("unpaid_yuan"),
        F.max(F.when(F.col("unpaid") > 0, F.col("due_date"))).alias("due_date"),
        exact_mean(F.sum(days_to_pay), F.count(days_to_pay)).alias("days_to_pay"),
        F.max(F.greatest("received_at", "payment_received_at")).alias("bills_known_at"),
    )


def contacts_by_month(complaints: DataFrame, time_zone: str) -> DataFrame:
    """A customer and a month: work orders accepted in it, by category."""
    category = F.col("category")
    return complaints.groupBy("customer_key", _local_month("accepted_at", time_zone).alias("month")).agg(
        F.count_if(category == "complaint").alias("complaint_count"),
        F.count_if(category == "fault_repair").alias("fault_repair_count"),
        F.count_if(category == "enquiry").alias("enquiry_count"),
        F.count("*").alias("contact_count"),
        exact_mean(F.sum("satisfaction"), F.count("satisfaction")).alias("satisfaction_mean"),
        F.max("received_at").alias("contacts_known_at"),
    )


def degree_days(weather: DataFrame, time_zone: str) -> DataFrame:
    """A place and a month: prefecture, month, how much heating and cooling its dates asked for."""
    mean = F.col("temperature_c")
    nothing = F.lit(0.0)
    return (
        daily_weather(weather, time_zone)
        .groupBy("prefecture", month_of("usage_date").alias("month"))
        .agg(
            exact_sum(F.greatest(HEATING_BASE_C - mean, nothing)).cast("double").alias("heating_degree_days"),
            exact_sum(F.greatest(mean - COOLING_BASE_C, nothing)).cast("double").alias("cooling_degree_days"),
        )
    )
