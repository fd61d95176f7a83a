"""Ten real Australian customers: half-hours with UTC stamps -> meter days of 23, 24 and 25 hours, gaps estimated."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv
from pyspark.sql import DataFrame, SparkSession

from jobs.kernels.curve_long import iter_long
from jobs.kernels.files import open_bytes
from jobs.kernels.past_weeks import past_weeks
from jobs.kernels.readers import READERS
from jobs.transforms.changes import Facts
from jobs.transforms.meter_profiles import meter_profiles, weeks_after
from schemas import Table
from schemas.feed import Curve, Feed, FeedColumn
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from tests.frames import typed
from tests.validation import with_validated

FILE = Path(__file__).parents[3] / "shared" / "data" / "sgsc_smart_meter10" / "smart_meter10.csv.xz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"the Australian readings are not there: {FILE}")

ZONE = ZoneInfo("Australia/Sydney")
ROWS = 293_874
_SUM = "aggregate(kwh, 0D, (total, v) -> total + coalesce(v, 0))"
FEED = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="curve_long",
    columns=(
        FeedColumn("meter_id", "customer_id"),
        FeedColumn("interval_at", "reading_datetime"),
        FeedColumn("value", "general_supply_kwh"),
    ),
    curve=Curve(interval_minutes=30, label="start", day="elapsed", stamps="utc"),
    time_zone="Australia/Sydney",
)


@pytest.fixture(scope="module")
def days() -> pa.Table:
    pieces = list(READERS.read(FILE.read_bytes(), FILE.name, FEED, b"", b""))
    return pa.concat_tables([table for table, _ in pieces]).combine_chunks()


@pytest.fixture(scope="module")
def source() -> pa.Table:
    """The file as Arrow reads it, instants as text."""
    kinds = csv.ConvertOptions(column_types={"customer_id": pa.string(), "reading_datetime": pa.string()})
    return csv.read_csv(pa.BufferReader(open_bytes(FILE.read_bytes(), FILE.name)), convert_options=kinds)


def test_every_row_of_every_customer_is_part_of_a_day(days: pa.Table) -> None:
    assert pc.count_distinct(days["meter_id"]).as_py() == 10
    assert pc.sum(days["source_rows"]).as_py() == ROWS
    assert pc.sum(days["measured_count"]).as_py() == ROWS
    assert pc.sum(days["conflict_count"]).as_py() == pc.sum(days["surplus_count"]).as_py() == 0
    assert days["read_date"].null_count == 0
    assert pc.max(pc.list_flatten(days["kwh"])).as_py() == pytest.approx(5.9, abs=0.05)
    assert not any(days["unreadable"].to_pylist())
    keys = list(zip(days["meter_id"].to_pylist(), days["read_date"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_dates_of_clock_changes_have_46_and_50_half_hours(days: pa.Table) -> None:
    lengths = pc.list_value_length(days["kwh"]).to_pylist()
    found: dict[int, Counter[date]] = {46: Counter(), 48: Counter(), 50: Counter()}
    for length, day in zip(lengths, days["read_date"].to_pylist(), strict=True):
        found[length][day] += 1
    # first Sundays of October and of April; some customers were not yet, or no longer, measured
    assert set(found[46]) == {date(2012, 10, 7), date(2013, 10, 6)}
    assert set(found[50]) == {date(2012, 4, 1), date(2013, 4, 7)}
    assert not found[48].keys() & (found[46].keys() | found[50].keys())


def test_each_half_hour_is_where_a_plain_loop_puts_it_on_the_dates_of_changes(days: pa.Table, source: pa.Table) -> None:
    changes = {date(2012, 4, 1), date(2012, 10, 7), date(2013, 4, 7), date(2013, 10, 6)}
    near = {day + timedelta(days=n) for day in changes for n in (-1, 0)}
    expected: dict[tuple[str, date], dict[int, float]] = {}
    wanted = pc.is_in(pc.utf8_slice_codeunits(source["reading_datetime"], 0, 10), pa.array(map(str, near), pa.string()))
    for row in source.filter(wanted).to_pylist():
        instant = datetime.strptime(row["reading_datetime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        day = instant.astimezone(ZONE).date()
        if day in changes:
            midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)
            place = (instant - midnight) // timedelta(minutes=30)
            expected.setdefault((row["customer_id"], day), {})[place] = np.float32(row["general_supply_kwh"])
    some = days.filter(pc.is_in(days["read_date"], pa.array(sorted(changes))))
    found = {
        (row["meter_id"], row["read_date"]): {n: v for n, v in enumerate(row["kwh"]) if v is not None}
        for row in some.to_pylist()
    }
    assert len(found) >= 20
    assert found == expected


def test_half_hours_missing_inside_each_span_are_found_as_missing(days: pa.Table, source: pa.Table) -> None:
    spans = source.group_by("customer_id").aggregate([("reading_datetime", "min"), ("reading_datetime", "max")])
    span_of = {row["customer_id"]: row for row in spans.to_pylist()}
    inside = missing = 0
    for meter, span in span_of.items():
        first, last = (
            datetime.strptime(span[f"reading_datetime_{end}"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            for end in ("min", "max")
        )
        inside += (last - first) // timedelta(minutes=30) + 1
        mine = days.filter(pc.equal(days["meter_id"], meter))
        dates = mine["read_date"].to_pylist()
        begin, end = (
            datetime(d.year, d.month, d.day, tzinfo=ZONE).astimezone(UTC)
            for d in (min(dates), max(dates) + timedelta(days=1))
        )
        # a date without any row has no meter day
        lengths = {d: len(kwh) for d, kwh in zip(dates, mine["kwh"].to_pylist(), strict=True)}
        absent = (end - begin) // timedelta(minutes=30) - sum(lengths.values())
        at_the_ends = ((first - begin) + (end - last)) // timedelta(minutes=30) - 1
        missing += pc.sum(mine["missing_count"]).as_py() + absent - at_the_ends
    assert inside - missing == ROWS
    assert missing / inside == pytest.approx(0.014, abs=0.0005)


def test_the_file_in_local_time_gives_the_same_days_the_repeated_hour_told_apart_by_order(
    days: pa.Table, source: pa.Table
) -> None:
    instants = pc.strptime(source["reading_datetime"], "%Y-%m-%dT%H:%M:%SZ", "s")
    local = pc.local_timestamp(pc.assume_timezone(instants, "UTC").cast(pa.timestamp("s", "Australia/Sydney")))
    stamps = pc.strftime(local, "%d/%m/%Y %H:%M")
    lines = [
        f"{meter},{stamp},{kwh}"
        for meter, stamp, kwh in zip(
            *(column.to_pylist() for column in (source["customer_id"], stamps, source["general_supply_kwh"])),
            strict=True,
        )
    ]
    data = "\n".join(["customer_id,reading_datetime,general_supply_kwh", *lines, ""]).encode()
    feed = Feed(
        **{
            **vars(FEED),
            "curve": Curve(
                interval_minutes=30, label="start", day="elapsed", stamps="local", stamp_format="%d/%m/%Y %H:%M"
            ),
        }
    )
    again = pa.concat_tables([table for table, _ in iter_long(data, FILE.name, feed)])
    same = ("meter_id", "read_date", "kwh", "quality", "source_rows", "conflict_count")
    assert again.select(same).to_pylist() == days.select(same).to_pylist()


@pytest.fixture(scope="module")
def validated(spark: SparkSession, days: pa.Table) -> pa.Table:
    """Every day of every meter from its first to its last, validated with its own past; sorted by meter and date."""
    held = days.select(["meter_id", "read_date", "interval_minutes", "kwh", "quality", "missing_count"])
    curves = spark.createDataFrame(held).selectExpr(
        *(
            f"CAST({name if name in held.column_names else default} AS {kind.simpleString()}) AS {name}"
            for name, kind, default in (
                (f.name, f.dataType, {"flags": "array()", "total_kwh": _SUM}.get(f.name, "NULL"))
                for f in METER_DAYS.struct.fields
            )
        )
    )
    spans = days.group_by("meter_id").aggregate([("read_date", "min"), ("read_date", "max")]).to_pylist()
    cells = [
        [f"p{row['meter_id']}", row["meter_id"], "1", f"c{row['meter_id']}", str(row["read_date_min"]),
         str(row["read_date_max"] + timedelta(days=1))]
        for row in spans
    ]  # fmt: skip
    names = ["point_id", "meter_id", "multiplier", "customer_key", "installed_from", "installed_to"]
    points = typed(spark, METERING_POINTS.struct, names, cells)

    def read(table: Table) -> DataFrame:
        known = {METER_DAYS.name: curves, METERING_POINTS.name: points}
        return known.get(table.name, spark.createDataFrame([], table.struct)).localCheckpoint()

    facts = Facts.of(read, ZONE.key)
    weeks = weeks_after(days["read_date"].unique().to_pylist(), date(2014, 12, 31))
    profiles = meter_profiles(facts, None, weeks, past_weeks(weeks, {}, ZONE.key)).localCheckpoint()
    made = with_validated(spark, facts, profiles=profiles).validated
    return made.toArrow().sort_by([("meter_id", "ascending"), ("read_date", "ascending")])


def test_what_was_measured_stays_and_gaps_are_estimated_from_the_meters_own_past(
    days: pa.Table, validated: pa.Table
) -> None:
    sent = {(row["meter_id"], row["read_date"]): row["kwh"] for row in days.to_pylist()}
    gaps = estimated = unknown = 0
    for row in validated.to_pylist():
        kwh = sent.get((row["meter_id"], row["read_date"]), [None] * len(row["kwh"] or []))
        for delivered, value, quality in zip(kwh, row["kwh"] or [], row["quality"] or [], strict=True):
            if delivered is None:
                gaps += 1
                estimated += value is not None
                unknown += value is None
                assert (value is None) == (quality == 0)
                assert quality != 1
            elif quality == 1:
                assert value == delivered
    assert gaps > 4000
    assert estimated / gaps > 0.9, (estimated, unknown)


def test_validated_dates_of_clock_changes_keep_their_46_and_50_half_hours(validated: pa.Table) -> None:
    found: dict[int, set[date]] = {46: set(), 48: set(), 50: set()}
    for row in validated.to_pylist():
        if row["kwh"]:
            found[len(row["kwh"])].add(row["read_date"])
    assert found[46] == {date(2012, 10, 7), date(2013, 10, 6)}
    assert found[50] == {date(2012, 4, 1), date(2013, 4, 7)}
    assert not found[48] & (found[46] | found[50])
