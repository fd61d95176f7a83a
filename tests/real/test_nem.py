"""Files of the Australian market: AEMO's scenario files of many meter data providers, and deliberately broken ones.

What is expected was counted by PyPI nemreader 0.9.2 over the 169 files that are not broken: 247 NMIs and 128,523
readings. It counts each value of a 300 record, also of the quality null and of volts, and each 250 record once.
"""

import io
import re
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import functions as F

from jobs.kernels.files import BadFile
from jobs.kernels.readers import READERS
from jobs.runtime.feed_files import FeedFiles
from schemas import QUARANTINES
from schemas.channel_days import CHANNEL_DAYS
from schemas.feed import Curve, Feed
from schemas.meter_days import METER_DAYS
from tests.jobs.deliveries import POINT, POINT_HEADER, deliver, text
from tests.province import FIRST_DAY, Site

DATA = Path(__file__).parents[3] / "shared" / "data" / "formats_nem12_nem13" / "nem_reader_examples.tar.xz"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason=f"the market's example files are not there: {DATA}")

NMIS, READINGS = 247, 128_523
# a 300 record of it is broken over lines 27 to 29
BROKEN = "NEM12#Scenario10#ETSAMDP#NEMMCO.zip"

FEEDS = FeedFiles("examples", "Australia/Brisbane")
AS_SENT = Curve(day="clock")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Content by path in the archive, without its licence."""
    with tarfile.open(DATA) as archive:
        members = [member for member in archive if member.isfile() and member.name.startswith("examples/")]
        return {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def valid(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files which are meant to be read, by their names."""
    return {Path(name).name: data for name, data in files.items() if "/invalid/" not in name}


def feed_of(name: str, curve: Curve = AS_SENT) -> Feed:
    version = "nem13" if "nem13" in name.lower() else "nem12"
    feed = FEEDS.load(version)
    return feed if version == "nem13" else Feed(**{**vars(feed), "curve": curve})


def read(data: bytes, name: str, curve: Curve = AS_SENT) -> Iterator[pa.Table]:
    for rows, _ in READERS.read(data, name, feed_of(name, curve), b"", b""):
        yield rows


def nmis(rows: pa.Table) -> set[str]:
    return {stream.rpartition("-")[0] for stream in rows.column("meter_id").to_pylist()}


def readings(rows: pa.Table) -> int:
    """Values of all 300 records that went into the days; current readings of 250 records."""
    values = pc.list_value_length(rows.column("kwh")) if "kwh" in rows.column_names else 1
    return int(pc.sum(pc.multiply(rows.column("source_rows"), values)).as_py())


def test_the_valid_files_hold_what_another_reader_finds_in_them(valid: dict[str, bytes]) -> None:
    assert len(valid) == 169
    found: set[str] = set()
    count: Counter[str] = Counter()
    for name, data in valid.items():
        if name == BROKEN:
            continue
        for rows in read(data, name):
            found |= nmis(rows)
            count["nem13" if "nem13" in name.lower() else "nem12"] += readings(rows)
    assert count == {"nem12": 128_064, "nem13": 123}
    # what is missing is the file which is refused: the other reader leaves out its broken record and reads the rest
    with pytest.raises(BadFile, match=r"line 28: the line does not begin with the number of a record"):
        list(read(valid[BROKEN], BROKEN))
    with ZipFile(io.BytesIO(valid[BROKEN])) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    assert lines[26] == "300,20050113,"
    rest = [line for n, line in enumerate(lines, 1) if not 27 <= n <= 31]
    assert [line[:4] for line in lines[26:31]] == ["300,", "11,3", "37,2", "400,", "400,"]
    (rows,) = read("\n".join(rest).encode(), "NEM12.csv")
    assert readings(rows) == 336
    assert len(found | nmis(rows)) == NMIS
    assert count.total() + readings(rows) == READINGS


def test_nothing_in_the_valid_files_is_unreadable_but_readings_by_day(valid: dict[str, bytes]) -> None:
    unreadable: Counter[tuple[str, ...]] = Counter()
    for name, data in valid.items():
        for rows in read(data, name) if name != BROKEN else ():
            unreadable.update(tuple(columns) for columns in rows.column("unreadable").to_pylist() if columns)
    # of the 246 readings of meters which are read by a person
    assert unreadable == {("ReadDate",): 115}


def test_cutting_days_anew_moves_energy_and_loses_none(valid: dict[str, bytes]) -> None:
    for name, data in valid.items():
        if name == BROKEN or "nem13" in name.lower():
            continue
        sent, local = (list(read(data, name, Curve(day=day))) for day in ("clock", "elapsed"))
        for column in ("total_kwh", "measured_count", "estimated_count", "source_rows"):
            sums = [sum(pc.sum(rows.column(column)).as_py() or 0 for rows in tables) for tables in (sent, local)]
            assert sums[0] == pytest.approx(sums[1]), (name, column)
        first = min(pc.min(rows.column("read_date")).as_py() for rows in sent)
        assert min(pc.min(rows.column("read_date")).as_py() for rows in local) == first
        last = max(pc.max(rows.column("read_date")).as_py() for rows in sent)
        assert max(pc.max(rows.column("read_date")).as_py() for rows in local) <= last + timedelta(days=1)


def test_each_quality_of_an_example_goes_with_its_intervals(valid: dict[str, bytes]) -> None:
    (rows,) = read(valid["Example_NEM12_multiple_quality.csv"], "NEM12.csv")
    (row,) = rows.to_pylist()
    assert row["quality"] == [2] * 20 + [1] * 4 + [2] * 24
    assert (row["meter_id"], row["channel"], row["total_kwh"]) == ("CCCC123456-E1", "import", 896.99)


def test_each_stream_of_the_valid_files_is_in_the_table_of_its_channel(
    valid: dict[str, bytes], site: Site, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path_factory.mktemp("conf") / "conf"
    shutil.copytree(Path("conf"), conf)
    declared = (conf / "examples" / "feeds" / "nem12.yaml").read_text(encoding="utf-8")
    # the examples are called otherwise than the market's files
    (conf / "feeds" / "meter_days.yaml").write_text(re.sub(r"pattern: .*", 'pattern: "*"', declared), encoding="utf-8")
    shutil.copy(conf / "examples" / "feeds" / "channel_days.yaml", conf / "feeds")
    monkeypatch.setenv("WATTLAKE_CONF", str(conf))
    files = {name: data for name, data in valid.items() if name != BROKEN and "nem13" not in name.lower()}
    rows, energy, curves = Counter[str](), Counter[str](), set[tuple[str, str]]()
    of_file: Counter[str] = Counter()
    for name, data in files.items():
        for table in read(data, name):
            of_file[name] += pc.sum(table.column("source_rows")).as_py()
            for row in table.select(["meter_id", "read_date", "channel", "total_kwh"]).to_pylist():
                rows[row["channel"]] += 1
                energy[row["channel"]] += row["total_kwh"] or 0
                curves.add((row["meter_id"], row["read_date"], row["channel"]))
    # as counted by the suffix's letter: E, B, Q, K and V, which is volts
    assert rows == {"import": 637, "export": 132, "reactive_import": 111, "reactive_export": 76, "other": 2}
    keys = Counter(channel for _, _, channel in curves)
    assert keys == {"import": 600, "export": 129, "reactive_import": 110, "reactive_export": 76, "other": 1}
    meters = sorted({meter for meter, _, _ in curves})
    points = [POINT.replace("P1", f"P{n}").replace("M1", m).replace("2020-", "2000-") for n, m in enumerate(meters)]
    landing = site.home / "landing"
    deliver(landing, "metering_points", {"p.csv": text(POINT_HEADER, *points)})
    deliver(landing, "meter_days", files, rows=of_file)
    site.run("ingest_metering_points")
    # curves which come in several files, mostly alike
    said = site.run("ingest_meter_days")
    assert "639 rows read = 600 accepted + 3 superseding + 34 duplicate + 2 quarantined" in said
    said = site.run("ingest_channel_days")
    found = re.search(r"319 rows read = 315 accepted \+ (\d) superseding \+ (\d) duplicate \+ 0 quarantined", said)
    assert found, said
    assert int(found[1]) + int(found[2]) == 4
    lake = site.context("look", FIRST_DAY).lake
    held = lake.read(CHANNEL_DAYS).groupBy("channel").agg(F.count("*").alias("rows"), F.sum("total_kwh").alias("sum"))
    by_channel = {row.channel: (row.rows, row.sum) for row in held.collect()}
    assert {name: count for name, (count, _) in by_channel.items()} == {
        name: keys[name] for name in ("export", "reactive_import", "reactive_export")
    }
    # of the one channel in which no curve comes twice
    assert by_channel["reactive_export"][1] == pytest.approx(energy["reactive_export"]) == pytest.approx(121_907.573)
    imported = {meter for meter, _, channel in curves if channel == "import"}
    assert {row.meter_id for row in lake.read(METER_DAYS).select("meter_id").distinct().collect()} == imported
    refused = lake.read(QUARANTINES[METER_DAYS.name]).select("meter_id", "broken_rules").collect()
    assert {tuple(row.broken_rules) for row in refused} == {("MD-07",)}
    assert all("-V" in row.meter_id for row in refused)


def test_each_broken_file_is_refused_with_its_line_and_reason(files: dict[str, bytes]) -> None:
    said = {}
    for path, data in files.items():
        if "/invalid/" in path:
            name = Path(path).name
            with pytest.raises(BadFile) as caught:
                list(read(data, name))
            said[name.removeprefix("Example_")] = re.sub(r": [^:]*$", "", str(caught.value).removeprefix(name)).strip(
                ", :"
            )
    short = "line 3: the 300 record has 96 values where intervals of 30 minutes make 48"
    no_header = "line 2: the file does not begin with a 100 record: its header is missing"
    assert said == {
        "NEM12_15min_200_30min_300.csv": "line 3: the 300 record has 48 values where intervals of 15 minutes make 96",
        "NEM12_15min_200_30min_400.csv": "line 5: the 400 records end with interval 48, the day has 96",
        "NEM12_30min_200_15min_300.csv": short,
        "NEM12_30min_200_15min_400.csv": short,
        "NEM12_empty.csv": "line 2: the file holds no readings: its end follows its header",
        "NEM12_incomplete_interval.csv": "line 3: the 300 record has 0 values where intervals of 30 minutes make 48",
        "NEM12_missing_header.csv": no_header,
        "NEM12_powercor.csv": no_header,
        "NEM12_powercor.csv.zip": no_header,
        "NEM12_powercor_missing_fields.csv": no_header,
        "empty_file.csv": "the file is empty (0 bytes)",
    }
