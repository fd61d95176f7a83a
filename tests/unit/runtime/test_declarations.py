import re
from pathlib import Path
from typing import get_args

import pytest

from jobs.runtime.errors import UserError
from jobs.runtime.feed_files import FeedFiles
from schemas import TABLES
from schemas.feed import CURVE_READERS, CURVE_TARGETS, Feed, Reader

WIDE = """
table: core.meter_days
reader: curve_wide
columns:
  - {target: meter_id, source: meter}
  - {target: read_date, source: day, type: date}
"""
LONG = """
table: core.meter_days
reader: curve_long
columns:
  - {target: meter_id, source: meter}
  - {target: interval_at, source: time}
  - {target: value, source: kwh}
"""
QUALITY = "  - {target: quality, source: flag, values: {A: measured, E: estimated, F: edited, N: missing}}\n"


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, declared: str) -> Feed:
    (folder / "feeds").mkdir()
    (folder / "feeds" / "x.yaml").write_text(declared, encoding="utf-8")
    monkeypatch.setenv("WATTLAKE_CONF", str(folder))
    return FeedFiles(None, "Australia/Sydney").load("x")


GOOD = {
    "wide": WIDE,
    "wide with quality": WIDE + QUALITY,
    "wide, all of it estimated": WIDE + "  - {target: quality, constant: estimated}\n",
    "wide by number": WIDE + "curve: {point_format: 'P{n}', day: elapsed}\n",
    "wide by position": WIDE + "curve: {first_point: 3}\n",
    "wide without header": WIDE.replace("meter}", "'1'}").replace("day,", "'2',")
    + "has_header: false\ncurve: {first_point: 3}\n",
    "long": LONG,
    "long with quality": LONG + QUALITY,
    "long with offsets": LONG + "curve: {stamps: offset, stamp_format: '%d.%m.%Y %H:%M %z', day: elapsed}\n",
    "parquet": LONG.replace("curve_long", "curve_parquet"),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_declaration_that_can_be_used_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    feed = load(tmp_path, monkeypatch, GOOD[case])
    assert feed.time_zone == "Australia/Sydney"
    assert feed.pattern == ("*.parquet" if case == "parquet" else "*.csv")


WRONG = {
    "long without stamp": (LONG.replace("interval_at", "stamp"), "curve_long needs the target interval_at"),
    "long without value": (LONG.replace("value", "kwh"), "curve_long needs the target value"),
    "long without meter": (LONG.replace("meter_id", "meter"), "curve_long needs the target meter_id"),
    "parquet without stamp": (
        LONG.replace("interval_at", "stamp").replace("curve_long", "curve_parquet"),
        "curve_parquet needs the target interval_at",
    ),
    "long with a constant value": (LONG.replace("source: kwh", "constant: '1'"), "value needs a `source`"),
    "long with an optional stamp": (
        LONG.replace("source: time", "source: time, optional: true"),
        "interval_at takes no",
    ),
    "long with a date": (LONG + "  - {target: read_date, source: d, type: date}\n", "leave it out"),
    "long with offsets in local stamps": (LONG + "curve: {stamp_format: '%Y %z'}\n", "a format with %z has offsets"),
    "long without offsets": (LONG + "curve: {stamps: offset, stamp_format: '%Y'}\n", "need %z"),
    "wide without date": (WIDE.replace("read_date", "day"), "curve_wide needs the target read_date"),
    "wide with a text as date": (WIDE.replace(", type: date", ""), "read_date needs `type: date`"),
    "wide with a value": (WIDE + "  - {target: value, source: kwh}\n", "value is of a reader with one row an interval"),
    "position and format": (WIDE + "curve: {first_point: 3, point_format: '%H%M'}\n", "leave one of them out"),
    "position before the first": (WIDE + "curve: {first_point: 0}\n", "positions in a row begin with 1"),
    "headless without position": (WIDE + "has_header: false\n", "it must say where the points begin"),
    "headless with names": (WIDE + "has_header: false\ncurve: {first_point: 3}\n", "such as '1', not 'meter'"),
    "points alike": (WIDE + "curve: {point_format: '%H'}\n", "names several points alike"),
    "no point format": (WIDE + "curve: {point_format: P}\n", "names several points alike"),
    "an interval that does not divide the day": (WIDE + "curve: {interval_minutes: 7}\n", "intervals of 7 minutes"),
    "no interval": (LONG + "curve: {interval_minutes: 0}\n", "intervals of 0 minutes"),
    "an interval that does not divide the hour": (
        LONG + "curve: {interval_minutes: 120, day: elapsed}\n",
        "must divide an hour",
    ),
    "personal": (LONG + "  - {target: name, source: n, personal: name}\n", "takes no personal columns"),
    "unpivot": (LONG + "unpivot: {a: b}\n", "curve_long has none"),
    "an unknown quality": (LONG + QUALITY.replace("estimated", "guessed"), "not guessed"),
    "a quality without codes": (WIDE + "  - {target: quality, source: flag}\n", "quality needs `values`"),
    "an unknown quality for all": (WIDE + "  - {target: quality, constant: ok}\n", "not ok"),
    "a target twice": (LONG + "  - {target: value, source: kwh2}\n", "value declared more than once"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_declaration_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    declared, said = WRONG[case]
    with pytest.raises(UserError, match=r"x\.yaml cannot be used: ") as raised:
        load(tmp_path, monkeypatch, declared)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


GUIDE = Path(__file__).parents[3] / "docs" / "feeds.md"
EXAMPLES = [
    text for text in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S) if "reader:" in text
]


def test_every_reader_has_an_example() -> None:
    readers = {line.split()[1] for text in EXAMPLES for line in text.splitlines() if line.startswith("reader:")}
    assert readers | {"nem13"} == set(get_args(Reader))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_guide_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    feed = load(tmp_path, monkeypatch, example)
    assert feed.table in TABLES
    special = CURVE_TARGETS if feed.reader in CURVE_READERS else set()
    known = {column.name for column in TABLES[feed.table].columns} | {"customer_no", "channel"} | special
    assert {column.target for column in feed.columns} <= known
