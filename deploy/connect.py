"""The embedded Spark Connect server: one warm JVM which all jobs of an environment share.

Its settings are the measured ones of docs/operations.md. Sign-in is by a token, on the loopback interface only.
"""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil
from children import ServiceError

TOKEN_VARIABLE = "SPARK_CONNECT_AUTHENTICATE_TOKEN"
DRIVER = Path(__file__).parent / "connect_driver.py"
LOG4J = Path(__file__).resolve().parents[1] / "conf" / "log4j2.properties"
FAIR_SCHEDULER = Path(__file__).parent / "fairscheduler.xml"
LARGEST_HEAP_GB = 6
# With the quick compiler alone the first minute is faster, and every day's jobs after it take a third longer: they are
# mostly planning, the same code again and again. The default code cache is filled in the middle of a day's jobs; the
# JVM then throws compiled code away and interprets.
JAVA_OPTIONS = "-XX:ReservedCodeCacheSize=512m"

CONF = {
    "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.driver.host": "localhost",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # a Derby metastore would appear in the working directory, and nothing here needs one
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.enabled": "true",
    # the default of 50 costs 80 % more cpu on a small merge
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # two jobs at a time share the cores evenly instead of one waiting for the other
    "spark.scheduler.mode": "FAIR",
    "spark.scheduler.allocation.file": FAIR_SCHEDULER.as_uri(),
}


def spark_home() -> Path:
    """The folder of the installed pyspark package."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ServiceError("pyspark is not installed: run `make setup`.")
    return Path(spec.origin).parent


def delta_jars(folder: Path) -> list[Path]:
    """Delta's jars in the folder, which `make setup` fills. ServiceError where there are none."""
    jars = sorted(folder.resolve().glob("delta-*.jar"))
    if not jars:
        raise ServiceError(f"Delta's jars are not in {folder}: run `make setup`.")
    return jars


def heap() -> str:
    """Heap of the server: half of the machine's memory, at most LARGEST_HEAP_GB; WATTLAKE_SPARK__DRIVER_MEMORY wins."""
    half = psutil.virtual_memory().total // 2**31
    return os.environ.get("WATTLAKE_SPARK__DRIVER_MEMORY") or f"{max(1, min(LARGEST_HEAP_GB, half))}g"


def server_command(port: int, jars: Path, scratch: Path) -> list[str]:
    """The command that starts the server on this port."""
    conf = {
        **CONF,
        "spark.connect.grpc.binding.port": str(port),
        "spark.local.dir": str(scratch.resolve()),
        "spark.sql.warehouse.dir": str(scratch.resolve() / "warehouse"),
    }
    java_options = (
        f"-Dlog4j2.configurationFile={LOG4J.as_uri()} -XX:+UseParallelGC -Djava.io.tmpdir={scratch.resolve()} "
        + os.environ.get("WATTLAKE_CONNECT_JAVA_OPTIONS", JAVA_OPTIONS)
    )
    return [
        str(spark_home() / "bin" / "spark-submit"),
        *("--name", "wattlake"),
        *("--master", os.environ.get("WATTLAKE_SPARK__MASTER", "local[*]")),
        *("--driver-memory", heap()),
        *("--driver-class-path", ":".join(str(jar) for jar in delta_jars(jars))),
        *("--driver-java-options", java_options),
        *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
        str(DRIVER),
    ]


def server_environment(token: str) -> dict[str, str]:
    """Variables of the server's process. Its Python workers must run this very environment."""
    return {
        **spark_environment(os.environ),
        TOKEN_VARIABLE: token,
    }


def spark_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Variables of any Spark process on this machine."""
    return {
        **inherited,
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        # BLAS threads of the Python workers would fight the tasks for the cores
        "OMP_NUM_THREADS": "1",
    }


def client_environment(port: int, token: str) -> dict[str, str]:
    """Variables by which a job finds the server. The name must be localhost: for any other the client wants TLS."""
    return {"WATTLAKE_SPARK__REMOTE": f"sc://localhost:{port}", TOKEN_VARIABLE: token}
