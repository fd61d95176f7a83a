"""A group of customers: the part files of all feeds that grow with customers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from jobs.province import billing, masterdata, service
from jobs.province.billing import MonthBills, billing_month, month_bills, months_paid_in
from jobs.province.deliveries import FEEDS, received_at
from jobs.province.dials import Bookcase, Books, opening_books
from jobs.province.ledger import FaultNotes
from jobs.province.metering import Metering, Window
from jobs.province.parts import CurveParts, Parts, ReadingParts, RowParts
from jobs.province.people import People
from jobs.province.plan import Plan, build_plan
from jobs.province.population import CHUNK, Chunk, build_chunk, chunk_count
from jobs.province.profiles import ProvinceError
from jobs.province.run import Run

_ROW_HEADERS = {
    "customers": masterdata.CUSTOMER_HEADER,
    "metering_points": (*masterdata.POINT_HEADER, masterdata.KIND_HEADER),
    "bills": billing.BILL_HEADER,
    "bill_lines": billing.LINE_HEADER,
    "payments": billing.PAYMENT_HEADER,
    "complaints": service.HEADER,
}


@dataclass(frozen=True)
class Written:
    """What one group wrote: lines of the manifests by feed, and rows of the ledger by kind."""

    files: dict[str, list[dict[str, str | int]]]
    ledger: dict[str, pa.Table]


def group_size(customers: int) -> int:
    """Chunks written one after another into the same files: few large files for many customers."""
    return max(1, min(20, chunk_count(customers) // 8))


def group_count(customers: int) -> int:
    """Groups of a province."""
    return -(-chunk_count(customers) // group_size(customers))


def customers_up_to(customers: int, group: int) -> int:
    """Customers in the groups up to and with this one."""
    return min((group + 1) * group_size(customers) * CHUNK, customers)


def write_group(run: Run, group: int) -> Written:
    """Write the part files of some chunks, feed by feed."""
    day = date.fromordinal(run.last)
    notes = FaultNotes({feed: received_at(feed, day, run.lag_hours).isoformat() for feed in FEEDS})
    rows = {feed: RowParts(run.delivery(feed).folder, group, header=header) for feed, header in _ROW_HEADERS.items()}
    curves = CurveParts(run.delivery("meter_days").folder, group)
    readings = ReadingParts(run.delivery("register_readings").folder, group)
    metering = Metering(
        window=Window(run.first, run.last, run.initial),
        faults=run.faults,
        curves=curves,
        readings=readings,
        notes=notes,
        delivery_ids={feed: run.delivery(feed).delivery_id for feed in FEEDS},
        bookcase=Bookcase(run.ledger_root / "books"),
    )
    truth, districts = [], []
    size = group_size(run.customers)
    for index in range(group * size, min((group + 1) * size, chunk_count(run.customers))):
        chunk = build_chunk(run.seed, index, run.customers, run.start)
        plan = build_plan(chunk, run.start, run.last, run.faults)
        of_customers, of_districts = metering.write(chunk, plan)
        truth.append(of_customers)
        districts.append(of_districts)
        since = None if run.initial else run.last
        rows["customers"].extend(masterdata.customer_rows(chunk, plan, since, run.last))
        rows["metering_points"].extend(masterdata.point_rows(chunk, plan, since, run.last))
        if run.initial:
            rows["metering_points"].extend(masterdata.district_rows(chunk))
        _write_bills(run, chunk, plan, metering.bookcase, rows)
        _write_orders(run, chunk, plan, rows["complaints"])
    parts: dict[str, Parts] = {**rows, "meter_days": curves, "register_readings": readings}
    for part in parts.values():
        part.flush()
    ledger = {
        "faults": notes.table(),
        "truth": pa.concat_tables(truth),
        "district_days": pa.concat_tables(districts),
    }
    return Written({feed: part.files for feed, part in parts.items()}, ledger)


def _write_bills(run: Run, chunk: Chunk, plan: Plan, bookcase: Bookcase, rows: dict[str, RowParts]) -> None:
    for bills in _bills(run, chunk, plan, bookcase):
        for versions, lines in bills.versions(run.first, run.last):
            rows["bills"].extend(versions)
            rows["bill_lines"].extend(lines)
        rows["payments"].extend(bills.payments(run.first, run.last))


def _bills(run: Run, chunk: Chunk, plan: Plan, bookcase: Bookcase) -> Iterator[MonthBills]:
    for month_first in _months(run):
        month = billing_month(chunk, month_first, run.start)
        begin = _books(bookcase, chunk, plan, month_first - timedelta(days=1))
        end = _books(bookcase, chunk, plan, month.last)
        year_begin = _books(bookcase, chunk, plan, date(month_first.year - 1, 12, 31))
        yield month_bills(chunk, month, year_begin, begin, end)


def _months(run: Run) -> list[date]:
    """Months with bills, corrections or payments in the window."""
    start = date.fromordinal(run.start).replace(day=1)
    if not run.initial:
        return [month for month in months_paid_in(run.last) if month >= start]
    months = [start]
    while (following := (months[-1] + timedelta(days=32)).replace(day=1)).toordinal() <= run.last:
        months.append(following)
    # a month is billed when it is over
    return months[:-1] if months[-1].toordinal() <= run.last else months


def _books(bookcase: Bookcase, chunk: Chunk, plan: Plan, day: date) -> Books:
    """Books at the midnight which ends a date; those of the opening for dates before the province's first."""
    if day.toordinal() < plan.start:
        return opening_books(chunk, plan)
    books = bookcase.get(chunk.index, day.toordinal())
    if books is None:
        raise ProvinceError(f"{bookcase.root}: the books of {day} are gone; write the initial load again")
    return books


def _write_orders(run: Run, chunk: Chunk, plan: Plan, part: RowParts) -> None:
    first = run.first if run.initial else run.last - service.LONGEST_OPEN
    starts = [month for month in _months(run) if run.initial or month.toordinal() > run.last - 100]
    months = [billing_month(chunk, month, run.start) for month in starts]
    people = People(chunk)
    for order in service.work_orders(chunk, plan, months, first, run.last):
        if run.initial or service.changes_on(chunk, order, run.last):
            part.extend([service.order_row(chunk, plan, people, order, run.last)])
