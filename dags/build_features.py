"""Features: core -> features.

Starts for a date when every core table that it reads has been updated for it. Validates and estimates the meter days,
and recomputes the customer days, customer months, area loads and balances of districts which the new deliveries touch,
however late they came, and nothing else; then looks for meters whose level broke.

**When it is red.** The last lines of the failed task say what did not hold; exit code 3 means that a suite of
`expectations/` refused the result and the tables are as they were. Repair the input (see its ingest DAG), then clear
the task.

**When it does not start.** One of the ingest DAGs has not run for the date, or was started without it. Start this DAG
by hand with the date: it takes up whatever has been loaded by then.

**Is a rerun safe?** Yes: it replaces the slices it recomputes, each in one commit.
"""

from airflow.sdk import DAG
from spark_job import CORE_TABLES, DAG_SETTINGS, spark_job, when_updated

CORE = when_updated(*CORE_TABLES)

with DAG("build_features", doc_md=__doc__, schedule=CORE, tags=["features"], **DAG_SETTINGS):
    meter_profiles = spark_job("build_meter_profiles", outlets=["features.meter_profiles"])
    validated_days = spark_job("build_validated_days", outlets=["features.validated_days"])
    customer_days = spark_job("build_customer_days", outlets=["features.customer_days"])
    customer_months = spark_job("build_customer_months", outlets=["features.customer_months"])
    area_loads = spark_job("build_area_loads", outlets=["features.area_loads"])
    district_days = spark_job("build_district_days", outlets=["features.district_days"])
    meter_levels = spark_job("build_meter_levels", outlets=["features.meter_levels"])

    meter_profiles >> validated_days >> [customer_days, area_loads, district_days]
    customer_days >> customer_months
    district_days >> meter_levels
