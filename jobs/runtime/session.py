"""The Spark session of a job: its own, or one at a Spark Connect server.

Jobs use DataFrames and SQL only, so that both do the same. Nothing else in the project makes a session.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from jobs.runtime.errors import UserError
from jobs.runtime.settings import SparkSettings, conf_folder

JAVA_VERSIONS = range(17, 22)

DELTA_CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

# joined by meter and date, what was brought together by meter stays so: kernels look at the dates beside a date
REQUIRED_CONF = {"spark.sql.requireAllClusterKeysForCoPartition": "false"}


def open_session(settings: SparkSettings, app_name: str) -> Any:
    """A session as the settings say. UserError when Java, Delta's jars or the server are not there."""
    # workers must run this very environment, not the first python3 on the path
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    return _remote(settings) if settings.remote else _own(settings, app_name)


def interpret(session: Any, settings: SparkSettings, *, is_wanted: bool) -> None:
    """Whether a session runs its plans as they are: no code is compiled for them, and none is planned anew midway."""
    usual = settings.conf.get("spark.sql.adaptive.enabled", "true")
    session.conf.set("spark.sql.adaptive.enabled", "false" if is_wanted else usual)
    session.conf.set("spark.sql.codegen.wholeStage", str(not is_wanted).lower())
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN" if is_wanted else "FALLBACK")


def _remote(settings: SparkSettings) -> Any:
    from pyspark.sql import SparkSession

    try:
        session = SparkSession.builder.remote(settings.remote or "").getOrCreate()
        for key, value in {**settings.conf, **REQUIRED_CONF}.items():
            session.conf.set(key, value)
    except Exception as error:
        if "UNAVAILABLE" in str(error) or "refused" in str(error):
            raise UserError(f"No Spark Connect server answers at {settings.remote}: start it (`make up`).") from error
        raise
    return session


def _own(settings: SparkSettings, app_name: str) -> Any:
    from pyspark.sql import SparkSession

    check_java()
    jars = delta_jars(settings.jars)
    builder = (
        SparkSession.builder.appName(app_name)
        .master(settings.master)
        .config("spark.jars", ",".join(str(jar) for jar in jars))
        .config("spark.driver.memory", settings.driver_memory)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
    )
    log4j = conf_folder().resolve() / "log4j2.properties"
    if log4j.exists():
        # without it a job's own lines drown in Spark's
        builder = builder.config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={log4j.as_uri()}")
    for key, value in {**DELTA_CONF, **settings.conf, **settings.cluster_conf, **REQUIRED_CONF}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def delta_jars(folder: Path) -> list[Path]:
    """Delta's jars in the folder; UserError when there are none."""
    jars = sorted(folder.glob("delta-*.jar"))
    if not jars:
        raise UserError(f"Delta's jars are not in {folder}: run `make setup`.")
    return [jar.resolve() for jar in jars]


def check_java() -> str:
    """The Java that Spark would start. UserError unless Spark runs on it."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if java is None:
        where = f"in JAVA_HOME, which is {home}" if home else "on the path"
        raise UserError(
            f"Java is not there, {where}. Install Java 17 (Debian: openjdk-17-jre-headless) or set JAVA_HOME to it."
        )
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        said = ""
    words = said.split('"')
    version = words[1] if len(words) > 1 else ""
    major = version.removeprefix("1.").split(".")[0].split("-")[0]
    if not major.isdigit() or int(major) not in JAVA_VERSIONS:
        raise UserError(f"Java {version or 'of unknown version'} at {java} does not fit: Spark 4 needs Java 17 to 21.")
    return java


def print_java() -> None:
    """Print the Java that Spark would start, for `make setup`; else one line saying what to do, and exit code 2."""
    try:
        print(check_java())  # noqa: T201 - what the caller reads
    except UserError as error:
        print(f"wattlake: {error}", file=sys.stderr)  # noqa: T201 - the one line a user reads
        raise SystemExit(2) from None
