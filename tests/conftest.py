"""One Spark session for all tests of a process that need one, and how tests are shared out between processes."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.session import REQUIRED_CONF
from tests.province import province, province_before_second_day, site

__all__ = ["province", "province_before_second_day", "site", "spark"]

JARS = Path(__file__).parents[1] / ".wattlake" / "jars"
# the folders whose tests take longest, in the order in which they are to begin
_LONGEST = ("jobs", "dags", "scenarios", "real")
# files whose tests share a province which takes minutes to make
_OF_PROVINCE = {
    "tests/dags/test_gate.py",
    *(f"tests/jobs/test_{name}.py" for name in ("kill", "mart_readers", "rerun", "vault")),
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share tests out by file, and leave those of the province to one process (pytest-xdist)."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "province" if file in _OF_PROVINCE else file

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    folder = Path(__file__).parent

    def begins(item: pytest.Item) -> int:
        part = item.path.relative_to(folder).parts[0]
        return _LONGEST.index(part) if part in _LONGEST else len(_LONGEST)

    items.sort(key=lambda item: (begins(item), item.nodeid.split("::", 1)[0] not in _OF_PROVINCE))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session of its own, in its own folder, so that tests share nothing with whoever else runs."""
    # instants come back as naive local times, so the machine's zone must not show
    os.environ["TZ"] = "UTC"
    time.tzset()
    home = tmp_path_factory.mktemp("spark")
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    conf = {
        "spark.jars": ",".join(str(jar) for jar in sorted(JARS.glob("*.jar"))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.local.dir": str(home / "local"),
        # a date is a local date and an instant is UTC, whatever machine runs the tests
        "spark.sql.session.timeZone": "UTC",
        # two hundred empty partitions would be most of the time of a test
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.memory": "2g",
        # a test's data are tiny: the time goes into planning, and into compiling code that runs once
        "spark.driver.extraJavaOptions": "-XX:ReservedCodeCacheSize=512m",
        "spark.sql.codegen.wholeStage": "false",
        **REQUIRED_CONF,
    }
    builder = SparkSession.builder.master("local[2]").appName("tests")
    for key, value in conf.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()
