"""Low Carbon London as deliveries: readings as they were published, and beside them what a utility has as well.

Readings, daily totals, household class, price signal and weather are real. Bills, payments and work orders are
generated from them (`london_billing`, `london_service`).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from jobs.province import billing, masterdata, reference, service, tariffs
from jobs.province.deliveries import Delivery, csv_columns, csv_rows
from jobs.province.london_billing import MeterBook, payment_rows
from jobs.province.london_reference import calendar_rows, customer_rows, point_rows, tariff_rows, weather_hours
from jobs.province.london_service import order_row, work_orders
from jobs.province.london_source import (
    YEAR,
    Household,
    block_files,
    block_readings,
    daily_totals,
    households,
    price_levels,
    weather_rows,
)
from jobs.province.profiles import ProvinceError

Report = Callable[..., None]
DAILY_HEADER = ("LCLid", "day", "energy_sum")
# minutes past midnight UTC at which each delivery of the business date has come in; a block file adds its number
_MINUTES = {
    "calendar": 61,
    "customers": 62,
    "metering_points": 63,
    "tariffs": 64,
    "weather_hours": 65,
    "meter_days": 120,
    "register_readings": 360,
    "bills": 370,
    "bill_lines": 372,
    "payments": 380,
    "complaints": 390,
}


@dataclass
class London:
    """What was written: rows by feed, deliveries, and what was left out."""

    rows: dict[str, int] = field(default_factory=dict)
    deliveries: list[str] = field(default_factory=list)
    block_files: int = 0
    household_days: int = 0
    households: int = 0
    parts_of_days: int = 0
    has_weather: bool = False


@dataclass
class Block(Delivery):
    """A delivery which is called as the source calls its file."""

    name: str = ""

    @property
    def delivery_id(self) -> str:
        """Name of the block file."""
        return self.name


def write_london(
    landing: Path,
    source: Path,
    weather: Path,
    business_date: date,
    *,
    seed: int,
    report: Report,
    only_blocks: Collection[str] = (),
) -> London:
    """Write the deliveries of the business date; the same source and seed give the same files.

    `only_blocks` restricts the readings, and with them the households, to some block files. ProvinceError where the
    source is not there, damaged, or not what is published.
    """
    if business_date < date(YEAR, 12, 31):
        raise ProvinceError(f"The files hold the whole of {YEAR}: they come in on {YEAR}-12-31, not {business_date}.")
    homes = households(source)
    levels = price_levels(source)
    done = London()
    book = MeterBook(homes, levels)
    out = _Writer(landing, business_date, done)
    _write_blocks(out, source, book, only_blocks)
    done.households = len(book.present)
    report("%s household-days of %s households", f"{done.household_days:,}", done.households)
    _write_daily(out, source, book.present, report)
    out.rows("customers", masterdata.CUSTOMER_HEADER, customer_rows(book.present))
    out.rows("metering_points", masterdata.POINT_HEADER, point_rows(book.present))
    out.rows("tariffs", tariffs.HEADER, tariff_rows(levels))
    out.rows("calendar", reference.CALENDAR_HEADER, calendar_rows())
    hours = weather_rows(weather)
    done.has_weather = hours is not None
    if hours is None:
        report("no weather at %s: weather_hours is left out", weather)
    else:
        out.rows("weather_hours", reference.WEATHER_HEADER, weather_hours(hours))
    _write_service(out, book, seed)
    return done


class _Writer:
    """Writes deliveries of one business date and counts them."""

    def __init__(self, landing: Path, business_date: date, done: London) -> None:
        self.landing, self.business_date, self.done = landing, business_date, done

    def rows(self, feed: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A feed as one delivery of one file."""
        listed = list(rows)
        self.content(feed, csv_rows(header, listed), len(listed))

    def content(self, feed: str, content: bytes, rows: int) -> None:
        """A file's bytes as one delivery."""
        self.deliver(Delivery(self.landing, feed, self.business_date), f"{feed}.csv", content, rows, 0)

    def deliver(self, delivery: Delivery, name: str, content: bytes, rows: int, later: int) -> None:
        """One delivery of one file, with its manifest written last."""
        delivery.begin()
        delivery.add(name, content, rows)
        midnight = datetime.combine(self.business_date + timedelta(days=1), time(), UTC)
        delivery.finish(midnight + timedelta(minutes=_MINUTES[delivery.feed] + later))
        self.done.deliveries.append(delivery.delivery_id)
        self.done.rows[delivery.feed] = self.done.rows.get(delivery.feed, 0) + rows


def _write_blocks(out: _Writer, source: Path, book: MeterBook, only: Collection[str]) -> None:
    missing = set(only)
    for block in block_files(source):
        if only and block.name not in only:
            continue
        missing.discard(block.name)
        out.done.block_files += 1
        out.done.household_days += book.add(block_readings(block))
        delivery = Block(out.landing, "meter_days", out.business_date, name=block.name)
        out.deliver(delivery, f"{block.name}.csv", block.content, block.rows, block.number)
    if missing:
        raise ProvinceError(f"The source has no block {', '.join(sorted(missing))}.")


def _write_daily(out: _Writer, source: Path, homes: Sequence[Household], report: Report) -> None:
    """Daily totals of whole days: the total of a part of a day is not a day's total and would fail every check."""
    ids = pa.array([home.household_id for home in homes], pa.string())
    whole: list[pa.Table] = []
    for totals in daily_totals(source, {home.daily_block for home in homes}):
        of_homes = totals.filter(
            pc.and_(pc.is_in(totals["LCLid"], ids), pc.starts_with(totals["day"], pattern=f"{YEAR}-"))
        )
        complete = of_homes.filter(pc.equal(of_homes["energy_count"], "48"))
        out.done.parts_of_days += len(of_homes) - len(complete)
        whole.append(complete.select(list(DAILY_HEADER)))
    table = pa.concat_tables(whole)
    report("%s daily totals of parts of days are left out", f"{out.done.parts_of_days:,}")
    columns = [table[name].combine_chunks() for name in DAILY_HEADER]
    out.content("register_readings", csv_columns(DAILY_HEADER, columns), len(table))


def _write_service(out: _Writer, book: MeterBook, seed: int) -> None:
    until = out.business_date
    bills = list(book.bills(until))
    out.rows("bills", billing.BILL_HEADER, (bill.row() for bill in bills))
    out.rows("bill_lines", billing.LINE_HEADER, (row for bill in bills for row in bill.line_rows()))
    out.rows("payments", billing.PAYMENT_HEADER, (row for bill in bills for row in payment_rows(bill, seed, until)))
    of_home = {home: list(held) for home, held in groupby(bills, key=lambda bill: bill.home)}
    orders = (
        order_row(order, seed, until)
        for home in book.present
        for order in work_orders(of_home.get(home, []), home, book.read[home.number], seed, until)
    )
    out.rows("complaints", service.HEADER, orders)
