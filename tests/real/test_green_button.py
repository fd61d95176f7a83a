"""Green Button files of four public collections: each is read with what a plain parse of it finds, or refused."""

import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from jobs.kernels.files import BadFile
from jobs.kernels.green_button import iter_green_button
from jobs.runtime.feed_files import FeedFiles
from schemas.feed import Curve, Feed, FeedColumn

ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "formats_green_button" / "green_button_samples.tar.xz"
pytestmark = pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"the Green Button files are not there: {ARCHIVE}")

EASTERN = FeedFiles("examples", "UTC").load("green_button")
PACIFIC = replace(EASTERN, time_zone="America/Los_Angeles")
ESPI = "{http://naesb.org/espi}"


def without_types(feed: Feed) -> Feed:
    """For files with blocks alone, which hold no reading type: Wh of what is drawn."""
    columns = (*feed.columns[:2], FeedColumn("channel", "channel", constant="import"))
    return replace(feed, columns=columns, curve=Curve(scale=0.001))


@dataclass(frozen=True)
class Held:
    """What a file holds: readings, the number of dates by their intervals, estimated or edited values."""

    feed: Feed
    readings: int
    dates: dict[int, int]
    estimated: int = 0


COASTAL = "Coastal_Multi_Family_{}_Jan_1_2011_to_Jan_1_2012_RetailCustomer_{}.xml"
READ = {
    "sample_greenbutton_data.xml": Held(PACIFIC, 362, {24: 16}),
    "intervals_APUC000000_electric.xml": Held(EASTERN, 300, {24: 14}),
    # two weeks of 2012, one of them with the spring day of 92 quarter hours
    "test_usage_data.xml": Held(EASTERN, 1340, {92: 1, 96: 13}, 2),
    "test_usage_data_1.xml": Held(EASTERN, 480, {96: 5}, 2),
    "test_usage_data_2.xml": Held(EASTERN, 860, {92: 1, 96: 8}),
    "test_usage_data_01.xml": Held(EASTERN, 96, {96: 1}, 2),
    "test_usage_data_11.xml": Held(EASTERN, 92, {92: 1}),
    **{f"test_usage_data_{n:02}.xml": Held(EASTERN, 96, {96: 1}) for n in (*range(2, 11), *range(12, 15))},
    # hours of a year, in blocks of 12 hours and of a day
    COASTAL.format("12hr", 3): Held(PACIFIC, 8760, {23: 1, 24: 363, 25: 1}),
    COASTAL.format("Daily", 4): Held(PACIFIC, 8760, {23: 1, 24: 363, 25: 1}),
    # days, three of which have 23 or 25 hours
    "ESPIIntervalBlock.xml": Held(without_types(EASTERN), 444, {1: 444}),
    # 24 blocks, most of which repeat what others hold; all of quality 17
    "PGEIntervalBlock.xml": Held(without_types(PACIFIC), 2556, {24: 95}, 2280),
}
NO_READINGS = "it holds no interval readings but {}: deliver files with interval blocks."
REFUSED = {
    "PGEUsageSummary.xml": "line 1: the XML is not well-formed (unbound prefix): ask the sender to mend the file.",
    **{
        f"{name}.xml": NO_READINGS.format(what)
        for name, what in {
            "entryOnly": "1 Authorization",
            "namespace": "1 UsagePoint",
            "ServiceCategory": "1 ServiceCategory",
            "ESPIApplicationInformation": "1 ApplicationInformation",
            "ESPIAuthorization": "1 Authorization",
            "ESPIElectricPowerUsageSummary": "1 ElectricPowerUsageSummary",
            "ESPILocalTimeParameters": "1 LocalTimeParameters",
            "ESPIReadingType": "1 ReadingType",
            "ESPIReadingTypes": "22 ReadingType",
            "ESPIUsagePoint": "1 UsagePoint",
            "ESPIUsagePointMeterReading": "1 MeterReading",
            "ESPIUsagePointMeterReadings": "1 MeterReading",
            "ESPIUsagePoints": "43 UsagePoint",
            "ESPIUsageSummaries": "1 UsageSummary",
            "ESPIUsageSummary": "1 UsageSummary",
            "PGEApplicationInformation": "1 ApplicationInformation",
            "PGEAuthorization": "1 Authorization",
            "PGELocalTimeParameters": "1 LocalTimeParameters",
            "PGEReadingType": "48 ReadingType",
            "PGEUsagePoint": "1 UsagePoint",
            "PGEUsageSummaries": "3 UsageSummary",
        }.items()
    },
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    with tarfile.open(ARCHIVE) as archive:
        members = [member for member in archive if member.name.endswith(".xml")]
        return {PurePosixPath(m.name).name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]


def plain(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Start, duration and value of each reading, by another parser and without any of the links."""
    for reading in ElementTree.fromstring(data).iter(f"{ESPI}IntervalReading"):
        period = reading.find(f"{ESPI}timePeriod")
        assert period is not None
        yield tuple(  # type: ignore[misc]
            int(element.findtext(f"{ESPI}{name}") or "")
            for element, name in ((period, "start"), (period, "duration"), (reading, "value"))
        )


def read(data: bytes, name: str, feed: Feed) -> list[dict[str, Any]]:
    pieces = list(iter_green_button(data, name, feed))
    assert {tuple(extra) for _, extra in pieces} == {()}
    return [row for rows, _ in pieces for row in rows.to_pylist()]


def test_the_archive_holds_what_is_looked_at(files: dict[str, bytes]) -> None:
    assert set(files) == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_as_a_plain_parse_finds_it(files: dict[str, bytes], name: str) -> None:
    held = READ[name]
    rows = read(files[name], name, held.feed)
    readings = list(plain(files[name]))
    assert len(readings) == sum(row["source_rows"] for row in rows) == held.readings
    assert Counter(len(row["kwh"]) for row in rows) == held.dates
    assert sum(row["estimated_count"] for row in rows) == held.estimated
    assert {(row["channel"], row["conflict_count"], len(row["unreadable"])) for row in rows} == {("import", 0, 0)}

    # every value stands at its instant, and nothing else does
    zone = ZoneInfo(str(held.feed.time_zone))
    expected = {start: value / 1000 for start, _, value in readings}
    found = {}
    for row in rows:
        day = row["read_date"]
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        for n, kwh in enumerate(row["kwh"]):
            if kwh is not None:
                at = midnight + n * timedelta(minutes=row["interval_minutes"])
                found[int(at.timestamp())] = kwh
    assert found == pytest.approx(expected)
    assert sum(row["total_kwh"] for row in rows) == pytest.approx(sum(expected.values()))
    assert sum(row["measured_count"] + row["estimated_count"] for row in rows) == len(expected)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_without_readings_is_refused(files: dict[str, bytes], name: str) -> None:
    with pytest.raises(BadFile) as caught:
        read(files[name], name, EASTERN)
    assert str(caught.value).removeprefix(name).lstrip(",: ") == REFUSED[name]


def test_flags_stand_at_their_quarter_hours(files: dict[str, bytes]) -> None:
    (row,) = read(files["test_usage_data_01.xml"], "u.xml", EASTERN)
    assert row["quality"][:4] == [2, 9, 1, 1]


def test_what_pge_calls_validated_is_metered_where_the_feed_says_so(files: dict[str, bytes]) -> None:
    feed = without_types(PACIFIC)
    columns = (*feed.columns, FeedColumn("quality", "quality", values={"17": "measured"}))
    rows = read(files["PGEIntervalBlock.xml"], "u.xml", replace(feed, columns=columns))
    assert sum(row["measured_count"] for row in rows) == 2280


def test_blocks_alone_are_refused_without_a_declaration(files: dict[str, bytes]) -> None:
    for name, line in {"PGEIntervalBlock.xml": 10, "ESPIIntervalBlock.xml": 14}.items():
        with pytest.raises(BadFile, match=rf"line {line}: the block's reading type is not in the file"):
            read(files[name], name, PACIFIC)


def test_another_time_zone_than_the_file_has_is_told(files: dict[str, bytes]) -> None:
    ((_, extra), *_) = iter_green_button(files["test_usage_data_01.xml"], "u.xml", PACIFIC)
    assert len(extra) == 1
    assert extra[0].startswith("LocalTimeParameters UTC-05:00 and 60 minutes in summer where America/Los_Angeles has")


def test_the_identity_is_the_path_at_the_sender(files: dict[str, bytes]) -> None:
    for name, meter_id in {
        COASTAL.format("12hr", 3): "RetailCustomer/3/UsagePoint/1",
        COASTAL.format("Daily", 4): "RetailCustomer/4/UsagePoint/1",
        "test_usage_data.xml": "RetailCustomer/9B6C7066/UsagePoint/5446AF3F",
        "PGEIntervalBlock.xml": "Subscription/0/UsagePoint/1",
    }.items():
        assert {row["meter_id"] for row in read(files[name], name, READ[name].feed)} == {meter_id}
