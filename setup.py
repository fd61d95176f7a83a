"""Packaging of Wattlake.

The extras follow the places where parts of the suite run, so that a machine installs only what it needs: a Spark
worker (`spark`, `scoring`) needs neither Airflow nor MLflow, and a BI reader needs no Spark.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

EXTRAS = {
    # the JVM side of Delta 4.4.1 is not published everywhere packages are fetched from: stay on 4.4.0
    "spark": [
        "pyspark==4.2.0",
        "delta-spark==4.4.0",
        "grpcio>=1.76",
        "grpcio-status>=1.76",
        "googleapis-common-protos>=1.71",
        "zstandard>=0.25",
        "pandas>=2.2",
        "importlib_metadata<=8.7.1",
    ],
    "quality": ["great-expectations==1.24.1"],
    # what a Spark worker imports to apply a model; it trains none and tracks nothing
    "scoring": ["lightgbm>=4.7,<5", "threadpoolctl>=3.5", "pandas>=2.2"],
    "airflow": [
        "apache-airflow==3.3.2",
        "apache-airflow-providers-standard",
        # of the scripts in deploy/
        "httpx",
        "psutil",
        "apache-airflow-providers-fab>=3.10",
        "apache-airflow-providers-apache-spark>=6.3",
        # comes with the Spark provider, and would overwrite pyspark's own files in any other version
        "pyspark-client==4.2.0",
    ],
    "bi": ["deltalake>=1.6.6", "duckdb>=1.4", "pandas>=2.2"],
    "province": ["simbench>=1.6", "pandas>=2.2"],
}
# mlflow 3.18.0 names an mlflow-skinny that does not exist
EXTRAS["models"] = [*EXTRAS["scoring"], "mlflow==3.17.2", "scikit-learn>=1.6", "matplotlib>=3.9"]
EXTRAS["test"] = [
    "pytest>=8",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "openpyxl>=3.1",
]
EXTRAS["dev"] = [
    *EXTRAS["test"],
    "ruff>=0.14",
    "mypy>=1.18",
    "import-linter>=2.5",
    "pre-commit>=4",
    "pandas-stubs",
    "types-PyYAML",
    "uv>=0.13",
    "types-psutil",
]

setup(
    name="wattlake",
    version="0.1.0",
    description="Customer analytics lakehouse for provincial power companies: Airflow, PySpark, Delta, MLflow.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.12",
    packages=find_packages(
        include=["jobs", "jobs.*", "schemas", "schemas.*", "expectations", "expectations.*", "conf"]
    ),
    package_data={
        "conf": ["*.yaml", "*.xml", "*.properties", "feeds/*.yaml", "*/feeds/*.yaml"],
        "jobs": ["py.typed", "runtime/*.j2"],
        "schemas": ["py.typed"],
        "expectations": ["py.typed"],
    },
    install_requires=[
        "numpy>=2.2",
        "pyarrow>=21",
        "pydantic>=2.12",
        "pydantic-settings>=2.12",
        "PyYAML>=6",
        "typer>=0.20",
        "rich>=14",
        "cryptography>=46",
        "datafusion>=55",
        "deltalake>=1.6.6",
        "tenacity>=9",
        "filelock>=3.20",
        "chinesecalendar>=1.11",
        "holidays>=0.80",
        "tzdata",
        "jinja2>=3.1",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["wattlake=jobs.runtime.cli:main"]},
)
