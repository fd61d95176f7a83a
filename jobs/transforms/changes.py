"""What depends on new deliveries: meters, customers, dates and months whose features are to be made again.

Every function looks at the rows which the deliveries brought and are still held, never at the history: cost follows
the delivery. Only of a delivery which cancels others the rows which it took away are looked for in the versions, where
each says what it was replaced by. `delivery_ids` are those of one feed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Protocol

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.transforms.metering import NEVER, holds_on, meter_periods
from jobs.transforms.weather import weather_around
from schemas import Table
from schemas.customers import CUSTOMERS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.reference import CALENDAR, CLASS_PROFILES, TARIFFS, WEATHER_HOURS
from schemas.register_readings import REGISTER_READINGS
from schemas.validated_days import REVALIDATED_DAYS, VALIDATED_DAYS
from schemas.versions import VERSIONS

# the feeds on which a customer's day depends, and what was validated anew beside them
DAY_FEEDS = (
    "validated_days",
    "meter_days",
    "register_readings",
    "metering_points",
    "customers",
    "tariffs",
    "weather_hours",
    "calendar",
)


@dataclass(frozen=True)
class Facts:
    """The tables on which a customer's day depends, and the time zone of its local dates.

    `validated` are the meter days on which everything is made; `revalidated` names those which were made again beside
    the ones that deliveries name. `periods` are the customers' meter periods of `points`. `points_before` and
    `customers_before` are values which gave way to others: what a correction took from whom. `before` reads such values
    of any table, where a cancellation needs them.
    """

    meter_days: DataFrame
    validated: DataFrame
    revalidated: DataFrame
    readings: DataFrame
    points: DataFrame
    points_before: DataFrame
    periods: DataFrame
    customers: DataFrame
    customers_before: DataFrame
    tariffs: DataFrame
    class_profiles: DataFrame
    weather: DataFrame
    calendar: DataFrame
    time_zone: str
    before: Callable[[Table], DataFrame]

    @classmethod
    def of(cls, read: Callable[[Table], DataFrame], time_zone: str) -> "Facts":
        """All of them, by a function that reads a table."""
        points = read(METERING_POINTS)
        return cls(
            meter_days=read(METER_DAYS),
            validated=read(VALIDATED_DAYS),
            revalidated=read(REVALIDATED_DAYS),
            readings=read(REGISTER_READINGS),
            points=points,
            points_before=read(VERSIONS[METERING_POINTS.name]),
            periods=meter_periods(points),
            customers=read(CUSTOMERS),
            customers_before=read(VERSIONS[CUSTOMERS.name]),
            tariffs=read(TARIFFS),
            class_profiles=read(CLASS_PROFILES),
            weather=read(WEATHER_HOURS),
            calendar=read(CALENDAR),
            time_zone=time_zone,
            before=lambda table: read(VERSIONS[table.name]),
        )

    def of_meters(self, keys: DataFrame) -> "Facts":
        """Facts of the meters of these customers and dates alone (customer_key, usage_date), with the day before."""
        wanted = keys.join(self.periods, on="customer_key", how="inner").where(holds_on(F.col("usage_date")))
        pairs = wanted.select("meter_id", F.col("usage_date").alias("read_date")).distinct()
        before = pairs.select("meter_id", F.date_sub("read_date", 1).alias("read_date"))
        return replace(
            self,
            meter_days=self.meter_days.join(pairs, on=["meter_id", "read_date"], how="left_semi"),
            validated=self.validated.join(pairs, on=["meter_id", "read_date"], how="left_semi"),
            readings=self.readings.join(pairs.union(before), on=["meter_id", "read_date"], how="left_semi"),
        )

    def since(self, first: date) -> "Facts":
        """Facts whose meter days are those from a date on."""
        is_since = F.col("read_date") >= F.lit(first)
        return replace(self, meter_days=self.meter_days.where(is_since), validated=self.validated.where(is_since))

    def with_periods(self, periods: DataFrame) -> "Facts":
        """The facts with meter periods which were worked out before."""
        return replace(self, periods=periods)

    def on(self, dates: Sequence[date]) -> "Facts":
        """Facts of these dates alone, with the registers of the dates before: other files are never opened."""
        wanted = sorted(dates)
        if not wanted:
            nothing = {name: getattr(self, name).limit(0) for name in ("meter_days", "validated", "readings")}
            return replace(self, **nothing)
        before = {day - timedelta(days=1) for day in wanted}
        return replace(
            self,
            meter_days=self.meter_days.where(F.col("read_date").isin(wanted)),
            validated=self.validated.where(F.col("read_date").isin(wanted)),
            readings=self.readings.where(F.col("read_date").isin(sorted({*wanted, *before}))),
            weather=weather_around(self.weather, wanted),
            calendar=self.calendar.where(F.col("calendar_date").isin(wanted)),
        )


@dataclass(frozen=True)
class Delivered:
    """New deliveries of one feed and the local dates of the rows which they changed (where its rows have dates)."""

    delivery_ids: tuple[str, ...] = ()
    dates: tuple[date, ...] = ()
    # those of the deliveries which cancel others
    cancelling: tuple[str, ...] = ()

    def rows(self, table: DataFrame) -> DataFrame:
        """The rows of a table which these deliveries brought."""
        return table.where(F.col("delivery_id").isin(list(self.delivery_ids)))

    def replaced(self, versions: DataFrame) -> DataFrame:
        """The rows which gave way to a value of these deliveries, of the table's versions."""
        return versions.where(F.col("replaced_by").isin(list(self.delivery_ids)))

    def concerned(self, rows: DataFrame, before: Callable[[], DataFrame], *names: str) -> DataFrame:
        """These columns of the rows which the deliveries brought, and of those which they took away by cancelling.

        `rows` are the table's, `before` reads its versions.
        """
        brought = self.rows(rows).select(*names)
        return brought.unionByName(self.taken_away(before()).select(*names)) if self.cancelling else brought

    def taken_away(self, versions: DataFrame) -> DataFrame:
        """The rows which deliveries that cancel others took away or replaced, of the table's versions."""
        return versions.where(F.col("replaced_by").isin(list(self.cancelling)))


NOTHING = Delivered()

# what a row of a metering point says of its meter's energy, apart from when it ends
_ON_POINT = (
    "point_kind",
    "meter_id",
    "multiplier",
    "customer_key",
    "district_id",
    "feeder_id",
    "county",
    "prefecture",
)
# what a row of a customer says that its meters' days depend on
_TERMS = ("tariff_code", "usage_class", "contract_capacity_kva")
# before any reading
_ALWAYS = "0001-01-01"


@dataclass(frozen=True)
class Touched:
    """New deliveries by feed; `everything` when the derived table does not exist yet."""

    by_feed: Mapping[str, Delivered] = field(default_factory=dict)
    everything: bool = False

    def of(self, feed: str) -> Delivered:
        """What is new of a feed."""
        return self.by_feed.get(feed, NOTHING)

    @property
    def dates(self) -> tuple[date, ...]:
        """Local dates of all rows which the deliveries changed."""
        return tuple(sorted({day for new in self.by_feed.values() for day in new.dates}))

    def has(self, *feeds: str) -> bool:
        """Whether any of the feeds has new deliveries."""
        return any(self.of(feed).delivery_ids for feed in feeds)

    @property
    def takes_away(self) -> bool:
        """Whether any of the deliveries cancels others, whose rows may be the only ones of a day or month."""
        return any(new.cancelling for new in self.by_feed.values())


class Change(Protocol):
    """A loaded delivery."""

    @property
    def feed(self) -> str:
        """Its feed."""

    @property
    def delivery_id(self) -> str:
        """Its id."""

    @property
    def touched_dates(self) -> Collection[date]:
        """Local dates of the rows which it changed; none where its rows have no dates."""

    @property
    def rows(self) -> int:
        """Rows which its manifest states; 0 where there is none."""

    @property
    def cancels(self) -> Collection[str]:
        """Deliveries whose rows it took away."""


def touched_by(changes: Sequence[Change], *, everything: bool) -> Touched:
    """Sort new deliveries by feed."""
    ids: dict[str, list[str]] = {}
    dates: dict[str, set[date]] = {}
    cancelling: dict[str, list[str]] = {}
    for change in changes:
        ids.setdefault(change.feed, []).append(change.delivery_id)
        dates.setdefault(change.feed, set()).update(change.touched_dates)
        if change.cancels:
            cancelling.setdefault(change.feed, []).append(change.delivery_id)
    return Touched(
        {
            feed: Delivered(tuple(sorted(ids[feed])), tuple(sorted(dates[feed])), tuple(cancelling.get(feed, ())))
            for feed in ids
        },
        everything,
    )


# a row of these feeds changes the days of some meters from a date on
OF_METERS = ("metering_points", "customers", "tariffs")
# a row of these feeds changes the days which it names
OF_READINGS = ("validated_days", "meter_days", "register_readings")
# a row of these feeds changes many days
FAR_REACHING = (*OF_METERS, "calendar")
# a row of these feeds concerns meters whose number it does not tell
_OF_EVERYBODY = ("calendar", "class_profiles")


def rows_touched(changes: Sequence[Change]) -> int | None:
    """How many rows the deliveries brought; None where one does not say or cancels others, or concerns everybody."""
    tells = all(change.rows and change.feed not in _OF_EVERYBODY and not change.cancels for change in changes)
    return sum(change.rows for change in changes) if tells else None


def metered_dates(touched: Touched, facts: Facts) -> DataFrame:
    """A meter and a date (meter_id, usage_date) on which a new reading has a say, or which was validated anew.

    A register reading says how much was used before it and how much after it: its own date and the next one.
    """
    again = touched.of("validated_days")
    new_days, new_readings = touched.of("meter_days"), touched.of("register_readings")
    of_days = _of_dates(new_days, facts.meter_days, lambda: facts.before(METER_DAYS)).select("meter_id", "read_date")
    of_readings = _of_dates(new_readings, facts.readings, lambda: facts.before(REGISTER_READINGS)).select(
        "meter_id", F.explode(F.array("read_date", F.date_add("read_date", 1))).alias("read_date")
    )
    parts = [of_days, of_readings]
    if again.delivery_ids:
        anew = facts.revalidated.where(F.col("revalidation_id").isin(list(again.delivery_ids)))
        parts.append(anew.select("meter_id", "read_date"))
    return union_of(parts).withColumnRenamed("read_date", "usage_date").distinct()


def _of_dates(new: Delivered, rows: DataFrame, before: Callable[[], DataFrame]) -> DataFrame:
    return new.concerned(rows, before, "meter_id", "read_date").where(F.col("read_date").isin(list(new.dates)))


def reading_dates(touched: Touched) -> list[date]:
    """Dates which `metered_dates` can hold, known without looking at rows."""
    of_readings = touched.of("register_readings").dates
    of_days = {*touched.of("meter_days").dates, *touched.of("validated_days").dates}
    return sorted({*of_days, *of_readings, *(day + timedelta(days=1) for day in of_readings)})


def meters_since(touched: Touched, facts: Facts) -> DataFrame:
    """A meter and the date (meter_id, since) from which master data changed something about its energy.

    A new or corrected row of a metering point concerns all meters that the point has or had, from its `installed_from`
    on, or from the end of the installation where only that was corrected; new terms of a customer (tariff, usage class,
    capacity), and a new version of a tariff, concern the meters of those who have them, from their installation on.
    """
    held = ever_at_point(touched, facts)
    parts = []
    if touched.has("metering_points"):
        dated = _points_changed(touched.of("metering_points"), facts)
        parts.append(held.join(dated, on="point_id", how="inner").select("meter_id", "since"))
    if touched.has("customers"):
        parts.append(_meters_of(_terms_changed(touched, facts), held))
    if touched.has("tariffs"):
        new = touched.of("tariffs")
        lines = new.concerned(facts.tariffs, lambda: facts.before(TARIFFS), "tariff_code", "valid_from")
        codes = lines.groupBy("tariff_code").agg(F.min("valid_from").alias("since"))
        holders = facts.customers.select("customer_key", "tariff_code").distinct()
        parts.append(_meters_of(holders.join(codes, on="tariff_code", how="inner"), held))
    return union_of(parts).groupBy("meter_id").agg(F.min("since").alias("since"))


def _points_changed(new: Delivered, facts: Facts) -> DataFrame:
    """A point and the date (point_id, since) from which a new or corrected row says something else than before."""
    key = ("point_id", "installed_from")
    before = new.replaced(facts.points_before).select(
        *key, F.col("installed_to").alias("ended_on"), *(F.col(name).alias(f"{name}_before") for name in _ON_POINT)
    )
    rows = new.rows(facts.points).join(before, on=list(key), how="left")
    only_end = F.col("meter_id_before").isNotNull()
    for name in _ON_POINT:
        only_end = only_end & F.col(name).eqNullSafe(F.col(f"{name}_before"))
    ends = F.least(*(F.coalesce(name, F.lit(NEVER)) for name in ("installed_to", "ended_on")))
    since = F.when(only_end, ends).otherwise(F.col("installed_from"))
    changed = rows.select("point_id", since.alias("since")).where(F.col("since") < F.lit(NEVER))
    if not new.cancelling:
        return changed
    gone = new.taken_away(facts.points_before).select("point_id", F.col("installed_from").alias("since"))
    return changed.unionByName(gone)


def reach(since: DataFrame, until: date) -> tuple[date, int]:
    """The first date which `meters_since` concern, and about how many meter days there can be up to `until`."""
    first, days = since.agg(F.min("since"), F.sum(F.datediff(F.lit(until), F.least("since", F.lit(until))) + 1)).first()
    return (until, 0) if first is None else (first, int(days))


def ever_at_point(touched: Touched, facts: Facts) -> DataFrame:
    """A point, a meter and a customer which belong together, or were said to before the new deliveries.

    Columns point_id, meter_id, customer_key and installed_from, the first date of the three.
    """
    names = ("point_id", "meter_id", "customer_key")
    before = touched.of("metering_points").replaced(facts.points_before)
    every = facts.points.select(*names, "installed_from").unionByName(before.select(*names, "installed_from"))
    return every.groupBy(*names).agg(F.min("installed_from").alias("installed_from"))


def ever_in_district(touched: Touched, facts: Facts) -> DataFrame:
    """A meter and a district (meter_id, district_id) to which it belongs, or was said to before the new deliveries."""
    names = ("meter_id", "district_id")
    before = touched.of("metering_points").replaced(facts.points_before)
    every = facts.points.select(*names).unionByName(before.select(*names))
    return every.where("district_id IS NOT NULL").distinct()


def _meters_of(customers: DataFrame, points: DataFrame) -> DataFrame:
    """A meter of customers (customer_key, since) and the date (meter_id, since): not before the meter was there."""
    since = F.greatest("since", "installed_from").alias("since")
    return points.join(customers, on="customer_key", how="inner").select("meter_id", since)


def _terms_changed(touched: Touched, facts: Facts) -> DataFrame:
    """A customer and the date (customer_key, since) from which it has other terms than it had, or was said to have.

    The first terms known of a customer also hold before them.
    """
    order = Window.partitionBy("customer_key").orderBy("valid_from")
    terms = F.struct(*_TERMS).alias("terms")
    said_before = facts.customers_before.groupBy("customer_key", "valid_from").agg(
        F.collect_set(terms).alias("terms_said")
    )
    rows = (
        facts.customers.select("customer_key", "valid_from", "delivery_id", terms)
        .withColumn("terms_before", F.lag("terms").over(order))
        .withColumn("is_first", F.row_number().over(order) == 1)
        .join(said_before, on=["customer_key", "valid_from"], how="left")
    )
    is_other = ~F.col("terms").eqNullSafe(F.col("terms_before"))
    was_other = F.coalesce(F.exists("terms_said", lambda said: ~said.eqNullSafe(F.col("terms"))), F.lit(False))
    since = F.when(F.col("is_first"), F.lit(_ALWAYS).cast("date")).otherwise(F.col("valid_from"))
    new = touched.of("customers").rows(rows)
    changed = new.where(is_other | was_other).select("customer_key", since.alias("since"))
    if not touched.of("customers").cancelling:
        return changed
    # whichever row is the first one now also holds before it
    gone = touched.of("customers").taken_away(facts.customers_before)
    return changed.unionByName(gone.select("customer_key", F.lit(_ALWAYS).cast("date").alias("since")))


def union_of(parts: Sequence[DataFrame]) -> DataFrame:
    """The rows of all frames, of which there is at least one."""
    every = parts[0]
    for part in parts[1:]:
        every = every.unionByName(part)
    return every


def weather_dates(touched: Touched, facts: Facts) -> DataFrame:
    """A place and a local date (prefecture, usage_date) with new weather."""
    local = F.from_utc_timestamp("hour_at", facts.time_zone)
    new = touched.of("weather_hours").concerned(facts.weather, lambda: facts.before(WEATHER_HOURS), "place", "hour_at")
    return new.select(F.col("place").alias("prefecture"), F.to_date(local).alias("usage_date")).distinct()


def calendar_dates(touched: Touched, facts: Facts, until: date) -> DataFrame:
    """A local date (usage_date) up to `until` about which the calendar says something new."""
    new = touched.of("calendar").concerned(facts.calendar, lambda: facts.before(CALENDAR), "calendar_date")
    known = new.where(F.col("calendar_date") <= F.lit(until))
    return known.select(F.col("calendar_date").alias("usage_date")).distinct()


def customer_dates(touched: Touched, facts: Facts, until: date, since: DataFrame | None = None) -> DataFrame:
    """A customer and a date (customer_key, usage_date) up to `until` whose features depend on the new deliveries.

    `since` are `meters_since`, where they are worked out already.
    """
    periods = facts.periods
    held = facts.validated.select("meter_id", F.col("read_date").alias("usage_date"))
    if touched.everything:
        return _customers_of(held, periods).where(F.col("usage_date") <= F.lit(until))
    parts = []
    if touched.has(*OF_READINGS):
        parts.append(_customers_of(metered_dates(touched, facts), periods))
    if touched.has(*OF_METERS):
        dated = metered_since(held, meters_since(touched, facts) if since is None else since)
        # the meter may have counted for another customer, or for none, before: every holder of its points is looked at
        parts.append(_all_holders(dated, ever_at_point(touched, facts)))
    if touched.has("weather_hours"):
        places = F.broadcast(weather_dates(touched, facts))
        parts.append(_expected(periods.join(places, on="prefecture", how="inner")))
    if touched.has("calendar"):
        parts.append(_expected(periods.crossJoin(F.broadcast(calendar_dates(touched, facts, until)))))
    # weather and calendars are known ahead of the readings
    return union_of(parts).where(F.col("usage_date") <= F.lit(until)).distinct()


def metered_since(held: DataFrame, since: DataFrame) -> DataFrame:
    """The meters and dates of `held` (meter_id, usage_date) which `meters_since` concern."""
    return held.join(F.broadcast(since), on="meter_id", how="inner").where("usage_date >= since").drop("since")


def _customers_of(meter_dates: DataFrame, periods: DataFrame) -> DataFrame:
    return _expected(periods.join(meter_dates, on="meter_id", how="inner"))


def _expected(dated_periods: DataFrame) -> DataFrame:
    return dated_periods.where(holds_on(F.col("usage_date"))).select("customer_key", "usage_date").distinct()


def _all_holders(meter_dates: DataFrame, ever: DataFrame) -> DataFrame:
    return (
        meter_dates.join(ever.select("point_id", "meter_id").distinct(), on="meter_id", how="inner")
        .join(ever.select("point_id", "customer_key").distinct(), on="point_id", how="inner")
        # the meter of a district has no customer
        .where("customer_key IS NOT NULL")
        .select("customer_key", "usage_date")
        .distinct()
    )


def touched_dates(touched: Touched, facts: Facts, keys: DataFrame) -> list[date]:
    """The dates in `keys`, or more: known from the deliveries themselves unless master data changed.

    They are few whatever the number of customers.
    """
    if touched.has(*FAR_REACHING):
        return sorted(row.usage_date for row in keys.select("usage_date").distinct().collect())
    dates = set(reading_dates(touched))
    if touched.has("weather_hours"):
        weather = weather_dates(touched, facts)
        dates.update(row.usage_date for row in weather.select("usage_date").distinct().collect())
    return sorted(dates)
