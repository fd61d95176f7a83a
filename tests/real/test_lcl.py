"""London's real readings: all files as deliveries, and some of them through the real jobs."""

import importlib
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.context import Context
from jobs.runtime.settings import load_settings
from schemas.features import CUSTOMER_DAYS
from schemas.meter_days import METER_DAYS
from schemas.ops import DELIVERIES, RECONCILIATION
from tests.province import VALIDATE

DATA = Path(__file__).parents[3] / "shared" / "data" / "lcl_london_dev"
LAST = date(2013, 12, 31)
PARTS = ("accepted", "superseding", "duplicate", "quarantined")
pytestmark = pytest.mark.skipif(
    not (DATA / "halfhourly_2013_wide48.tar.xz").is_file(), reason=f"the London readings are not there: {DATA}"
)


class London:
    """The environment `lcl` in a folder of its own."""

    def __init__(self, home: Path, spark: SparkSession | None = None) -> None:
        held = load_settings("lcl")
        self._spark = spark
        self.landing = home / "landing"
        self.settings = held.model_copy(
            update={
                "lake": held.lake.model_copy(update={"root": home / "lake"}),
                "landing": held.landing.model_copy(update={"root": self.landing}),
                "secrets": held.secrets.model_copy(update={"folder": home / "secrets"}),
                "quality": held.quality.model_copy(update={"docs": home / "docs"}),
            }
        )

    def context(self, job: str, **options: str) -> Context:
        ctx = Context(job=job, date=LAST, settings=self.settings, env="lcl", options=options)
        if self._spark is not None:
            ctx.__dict__["spark"] = self._spark
        return ctx

    def run(self, job: str, **options: str) -> str:
        return str(importlib.import_module(f"jobs.{job}").run(self.context(job, **options)))

    def reconciled(self, feed: str) -> dict[str, tuple[int, ...]]:
        """Rows read, and what became of them in the order of PARTS, by delivery."""
        rows = self.context("look").books.read(RECONCILIATION, feed=feed)
        return {row["delivery_id"]: (row["rows_read"], *(row[f"rows_{part}"] for part in PARTS)) for row in rows}


def test_the_34_block_files_hold_what_is_said_of_them(tmp_path: Path) -> None:
    london = London(tmp_path)
    said = london.run("prepare_lcl", source=str(DATA))
    assert "34 block files with 258,860 rows = 253,237 household-days of 724 households + 5,623 repeated" in said
    assert "160,795 daily totals (1,163 of parts of days left out)" in said
    manifests = [json.loads(path.read_text()) for path in (london.landing / "meter_days").rglob("_manifest.json")]
    assert len(manifests) == 34
    assert sum(file["rows"] for manifest in manifests for file in manifest["files"]) == 258_860
    came = [datetime.fromisoformat(manifest["received_at"]) for manifest in manifests]
    assert len(set(came)) == 34
    assert min(came) > datetime(2014, 1, 1, tzinfo=UTC)
    sums: dict[str, list[str]] = {}
    for manifest in manifests:
        sums.setdefault(manifest["files"][0]["sha256"], []).append(manifest["delivery_id"])
    assert [sorted(names) for names in sums.values() if len(names) > 1] == [["block4sep", "block5sep"]]


@pytest.fixture(scope="module")
def some_blocks(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> London:
    """Two block files, one of them twice, up to customer days."""
    london = London(tmp_path_factory.mktemp("lcl"), spark)
    london.run("prepare_lcl", source=str(DATA), blocks="block4sep,block5sep,block146sep")
    for noun in ("customers", "metering_points", "tariffs", "calendar", "weather_hours"):
        if (london.landing / noun).is_dir():
            london.run(f"ingest_{noun}")
    london.run("ingest_meter_days")
    london.run("ingest_register_readings")
    for job in (*VALIDATE, "build_customer_days"):
        london.run(job)
    return london


def test_a_block_delivered_twice_is_counted_as_duplicate_and_not_loaded(some_blocks: London) -> None:
    reconciled = some_blocks.reconciled("meter_days")
    assert reconciled["block4sep"] == (5623, 5623, 0, 0, 0)
    assert reconciled["block5sep"] == (5623, 0, 0, 5623, 0)
    for name, (read, *parts) in reconciled.items():
        stated = some_blocks.landing / "meter_days" / "2013-12-31" / name / "_manifest.json"
        assert read == sum(parts) == json.loads(stated.read_text())["files"][0]["rows"], name
    loaded = some_blocks.context("look").lake.read(METER_DAYS)
    assert loaded.count() == sum(counts[1] for counts in reconciled.values())
    assert loaded.where("delivery_id = 'block5sep'").isEmpty()
    ledger = some_blocks.context("look").books.read(DELIVERIES, feed="meter_days", delivery_id="block5sep")
    assert [(row["status"], row["reason"]) for row in ledger] == [("duplicate", "same content as block4sep")]


def test_a_rerun_finds_nothing_new(some_blocks: London) -> None:
    before = some_blocks.context("look").lake.version(METER_DAYS)
    assert some_blocks.run("ingest_meter_days").startswith("0 delivery(ies)")
    assert some_blocks.context("look").lake.version(METER_DAYS) == before


def test_days_agree_with_the_daily_totals_of_the_other_copy(some_blocks: London) -> None:
    days = some_blocks.context("look").lake.read(CUSTOMER_DAYS)
    counted = {row.sum_check: row["count"] for row in days.groupBy("sum_check").count().collect()}
    ((read, accepted, *_),) = some_blocks.reconciled("register_readings").values()
    assert counted.get("ok") == accepted == read > 3000
    assert "failed" not in counted
    said = some_blocks.run("report_sum_check")
    assert f"{read:,} ok, 0 failed, {days.count() - read:,} not_checked" in said


def test_use_at_the_dear_hours_of_the_price_signal_is_peak_use(some_blocks: London) -> None:
    days = some_blocks.context("look").lake.read(CUSTOMER_DAYS)
    # the first dates on which the signal leaves the normal level are in January
    by_period = days.selectExpr("sum(kwh_peak) AS peak", "sum(kwh_valley) AS valley", "sum(kwh_sharp) AS sharp")
    (row,) = by_period.collect()
    assert row.peak > 0
    assert row.valley > 0
    assert not row.sharp
