"""features.customer_months: a customer and a month, meter, bill, payment and complaint facts side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.window import Window

from jobs.transforms.changes import (
    DAY_FEEDS,
    OF_METERS,
    OF_READINGS,
    Facts,
    Touched,
    calendar_dates,
    ever_at_point,
    metered_dates,
    meters_since,
    union_of,
    weather_dates,
)
from jobs.transforms.metering import meter_periods
from jobs.transforms.weather import daily_weather, weather_around
from schemas import Table
from schemas.bills import BILLS, PAYMENTS
from schemas.complaints import COMPLAINTS
from schemas.features import CUSTOMER_DAYS, CUSTOMER_MONTHS
from schemas.metering_points import METERING_POINTS
from schemas.reference import WEATHER_HOURS
from schemas.versions import VERSIONS

MONTH_FEEDS = (*DAY_FEEDS, "bills", "payments", "complaints")

# a house is heated below and cooled above these daily means: the bases of China's design code for public buildings
HEATING_BASE_C, COOLING_BASE_C = 18.0, 26.0

_MONTH = "yyyy-MM"

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# what of a day its month is made of
_OF_DAY = ("customer_key", "usage_date", "kwh", "kwh_sharp", "kwh_peak", "kwh_flat", "kwh_valley", "peak_kw",
           "completeness", "estimated_share", "sum_check", "available_at")  # fmt: skip


@dataclass(frozen=True)
class MonthFacts:
    """What a customer's month is made of; `*_before` are values which gave way to others."""

    days: DataFrame
    bills: DataFrame
    bills_before: DataFrame
    payments: DataFrame
    payments_before: DataFrame
    complaints: DataFrame
    complaints_before: DataFrame
    points: DataFrame
    weather: DataFrame
    time_zone: str

    @classmethod
    def of(cls, read: Callable[[Table], DataFrame], time_zone: str) -> "MonthFacts":
        """All of them, by a function that reads a table."""
        return cls(
            days=read(CUSTOMER_DAYS),
            bills=read(BILLS),
            bills_before=read(VERSIONS[BILLS.name]),
            payments=read(PAYMENTS),
            payments_before=read(VERSIONS[PAYMENTS.name]),
            complaints=read(COMPLAINTS),
            complaints_before=read(VERSIONS[COMPLAINTS.name]),
            points=read(METERING_POINTS),
            weather=read(WEATHER_HOURS),
            time_zone=time_zone,
        )

    def of_months(self, months: Sequence[str]) -> "MonthFacts":
        """Facts of these months (YYYY-MM) alone: days of others are never read."""
        firsts = [date.fromisoformat(f"{month}-01") for month in months]
        lasts = [(first + timedelta(days=31)).replace(day=1) - timedelta(days=1) for first in firsts]
        in_months = F.lit(False)
        for first, last in zip(firsts, lasts, strict=True):
            in_months = in_months | F.col("usage_date").between(first, last)
        # wide enough for any time zone
        begins, ends = F.lit(min(firsts) - timedelta(days=1)), F.lit(max(lasts) + timedelta(days=2))
        return replace(
            self,
            days=self.days.where(in_months),
            complaints=self.complaints.where((F.col("accepted_at") >= begins) & (F.col("accepted_at") < ends)),
            weather=weather_around(self.weather, [*firsts, *lasts]),
        )


def month_of(day: Column | str) -> Column:
    """The month of a date, YYYY-MM."""
    return F.date_format(day, _MONTH)


def exact_sum(column: Column | str) -> Column:
    """A sum of numbers of at most six decimals which is the same in any order of the rows; null of nothing.

    Added up as whole millionths, which takes a tenth of the time of decimals.
    """
    number = F.col(column) if isinstance(column, str) else column
    millionths = F.sum(F.rint(number.cast("double") * 1e6).cast("long"))
    return millionths.cast("decimal(20,0)") * F.lit(Decimal("0.000001"))


def exact_mean(total: Column, count: Column) -> Column:
    """A share of two exact numbers, rounded to six decimals."""
    return F.round(total.cast("double") / count.cast("double"), 6)


# -- which months -----------------------------------------------------------------------------------------------------


def customer_months_touched(
    touched: Touched, facts: MonthFacts, day_facts: Facts, until: date, since: DataFrame | None = None
) -> DataFrame:
    """A customer and a month (customer_key, month) up to that of `until` which may depend on new deliveries.

    `day_facts` are what its days depend on, `since` their `meters_since` where those are worked out already. Months of
    which nothing is known may be among them. A payment belongs to the month of its bill, whenever it was paid.
    """
    if touched.everything:
        of_days = [facts.days.select("customer_key", month_of("usage_date").alias("month"))]
        bills, contacts = facts.bills, facts.complaints
    else:
        of_days = _months_of_days_touched(touched, day_facts, until, since)
        new_bills, new_payments = touched.of("bills"), touched.of("payments")
        ids = (
            new_bills.concerned(facts.bills, lambda: facts.bills_before, "bill_id")
            .unionByName(new_payments.rows(facts.payments).select("bill_id"))
            .unionByName(new_payments.replaced(facts.payments_before).select("bill_id"))
        )
        # every version of a bill: one that moved it to another month also touches the month it was in before
        names = ("bill_id", "customer_key", "bill_month")
        every = facts.bills.select(*names).unionByName(facts.bills_before.select(*names))
        bills = every.join(ids.distinct(), on="bill_id", how="left_semi")
        new_contacts = touched.of("complaints")
        of_contacts = ("customer_key", "accepted_at")
        contacts = (
            new_contacts.rows(facts.complaints)
            .select(*of_contacts)
            .unionByName(new_contacts.replaced(facts.complaints_before).select(*of_contacts))
        )
    parts = [
        *of_days,
        bills.select("customer_key", F.col("bill_month").alias("month")),
        contacts.select("customer_key", _local_month("accepted_at", facts.time_zone).alias("month")),
    ]
    return union_of(parts).where("customer_key IS NOT NULL AND month IS NOT NULL").distinct()


def _months_of_days_touched(touched: Touched, facts: Facts, until: date, since: DataFrame | None) -> list[DataFrame]:
    """Months of the days which `changes.customer_dates` would find, or more: of meters, places, and everybody."""
    parts = []
    if touched.has(*OF_READINGS):
        dates = metered_dates(touched, facts)
        months = dates.select("meter_id", month_of("usage_date").alias("month")).distinct()
        parts.append(_held_in(facts.periods.join(months, on="meter_id", how="inner")))
    if touched.has(*OF_METERS):
        since = meters_since(touched, facts) if since is None else since
        ever = ever_at_point(touched, facts)
        customers = (
            since.where(F.col("since") <= F.lit(until))
            .join(ever.select("point_id", "meter_id"), on="meter_id", how="inner")
            .join(ever.select("point_id", "customer_key"), on="point_id", how="inner")
            .groupBy("customer_key")
            .agg(F.min("since").alias("since"))
        )
        months = F.sequence(F.trunc("since", "month"), F.lit(until), F.expr("INTERVAL 1 MONTH"))
        parts.append(
            customers.select("customer_key", F.explode(months).alias("first")).select(
                "customer_key", month_of("first").alias("month")
            )
        )
    if touched.has("weather_hours"):
        dates = weather_dates(touched, facts).where(F.col("usage_date") <= F.lit(until))
        places = dates.select("prefecture", month_of("usage_date").alias("month")).distinct()
        parts.append(_held_in(facts.periods.join(F.broadcast(places), on="prefecture", how="inner")))
    if touched.has("calendar"):
        dates = calendar_dates(touched, facts, until)
        months = dates.select(month_of("usage_date").alias("month")).distinct()
        parts.append(_held_in(facts.periods.crossJoin(F.broadcast(months))))
    return parts


def _held_in(periods_and_months: DataFrame) -> DataFrame:
    """The customers and months of meter periods which reach into the month."""
    first = F.to_date(F.concat("month", F.lit("-01")))
    reaches = (F.col("starts_on") <= F.last_day(first)) & (F.col("ends_on") >= first)
    return periods_and_months.where(reaches).select("customer_key", "month")


def months_of(keys: DataFrame) -> list[str]:
    """The months of keys, in order: few whatever the number of customers."""
    return sorted(row.month for row in keys.select("month").distinct().collect())


def _local_month(instant: str, time_zone: str) -> Column:
    return month_of(F.from_utc_timestamp(instant, time_zone))


# -- what they hold ---------------------------------------------------------------------------------------------------


def customer_months(keys: DataFrame, facts: MonthFacts, add_up: Batches, sums: pa.Schema) -> DataFrame:
    """A customer and a month of `keys` of which a day, a bill or a contact is known.

    `add_up` adds up the days of a customer to `sums`. Expected are all dates of the month on which the customer has a
    meter.
    """
    joined = (
        keys.join(expected_dates(keys, facts.points), on=["customer_key", "month"], how="left")
        .join(usage_by_month(facts.days, add_up, sums), on=["customer_key", "month"], how="left")
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
        .where("days_known_at IS NOT NULL OR bills_known_at IS NOT NULL OR contacts_known_at IS NOT NULL")
        .select(*CUSTOMER_MONTHS.column_names)
    )


def usage_by_month(days: DataFrame, add_up: Batches, sums: pa.Schema) -> DataFrame:
    """A customer and a month: energy, peak and completeness of its days, as `sums` which `add_up` makes of them.

    Added up by the workers: as one aggregate of Spark it is too much code to be compiled.
    """
    return days.select(*_OF_DAY).repartition("customer_key").mapInArrow(add_up, from_arrow_schema(sums))


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
