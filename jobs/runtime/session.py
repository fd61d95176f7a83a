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


def open_session(settings: SparkSettings, app_name: str) -> Any:
    """A session as the settings say. UserError when Java, Delta's jars or the server are not there."""
    # workers must run this very environment, not the first python3 on the path
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    return _remote(settings) if settings.remote else _own(settings, app_name)


def interpret(session: Any) -> None:
    """Let a session run its plans as they are, without compiling code for each."""
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")


def _remote(settings: SparkSettings) -> Any:
    from pyspark.sql import SparkSession

    try:
        session = SparkSession.builder.remote(settings.remote or "").getOrCreate()
        for key, value in settings.conf.items():
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
    for key, value in {**DELTA_CONF, **settings.conf, **settings.cluster_conf}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def delta_jars(folder: Path) -> list[Path]:
    """Delta's jars in the folder; UserError when there are none."""
    jars = sorted(folder.glob("delta-*.jar"))
    if not jars:
        raise UserError(f"Delta's jars are not in {folder}: run `make setup`.")
    return [jar.resolve() for jar in jars]


def check_java() -> None:
    """UserError unless the Java that Spark would start is one it runs on."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise UserError("Java is not there. Install Java 17 (Debian: openjdk-17-jre-headless) or set JAVA_HOME to it.")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    words = said.split('"')
    version = words[1] if len(words) > 1 else ""
    major = version.removeprefix("1.").split(".")[0].split("-")[0]
    if not major.isdigit() or int(major) not in JAVA_VERSIONS:
        raise UserError(f"Java {version or 'of unknown version'} at {java} does not fit: Spark 4 needs Java 17 to 21.")
