"""A small province in a folder of its own, and the real jobs on it in one session."""

import importlib
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.runtime.context import Context
from jobs.runtime.settings import Settings, load_settings
from schemas import TABLES

FIRST_DAY = date(2025, 6, 27)
SECOND_DAY = date(2025, 6, 28)

INGEST = (
    "ingest_calendar",
    "ingest_tariffs",
    "ingest_class_profiles",
    "ingest_customers",
    "ingest_metering_points",
    "ingest_weather_hours",
    "ingest_meter_days",
    "ingest_register_readings",
    "ingest_bills",
    "ingest_bill_lines",
    "ingest_payments",
    "ingest_complaints",
)
VALIDATE = ("build_meter_profiles", "build_validated_days")
DISTRICTS = ("build_district_days", "build_meter_levels")
BUILD = (*VALIDATE, "build_customer_days", "build_customer_months", "build_area_loads", *DISTRICTS)
TRAIN = ("train_segments", "train_usage_forecast")
SCORE = ("score_segments", "score_usage_forecast")
PUBLISH = ("publish_customer_tables",)


def settings_at(home: Path) -> Settings:
    """Settings of the base environment with everything under one folder."""
    base = load_settings(None)
    return base.model_copy(
        update={
            "lake": base.lake.model_copy(update={"root": home / "lake"}),
            "landing": base.landing.model_copy(update={"root": home / "landing"}),
            "tracking": base.tracking.model_copy(
                update={"uri": f"sqlite:///{home}/mlflow.db", "artifacts": home / "mlartifacts"}
            ),
            "secrets": base.secrets.model_copy(update={"folder": home / "secrets", "generate": True}),
            "quality": base.quality.model_copy(update={"docs": home / "docs"}),
            "forecast": base.forecast.model_copy(update={"backtest_origins": 1, "train_rows": 20000}),
            "segments": base.segments.model_copy(
                update={"history_days": 28, "judge_days": 14, "k_min": 2, "k_max": 3, "bootstraps": 3}
            ),
        }
    )


def job_environment(home: Path) -> dict[str, str]:
    """Variables by which a job in a process of its own works on a site, in a session of its own."""
    return {
        "WATTLAKE_LAKE__ROOT": str(home / "lake"),
        "WATTLAKE_LANDING__ROOT": str(home / "landing"),
        "WATTLAKE_SECRETS__FOLDER": str(home / "secrets"),
        "WATTLAKE_SECRETS__GENERATE": "true",
        "WATTLAKE_TRACKING__URI": f"sqlite:///{home}/mlflow.db",
        "WATTLAKE_TRACKING__ARTIFACTS": str(home / "mlartifacts"),
        "WATTLAKE_QUALITY__DOCS": str(home / "docs"),
        "WATTLAKE_SPARK__MASTER": "local[2]",
        "WATTLAKE_SPARK__DRIVER_MEMORY": "1g",
    }


@dataclass(frozen=True)
class Site:
    """A lake with its landing area, and a session."""

    home: Path
    spark: SparkSession

    def copy(self, home: Path) -> "Site":
        """The same site in another folder."""
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        return Site(home, self.spark)

    def context(self, job: str, day: date, **options: str) -> Context:
        ctx = Context(job=job, date=day, settings=settings_at(self.home), options=options)
        ctx.__dict__["spark"] = self.spark
        return ctx

    def run(self, job: str, day: date = FIRST_DAY, **options: str) -> str:
        return str(importlib.import_module(f"jobs.{job}").run(self.context(job, day, **options)))

    def fingerprints(self, *layers: str) -> dict[str, tuple[int, int]]:
        """Rows and a hash over the rows of every table in the layers that exists."""
        lake = self.context("look", FIRST_DAY).lake
        found = {}
        for table in TABLES.values():
            if table.layer in layers and lake.exists(table):
                rows = lake.read(table)
                # a map has no hash in Spark: as text it has
                texts = [F.to_json(F.struct(name)) for name in rows.columns]
                count, total = rows.agg(F.count("*"), F.sum(F.xxhash64(*texts).cast("decimal(38,0)"))).collect()[0]
                found[table.name] = (count, int(total or 0))
        return found


@pytest.fixture
def site(tmp_path: Path, spark: SparkSession) -> Site:
    """An empty site."""
    return Site(tmp_path, spark)


@pytest.fixture(scope="session")
def province_before_second_day(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Site:
    """A province of 120 customers and 112 days, published for its first day; the second day's deliveries are landed."""
    site = Site(tmp_path_factory.mktemp("first") / "province", spark)
    site.run("generate_province", FIRST_DAY, customers="120", history_days="112")
    for job in (*INGEST, *BUILD, *TRAIN, *SCORE, *PUBLISH):
        site.run(job, FIRST_DAY)
    site.run("generate_province", SECOND_DAY)
    return site


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory, province_before_second_day: Site) -> Site:
    """The same province, run to the publication of its second day."""
    home = tmp_path_factory.mktemp("second") / "province"
    shutil.copytree(province_before_second_day.home, home)
    site = Site(home, province_before_second_day.spark)
    for job in (*INGEST, *BUILD, *SCORE, *PUBLISH):
        site.run(job, SECOND_DAY)
    return site
