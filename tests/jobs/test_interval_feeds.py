"""Other shapes of interval feeds through the same job: only the feed's file differs."""

import io
import os
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from jobs.runtime.errors import DataError
from schemas import QUARANTINES
from schemas.meter_days import METER_DAYS
from tests.jobs.deliveries import POINT, POINT_HEADER, deliver, text
from tests.province import FIRST_DAY, Site

LONG = """
table: core.meter_days
reader: curve_long
time_zone: Europe/London
curve: {interval_minutes: 60, label: start, day: elapsed, stamps: local}
columns:
  - {target: meter_id, source: meter}
  - {target: interval_at, source: time}
  - {target: value, source: kwh}
  - {target: quality, source: flag, values: {A: measured, E: estimated}}
"""
HEADER = "meter,time,kwh,flag"
# the repeated hour stands twice
HOURS = ["2024-10-27T00:00", "2024-10-27T01:00", *(f"2024-10-27T{hour:02d}:00" for hour in range(1, 24))]


@pytest.fixture
def interval_site(site: Site, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with one metering point, whose source of curves has a row an interval."""
    conf = tmp_path_factory.mktemp("conf") / "conf"
    shutil.copytree(Path("conf"), conf)
    (conf / "feeds" / "meter_days.yaml").write_text(LONG, encoding="utf-8")
    monkeypatch.setenv("WATTLAKE_CONF", str(conf))
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, POINT)})
    site.run("ingest_metering_points")
    return site


def test_single_intervals_become_days_and_what_has_no_place_is_quarantined(interval_site: Site) -> None:
    rows = [f"M1,{hour},{n}.5,{'E' if n == 3 else 'A'}" for n, hour in enumerate(HOURS)]
    lost = ["M1,2024-03-31T01:00,1,A", "M1,soon,1,A", ",2024-10-26T00:00,1,A", "M1,2024-10-26T00:00,x,A"]
    deliver(interval_site.home / "landing", "meter_days", {"m.csv": text(HEADER, *rows, *lost)})
    assert "5 rows read = 1 accepted + 0 superseding + 0 duplicate + 4 quarantined" in interval_site.run(
        "ingest_meter_days"
    )
    lake = interval_site.context("look", FIRST_DAY).lake
    (day,) = lake.read(METER_DAYS).collect()
    assert (day.meter_id, day.read_date, day.interval_minutes) == ("M1", date(2024, 10, 27), 60)
    assert day.kwh == [n + 0.5 for n in range(25)]
    assert list(day.quality) == [1, 1, 1, 2, *[1] * 21]
    assert (day.measured_count, day.estimated_count, day.missing_count) == (24, 1, 0)
    held = lake.read(QUARANTINES["core.meter_days"]).orderBy("source_row").collect()
    assert [(row.source_row, row.unreadable) for row in held] == [
        (26, ["time"]), (27, ["time"]), (28, ["meter"]), (29, ["kwh"])
    ]  # fmt: skip
    assert all("MD-00" in row.broken_rules for row in held)
    assert held[1].raw_values["time"] == "soon"
    assert interval_site.run("ingest_meter_days").startswith("0 delivery(ies)")


def test_the_manifest_states_the_rows_of_the_file_and_not_its_days(interval_site: Site) -> None:
    rows = [f"M1,{hour},1,A" for hour in HOURS]
    deliver(interval_site.home / "landing", "meter_days", {"m.csv": text(HEADER, *rows)}, rows={"m.csv": 1})
    with pytest.raises(DataError, match="states 1 rows, the file has 25"):
        interval_site.run("ingest_meter_days")


def test_the_share_of_bad_rows_is_one_of_the_file_and_not_of_its_days(interval_site: Site) -> None:
    good = [f"M1,2024-10-{day}T{hour:02d}:00,1,A" for day in range(20, 24) for hour in range(24)]
    data = text(HEADER, *good, *(f"M1,soon,{n},A" for n in range(60)))
    deliver(interval_site.home / "landing", "meter_days", {"m.csv": data})
    assert "64 rows read = 4 accepted + 0 superseding + 0 duplicate + 60 quarantined" in interval_site.run(
        "ingest_meter_days"
    )
    worse = text(HEADER, *good, *(f"M1,soon,{n},A" for n in range(100)))
    deliver(interval_site.home / "landing", "meter_days", {"m.csv": worse}, delivery_id="d2")
    with pytest.raises(DataError, match="100 of its 196 rows break an error rule, most of them MD-00"):
        interval_site.run("ingest_meter_days")


def test_intervals_of_a_parquet_file_become_the_same_days(interval_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Path(os.environ["WATTLAKE_CONF"]) / "feeds" / "meter_days.yaml"
    feed.write_text(LONG.replace("curve_long", "curve_parquet"), encoding="utf-8")
    sink = io.BytesIO()
    columns = {"meter": ["M1"] * 25, "time": HOURS, "kwh": [float(n) for n in range(25)], "flag": ["A"] * 25}
    parquet.write_table(pa.table(columns), sink)
    data = {"m.parquet": sink.getvalue()}
    deliver(interval_site.home / "landing", "meter_days", data, rows={"m.parquet": 25})
    assert "1 rows read = 1 accepted" in interval_site.run("ingest_meter_days")
    (day,) = interval_site.context("look", FIRST_DAY).lake.read(METER_DAYS).collect()
    assert (day.read_date, day.kwh) == (date(2024, 10, 27), list(range(25)))
