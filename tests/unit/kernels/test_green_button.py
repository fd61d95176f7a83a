import gzip
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from jobs.kernels.files import BadFile
from jobs.kernels.green_button import iter_green_button
from jobs.kernels.readers import READERS
from jobs.runtime.feed_files import FeedFiles
from schemas.feed import Curve, Feed, FeedColumn

FEED = FeedFiles("examples", "UTC").load("green_button")
NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT = int(datetime(2024, 1, 15, tzinfo=NEW_YORK).timestamp())
ACTIVE = "<flowDirection>1</flowDirection><commodity>1</commodity><accumulationBehaviour>4</accumulationBehaviour>"
WH = f"{ACTIVE}<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom>"

# -- drawing a file ---------------------------------------------------------------------------------------------------


def entry(own: str, related: Sequence[str], content: str, up: str | None = None) -> str:
    links = [("self", own), ("up", up or own.rpartition("/")[0]), *(("related", link) for link in related)]
    drawn = "".join(f'<link rel="{rel}" href="{href}"/>' for rel, href in links)
    return f"\n<entry><id>urn:{own}</id>{drawn}<content>{content}</content></entry>"


def reading(start: int, value: str | int, seconds: int = 3600, quality: str = "") -> str:
    flags = "".join(f"<ReadingQuality><quality>{code}</quality></ReadingQuality>" for code in quality.split())
    period = f"<timePeriod><duration>{seconds}</duration><start>{start}</start></timePeriod>"
    return f"\n<IntervalReading>{flags}{period}<value>{value}</value></IntervalReading>"


def block(readings: str, of: str = "P/UsagePoint/1/MeterReading/1", number: int = 1) -> str:
    path = f"{of}/IntervalBlock"
    return entry(f"{path}/{number}", [], f'<IntervalBlock xmlns="http://naesb.org/espi">{readings}</IntervalBlock>')


def meter(
    blocks: str, reading_type: str = WH, point: str = "P/UsagePoint/1", number: int = 1, service: str = "0"
) -> str:
    """A usage point with one meter reading and its blocks; the type stands last, as senders may have it."""
    kind = f"<ServiceCategory><kind>{service}</kind></ServiceCategory>"
    of, known = f"{point}/MeterReading/{number}", f"ReadingType/{point}-{number}".replace("P/UsagePoint/", "")
    espi = 'xmlns="http://naesb.org/espi"'
    usage = entry(point, [f"{point}/MeterReading"], f"<UsagePoint {espi}>{kind}</UsagePoint>") if number == 1 else ""
    return (
        usage
        + blocks
        + entry(of, [f"{of}/IntervalBlock", known], f"<MeterReading {espi}/>")
        + entry(known, [], f"<ReadingType {espi}>{reading_type}</ReadingType>")
    )


def feed_of(*parts: str) -> bytes:
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{"".join(parts)}\n</feed>'.encode()


def hours(values: Sequence[str | int], begin: int = MIDNIGHT, seconds: int = 3600) -> str:
    return "".join(reading(begin + n * seconds, value, seconds) for n, value in enumerate(values))


# -- reading it -------------------------------------------------------------------------------------------------------


def read(data: bytes, feed: Feed = FEED) -> tuple[list[dict[str, Any]], list[str]]:
    pieces = list(iter_green_button(data, "u.xml", feed))
    extras = {tuple(extra) for _, extra in pieces}
    assert len(extras) == 1
    return [row for rows, _ in pieces for row in rows.to_pylist()], list(extras.pop())


def one(data: bytes, feed: Feed = FEED) -> dict[str, Any]:
    rows, _ = read(data, feed)
    assert len(rows) == 1
    return rows[0]


def wrong(data: bytes, feed: Feed = FEED) -> str:
    with pytest.raises(BadFile) as caught:
        read(data, feed)
    return str(caught.value)


def with_columns(*columns: FeedColumn, **changes: Any) -> Feed:
    kept = tuple(c for c in FEED.columns if c.target not in {column.target for column in columns})
    return replace(FEED, columns=(*kept, *columns), **changes)


def test_a_day_of_hours_is_a_meter_day() -> None:
    day = one(feed_of(meter(block(hours(range(0, 2400, 100))))))
    assert day["meter_id"] == "P/UsagePoint/1"
    assert day["read_date"] == date(2024, 1, 15)
    assert (day["channel"], day["interval_minutes"], day["source_rows"], day["source_row"]) == ("import", 60, 24, 1)
    assert day["kwh"] == pytest.approx([n / 10 for n in range(24)])
    assert day["quality"] == [1] * 24
    assert day["total_kwh"] == 27.6
    assert (day["measured_count"], day["missing_count"], day["conflict_count"]) == (24, 0, 0)
    assert day["unreadable"] == []
    assert day["raw_values"] is None


def test_it_is_read_by_its_name_also_packed() -> None:
    data = gzip.compress(feed_of(meter(block(hours([1] * 24)))))
    ((rows, extra),) = READERS.read(data, "u.xml.gz", FEED, b"s" * 32, b"k" * 64)
    assert rows.num_rows == 1
    assert {name for name, _ in READERS.metric_columns("green_button")} <= set(rows.column_names)
    assert extra == []


@pytest.mark.parametrize(
    ("uom", "power_of_ten", "written", "kwh"),
    [
        (72, 0, 282, 0.282),
        (72, -3, 282_000, 0.282),
        (72, 3, 2, 2.0),
        # power is the average of its quarter hour
        (38, 0, 4000, 1.0),
        (38, 3, 4, 1.0),
        (63, 0, 4000, 1.0),
        (73, 0, 282, 0.282),
    ],
)
def test_what_is_written_becomes_kwh(uom: int, power_of_ten: int, written: int, kwh: float) -> None:
    kind = f"{ACTIVE}<powerOfTenMultiplier>{power_of_ten}</powerOfTenMultiplier><uom>{uom}</uom>"
    day = one(feed_of(meter(block(reading(MIDNIGHT, written, 900)), kind)))
    assert day["interval_minutes"] == 15
    assert day["total_kwh"] == kwh
    assert day["missing_count"] == 95


@pytest.mark.parametrize(
    ("uom", "direction", "channel"),
    [
        (72, "1", "import"),
        (72, "19", "export"),
        (72, "4", "net"),
        (72, "20", "total"),
        (72, "16", "other"),
        (72, "0", None),
        (72, "", None),
        (73, "1", "reactive_import"),
        (73, "19", "reactive_export"),
        (73, "5", "reactive_import"),
        (73, "13", "reactive_export"),
        # never taken for energy drawn
        (73, "0", "other"),
        (73, "8", "other"),
    ],
)
def test_the_direction_makes_the_channel(uom: int, direction: str, channel: str | None) -> None:
    kind = f"<uom>{uom}</uom><flowDirection>{direction}</flowDirection>"
    data = feed_of(meter(block(hours([1])), kind))
    assert one(data)["channel"] == channel
    declared = with_columns(FeedColumn("channel", "channel", constant="import"))
    assert one(data, declared)["channel"] == (channel or "import")


def test_import_and_export_of_a_point_are_two_curves() -> None:
    fed_in = WH.replace("<flowDirection>1<", "<flowDirection>19<")
    export = meter(block(hours([7]), "P/UsagePoint/1/MeterReading/2"), fed_in, number=2)
    rows, extra = read(feed_of(meter(block(hours([5]))), export))
    assert [(r["meter_id"], r["channel"], r["kwh"][0]) for r in rows] == [
        ("P/UsagePoint/1", "import", pytest.approx(0.005)),
        ("P/UsagePoint/1", "export", pytest.approx(0.007)),
    ]
    assert extra == []


def test_usage_points_do_not_mix() -> None:
    other = meter(block(hours([7]), "P/UsagePoint/2/MeterReading/1"), point="P/UsagePoint/2")
    rows, _ = read(feed_of(meter(block(hours([5]))), other))
    assert [(r["meter_id"], r["total_kwh"]) for r in rows] == [("P/UsagePoint/1", 0.005), ("P/UsagePoint/2", 0.007)]


def test_a_feed_chooses_what_a_meter_is() -> None:
    data = feed_of(meter(block(hours([5]))))
    for source, meter_id in {
        "usage_point_id": "1",
        "usage_point_uuid": "urn:P/UsagePoint/1",
        "meter_reading": "P/UsagePoint/1/MeterReading/1",
    }.items():
        assert one(data, with_columns(FeedColumn("meter_id", source)))["meter_id"] == meter_id


@pytest.mark.parametrize(
    ("codes", "quality"),
    [
        ("", 1), ("0", 1), ("14", 1), ("18", 1), ("19", 1), ("10", 1),
        ("7", 9), ("8", 2), ("9", 2), ("11", 2), ("12", 2), ("13", 2), ("15", 2), ("16", 2),
        # possibly estimated, and so never measured
        ("17", 2),
        # several: a person's change above an estimate above a metered value
        ("14 8", 2), ("8 7", 9), ("7 0", 9),
    ],
)  # fmt: skip
def test_quality_goes_with_each_value(codes: str, quality: int) -> None:
    day = one(feed_of(meter(block(reading(MIDNIGHT, 5, quality=codes)))))
    assert day["quality"][:2] == [quality, 0]
    assert day["estimated_count"] == (quality != 1)


def test_a_reading_type_says_the_usual_quality() -> None:
    readings = reading(MIDNIGHT, 5) + reading(MIDNIGHT + 3600, 5, quality="0")
    day = one(feed_of(meter(block(readings), f"{WH}<defaultQuality>9</defaultQuality>")))
    assert day["quality"][:3] == [2, 1, 0]


def test_a_feed_may_say_what_a_quality_means() -> None:
    feed = with_columns(FeedColumn("quality", "quality", values={"17": "measured", "98": "edited", "99": "missing"}))
    readings = "".join(reading(MIDNIGHT + 3600 * n, 5, quality=code) for n, code in enumerate(("17", "98", "99", "8")))
    ((rows, _),) = iter_green_button(feed_of(meter(block(readings))), "u.xml", feed)
    assert rows.schema.field("quality").type == pa.list_(pa.int8())
    assert rows["quality"][0].as_py()[:5] == [1, 9, 0, 2, 0]
    assert rows["unreadable"][0].as_py() == []
    readings = reading(MIDNIGHT, 5) + reading(MIDNIGHT + 3600, 5, quality="0")
    for source, quality in {"quality": [2, 1], None: [2, 2]}.items():
        day = one(feed_of(meter(block(readings))), with_columns(FeedColumn("quality", source, constant="estimated")))
        assert day["quality"][:2] == quality
    with pytest.raises(ValueError, match="quality is one of"):
        read(feed_of(), with_columns(FeedColumn("quality", None, constant="fine")))
    with pytest.raises(ValueError, match="quality is one of"):
        read(feed_of(), with_columns(FeedColumn("quality", "quality", values={"17": "fine"})))


def test_what_cannot_be_read_is_a_gap_with_its_reason() -> None:
    readings = reading(MIDNIGHT, 5) + reading(MIDNIGHT + 3600, "王小明") + reading(MIDNIGHT + 7200, 6, quality="77")
    tomorrow = reading(MIDNIGHT + 86_400, 8)
    bad, good = read(feed_of(meter(block(readings + tomorrow))))[0]
    assert bad["unreadable"] == ["value", "quality"]
    assert dict(bad["raw_values"])["quality"] == "77"
    # what stands in the place of a number may be a name
    assert "王小明" not in str(bad["raw_values"])
    assert bad["kwh"][:3] == [pytest.approx(0.005), None, None]
    assert bad["missing_count"] == 23
    assert (good["unreadable"], good["raw_values"], good["total_kwh"]) == ([], None, 0.008)


def test_what_cannot_be_read_is_told_of_its_own_meter() -> None:
    other = meter(block(reading(MIDNIGHT, "x"), "P/UsagePoint/2/MeterReading/1"), point="P/UsagePoint/2")
    rows, _ = read(feed_of(meter(block(hours([5]))), other))
    assert [(r["meter_id"], r["unreadable"]) for r in rows] == [("P/UsagePoint/1", []), ("P/UsagePoint/2", ["value"])]


# -- links ------------------------------------------------------------------------------------------------------------


def test_links_that_are_no_paths_tie_entries_together() -> None:
    espi = 'xmlns="http://naesb.org/espi"'
    kind = entry("ReadingType/3", [], f"<ReadingType {espi}>{WH}</ReadingType>")
    single = entry("MeterReading/7", ["IntervalBlock/9", "ReadingType/3"], f"<MeterReading {espi}/>")
    point = entry("UsagePoint/4", ["MeterReading/7"], f"<UsagePoint {espi}/>")
    readings = entry("IntervalBlock/9", [], f"<IntervalBlock {espi}>{hours([5])}</IntervalBlock>")
    assert one(feed_of(readings, kind, single, point))["meter_id"] == "UsagePoint/4"
    # a collection which two points share does not tell whose a reading is
    shared = [entry(f"UsagePoint/{n}", ["MeterReading"], f"<UsagePoint {espi}/>") for n in (4, 5)]
    assert "no link leads from the block to its usage_point" in wrong(feed_of(readings, kind, single, *shared))
    again = kind.replace(">72<", ">38<")
    assert "two reading types which differ have the same address" in wrong(
        feed_of(readings, kind, again, single, point)
    )
    more = single.replace('href="ReadingType/3"/>', 'href="ReadingType/3"/><link rel="related" href="ReadingType/4"/>')
    two = feed_of(readings, kind, again.replace("ReadingType/3", "ReadingType/4"), more, point)
    assert "line 5: a meter reading has two reading types, of which this is one" in wrong(two)


def test_hosts_and_relative_links_are_one() -> None:
    data = feed_of(meter(block(hours([5])))).replace(b'"up" href="P/', b'"up" href="https://a.org/espi/1_1/resource/P/')
    assert one(data)["meter_id"] == "P/UsagePoint/1"


# -- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "length"), [(date(2024, 3, 10), 23), (date(2024, 11, 3), 25), (date(2024, 11, 4), 24)])
def test_a_date_has_the_hours_it_has(day: date, length: int) -> None:
    begin = int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp())
    rows, _ = read(feed_of(meter(block(hours(range(length), begin) + hours([99], begin + length * 3600)))))
    whole = next(row for row in rows if row["read_date"] == day)
    assert whole["kwh"] == pytest.approx([n / 1000 for n in range(length)])
    assert whole["missing_count"] == 0
    assert sum(row["source_rows"] for row in rows) == length + 1


def test_days_keep_being_one_interval_when_the_clock_changes() -> None:
    starts = [datetime(2024, 3, day, tzinfo=NEW_YORK).timestamp() for day in (9, 10, 11, 12)]
    lengths = [int(end - begin) for begin, end in pairwise(starts)]
    assert lengths == [86_400, 82_800, 86_400]
    readings = "".join(reading(int(at), n, length) for n, (at, length) in enumerate(zip(starts, lengths, strict=False)))
    rows, _ = read(feed_of(meter(block(readings))))
    assert [(r["read_date"].day, r["interval_minutes"], r["kwh"]) for r in rows] == [
        (9, 1440, [0]),
        (10, 1440, [pytest.approx(0.001)]),
        (11, 1440, [pytest.approx(0.002)]),
    ]


def test_half_days_follow_the_clock() -> None:
    noon, begin, end = (
        int(datetime(2024, 11, d, h, tzinfo=NEW_YORK).timestamp()) for d, h in ((3, 12), (3, 0), (4, 0))
    )
    assert (noon - begin, end - noon) == (13 * 3600, 12 * 3600)
    day = one(feed_of(meter(block(reading(begin, 5, noon - begin) + reading(noon, 6, end - noon)))))
    assert (day["interval_minutes"], day["kwh"]) == (720, pytest.approx([0.005, 0.006]))


def test_lengths_come_in_pieces_of_their_own() -> None:
    readings = hours([1, 2]) + hours([3, 4], MIDNIGHT + 86_400, 900)
    pieces = list(iter_green_button(feed_of(meter(block(readings))), "u.xml", FEED))
    assert [(rows["interval_minutes"].to_pylist(), len(rows["kwh"][0])) for rows, _ in pieces] == [
        ([15], 96),
        ([60], 24),
    ]
    assert sum(sum(rows["source_rows"].to_pylist()) for rows, _ in pieces) == 4


def test_readings_without_times_follow_each_other() -> None:
    untimed = "<interval><start>{}</start></interval>" + "<IntervalReading><value>4</value></IntervalReading>" * 3
    day = one(feed_of(meter(block(untimed.format(MIDNIGHT)), f"{WH}<intervalLength>1800</intervalLength>")))
    assert (day["interval_minutes"], day["kwh"][:4]) == (30, [*[pytest.approx(0.004)] * 3, None])
    assert "has no duration, and neither has its reading type" in wrong(feed_of(meter(block(untimed.format(MIDNIGHT)))))
    nowhere = "<IntervalReading><value>4</value></IntervalReading>"
    assert "has no start, and neither has its block" in wrong(feed_of(meter(block(nowhere))))


def test_the_later_of_two_values_holds_and_is_counted() -> None:
    same, other = reading(MIDNIGHT, 5), reading(MIDNIGHT, 6)
    day = one(feed_of(meter(block(same + same) + block(same, number=2))))
    assert (day["kwh"][0], day["conflict_count"], day["source_rows"]) == (pytest.approx(0.005), 0, 3)
    day = one(feed_of(meter(block(same) + block(other, number=2))))
    assert (day["kwh"][0], day["conflict_count"], day["source_rows"]) == (pytest.approx(0.006), 1, 2)


def test_time_parameters_that_contradict_the_feed_are_told() -> None:
    def local(offset: int, saving: int) -> str:
        numbers = f"<dstOffset>{saving}</dstOffset><tzOffset>{offset}</tzOffset>"
        content = f'<LocalTimeParameters xmlns="http://naesb.org/espi">{numbers}</LocalTimeParameters>'
        return entry("LocalTimeParameters/1", [], content)

    data = meter(block(hours([1])))
    assert read(feed_of(local(-18_000, 3600), data))[1] == []
    assert read(feed_of(local(-28_800, 0), data))[1] == [
        "LocalTimeParameters UTC-08:00 all year where America/New_York has UTC-05:00 and 60 minutes in summer"
    ]


# -- what is left out and what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "service", "reason"),
    [
        ("<commodity>7</commodity><uom>169</uom>", "0", "natural gas in therm"),
        ("<commodity>9</commodity><uom>42</uom>", "0", "water in m³"),
        # heat is metered in Wh too
        ("<commodity>12</commodity><uom>72</uom>", "0", "heating fluid in Wh"),
        ("<uom>169</uom>", "1", "gas in therm"),
        ("<uom>29</uom>", "0", "electricity in V"),
        ("<uom>71</uom>", "0", "electricity in VAh"),
        ("<uom>38</uom><accumulationBehaviour>12</accumulationBehaviour>", "0", "instantaneous values in W"),
        ("<uom>72</uom><accumulationBehaviour>1</accumulationBehaviour>", "0", "register readings in Wh"),
        ("<uom>38</uom><dataQualifier>8</dataQualifier>", "0", "values in W with dataQualifier 8"),
    ],
)
def test_other_readings_are_left_out_by_name(kind: str, service: str, reason: str) -> None:
    other = meter(block(hours([7, 8]), "P/UsagePoint/2/MeterReading/1"), kind, "P/UsagePoint/2", service=service)
    rows, extra = read(feed_of(other, meter(block(hours([5])))))
    assert [(r["meter_id"], r["total_kwh"], r["source_row"]) for r in rows] == [("P/UsagePoint/1", 0.005, 3)]
    assert extra == [f"2 readings of {reason}"]
    assert f"no intervals of electric energy but 2 readings of {reason}: deliver it to" in wrong(feed_of(other))


def test_billing_periods_are_left_out() -> None:
    month = reading(MIDNIGHT, 300_000, 30 * 86_400)
    rows, extra = read(feed_of(meter(block(month + hours([5])))))
    assert [r["total_kwh"] for r in rows] == [0.005]
    assert extra == ["1 readings of electricity of longer periods than a day"]


@pytest.mark.parametrize(
    ("readings", "kind", "problem"),
    [
        (hours([1]), "<flowDirection>1</flowDirection>", "line 6: the reading type names no unit (uom)"),
        (hours([1]), "<uom>999</uom>", "line 6: the unit (uom) 999 of the reading type is none that is known here"),
        (hours([1]), "<uom>7x</uom>", "line 6: uom of the reading type is no number"),
        (hours([1]), "<uom>72</uom><powerOfTenMultiplier>99</powerOfTenMultiplier>", "is beyond 12"),
        (hours([1, 2], MIDNIGHT + 60), WH, "line 4: the interval does not begin a whole number of intervals after"),
        (hours([1], MIDNIGHT + 3600, 86_400), WH, "does not begin a whole number of intervals after midnight in Am"),
        (hours([1], MIDNIGHT, 5000 * 60), WH, "1 readings of electricity of longer periods than a day"),
        (hours([1], MIDNIGHT, 7 * 60), WH, "line 4: the interval's duration does not divide a day"),
        (hours([1], MIDNIGHT, 82_800), WH, "line 4: the interval's duration does not divide a day"),
        (hours([1], MIDNIGHT, 90), WH, "line 4: the duration is no whole number of minutes"),
        (hours([1], MIDNIGHT, 0), WH, "line 4: the interval reading has no duration"),
        (hours([1], MIDNIGHT * 1000), WH, "line 4: the start is no time in seconds since 1970, before 2100"),
    ],
)
def test_what_cannot_be_told_refuses_the_file(readings: str, kind: str, problem: str) -> None:
    data = feed_of(meter(block(readings), kind))
    # the usage point is on line 2, the block on 3, its reading on 4, the meter reading on 5, its type on 6
    message = wrong(data)
    assert problem in message
    assert message.startswith("u.xml")
    assert "\n" not in message


def test_blocks_without_a_reading_type_need_the_feed_to_say_what_they_are() -> None:
    alone = feed_of(block(hours([5, 6])))
    assert "line 2: the block's reading type is not in the file" in wrong(alone)
    channel = FeedColumn("channel", "channel", constant="import")
    day = one(alone, with_columns(channel, curve=Curve(unit="kWh", scale=0.001)))
    assert (day["meter_id"], day["channel"], day["total_kwh"]) == ("P/UsagePoint/1", "import", 0.011)
    assert one(alone, with_columns(channel, curve=Curve(unit="kW", scale=2.0)))["total_kwh"] == 22.0
    # where the file says what it is, that holds
    full = feed_of(meter(block(hours([5, 6], seconds=900))))
    assert one(full, with_columns(channel, curve=Curve(unit="kW", scale=2.0)))["total_kwh"] == 0.011


def test_a_bare_block_is_of_no_meter_unless_the_feed_names_one() -> None:
    bare = f'<IntervalBlock xmlns="http://naesb.org/espi">{hours([5])}</IntervalBlock>'.encode()
    channel = FeedColumn("channel", "channel", constant="import")
    assert "line 1: no link leads from the block to its usage_point" in wrong(bare, with_columns(channel))
    named = with_columns(channel, FeedColumn("meter_id", "usage_point", constant="M1"))
    assert (one(bare, named)["meter_id"], one(bare, named)["total_kwh"]) == ("M1", 5)


def test_two_units_of_one_curve_are_not_guessed_about() -> None:
    power = meter(block(hours([7]), "P/UsagePoint/1/MeterReading/2"), WH.replace(">72<", ">38<"), number=2)
    data = feed_of(meter(block(hours([5]))), power)
    assert "a second reading type, of another unit or phase, has the same usage point and channel" in wrong(data)
    rows, _ = read(data, with_columns(FeedColumn("meter_id", "meter_reading")))
    assert [r["meter_id"][-1] for r in rows] == ["1", "2"]


def test_a_file_without_readings_says_what_it_holds_instead() -> None:
    summary = '<UsageSummary xmlns="http://naesb.org/espi"><value>5</value></UsageSummary>'
    assert wrong(feed_of(entry("P/UsageSummary/1", [], summary))) == (
        "u.xml: it holds no interval readings but 1 UsageSummary: deliver files with interval blocks."
    )
    assert "no interval readings and nothing else of Green Button" in wrong(b"<html/>")
    assert "no interval readings but 1 UsagePoint, 1 IntervalBlock, " in wrong(feed_of(meter(block(""))))


def test_a_declaration_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ValueError, match="needs columns for channel"):
        read(feed_of(), replace(FEED, columns=FEED.columns[:2]))
    with pytest.raises(ValueError, match=r"no source of green_button: \['address'\]"):
        read(feed_of(), with_columns(FeedColumn("meter_id", "address")))
    with pytest.raises(ValueError, match="takes no personal columns"):
        read(feed_of(), with_columns(FeedColumn("customer_no", "usage_point", personal="customer_no")))


def test_instants_are_utc() -> None:
    utc = replace(FEED, time_zone="UTC")
    day = one(feed_of(meter(block(hours([5], int(datetime(2024, 1, 15, 23, tzinfo=UTC).timestamp()))))), utc)
    assert (day["read_date"], day["kwh"][23]) == (date(2024, 1, 15), pytest.approx(0.005))
