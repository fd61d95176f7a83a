"""The demonstration province: deliveries of all feeds for a first load or one more day, as source systems write them.

The same seed and dates give the same bytes. Customers are built and written chunk by chunk; what is held in memory does
not grow with them.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from jobs.province.class_profiles import HEADER as CLASS_PROFILE_HEADER
from jobs.province.class_profiles import class_profile_rows
from jobs.province.deliveries import FEEDS, Delivery, csv_rows, received_at
from jobs.province.draws import draw
from jobs.province.groups import Written, customers_up_to, group_count, write_group
from jobs.province.ledger import FaultNotes, Ledger
from jobs.province.reference import CALENDAR_HEADER, WEATHER_HEADER, calendar_rows, weather_rows
from jobs.province.run import Run, first_run, later_run
from jobs.province.tariffs import HEADER as TARIFF_HEADER
from jobs.province.tariffs import tariff_rows

# how far ahead of the last date the calendar is known, days
_CALENDAR_AHEAD = 120


@dataclass(frozen=True)
class Summary:
    """What a run wrote: delivery folders, data rows by feed, faults by class."""

    deliveries: tuple[Path, ...]
    rows: Mapping[str, int]
    faults: Mapping[str, int]


def write_deliveries(
    landing_root: Path,
    ledger_root: Path,
    *,
    first_date: date,
    last_date: date,
    initial: bool,
    customers: int,
    seed: int,
    faults: Mapping[str, float] | None = None,
    report: Callable[[str], None] = lambda _: None,
    received_lag_hours: float = 2.0,
    workers: int = 1,
) -> Summary:
    """Write one delivery a feed: the history `first_date` to `last_date` (initial), or `last_date` alone.

    The initial load notes seed, customers and first date in `ledger_root/province.json`; a later day must name the
    same seed and customers, and `first_date` is then not looked at. `faults`: shares by class (see `faults.py`); None
    = those of the initial load, or the defaults; faults which last stay those of the initial load. Deliveries come in
    `received_lag_hours` (and some minutes) after the midnight which ends `last_date`. `workers` processes share the
    customers; the files are the same for any number. A rerun writes the same files; the date with which the initial
    load ends is no later day: it is there already, and nothing is written.
    Raises ProvinceError where the dates, customers or faults make no province.
    """
    shares, lag = faults, received_lag_hours
    run = (
        first_run(landing_root, ledger_root, first_date, last_date, customers, seed, shares, lag)
        if initial
        else later_run(landing_root, ledger_root, last_date, customers, seed, shares, lag)
    )
    if run is None:
        report(f"{last_date} is the last date of the initial load: nothing to write")
        return Summary((), {}, {})
    deliveries = {feed: run.delivery(feed) for feed in FEEDS}
    for delivery in deliveries.values():
        delivery.begin()
    with Ledger(ledger_root, f"{'initial' if initial else 'day'}-{last_date.isoformat()}") as ledger:
        for group, written in enumerate(_groups(run, workers)):
            for feed, files in written.files.items():
                deliveries[feed].files += files
            ledger.add(written.ledger)
            report(f"{customers_up_to(customers, group):,} of {customers:,} customers written")
        _write_reference(run, deliveries)
        sent = [one for delivery in deliveries.values() if delivery.files for one in _finish(run, delivery, ledger)]
    if initial:
        run.keep()
    for delivery in sent:
        report(f"{delivery.delivery_id}: {delivery.rows:,} rows in {len(delivery.files)} file(s)")
    rows = {feed: delivery.rows for feed, delivery in deliveries.items() if delivery.files}
    return Summary(tuple(delivery.folder for delivery in sent), rows, dict(ledger.counts))


def _groups(run: Run, workers: int) -> Iterator[Written]:
    groups = range(group_count(run.customers))
    if workers <= 1:
        for group in groups:
            yield write_group(run, group)
        return
    # a fork would copy the caller's threads in whatever state they are
    with ProcessPoolExecutor(max_workers=workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(write_group, [run] * len(groups), groups)


def _write_reference(run: Run, deliveries: Mapping[str, Delivery]) -> None:
    start, last = date.fromordinal(run.start), date.fromordinal(run.last)
    tables: dict[str, tuple[tuple[str, ...], list[tuple[object, ...]]]] = {
        "weather_hours": (WEATHER_HEADER, weather_rows(run.seed, run.first, run.last))
    }
    if run.initial:
        tables["tariffs"] = (TARIFF_HEADER, tariff_rows(start))
        tables["class_profiles"] = (CLASS_PROFILE_HEADER, class_profile_rows(run.seed, start))
        tables["calendar"] = (CALENDAR_HEADER, calendar_rows(run.start, run.last + _CALENDAR_AHEAD))
    elif last.day == 1:
        # the calendar of the month which comes into sight
        tables["calendar"] = (CALENDAR_HEADER, calendar_rows(run.last, run.last + _CALENDAR_AHEAD + 31))
    for feed, (header, rows) in tables.items():
        deliveries[feed].add("part-00000-000.csv", csv_rows(header, rows), len(rows))


def _finish(run: Run, delivery: Delivery, ledger: Ledger) -> list[Delivery]:
    """Write the manifest; daily deliveries may come broken and then again whole, or come twice."""
    day, feed = date.fromordinal(run.last), delivery.feed
    times = [received_at(feed, day, run.lag_hours, number) for number in (1, 2)]
    luck = draw(run.seed, f"delivery_{feed}", run.last).random(2)
    is_cut = not run.initial and luck[0] < run.faults["truncated_file"]
    is_twice = not run.initial and not is_cut and luck[1] < run.faults["duplicated_delivery"]
    if not (is_cut or is_twice):
        delivery.finish(times[0])
        return [delivery]
    again = delivery.again(2)
    notes = FaultNotes({feed: times[0 if is_cut else 1].isoformat()})
    if is_cut:
        name = str(delivery.files[0]["name"])
        path = delivery.folder / name
        content = path.read_bytes()
        # the manifest states the whole file
        path.write_bytes(content[: len(content) * 6 // 10])
        notes.note("truncated_file", feed, delivery.delivery_id, file=name, detail=f"sent whole as {again.delivery_id}")
    else:
        notes.note("duplicated_delivery", feed, again.delivery_id, detail=f"repeats {delivery.delivery_id}")
    delivery.finish(times[0])
    again.finish(times[1])
    ledger.add({"faults": notes.table()})
    return [delivery, again]
