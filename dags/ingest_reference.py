"""Master data: landing -> core.

Loads customers, metering points, weather, calendar, tariffs and class profiles delivered by the run's date.
`ingest_customers` also writes the vault: names, phone numbers and addresses go there, encrypted, and nowhere else.
Class profiles may never come: `derive_class_profiles`, by hand, makes a delivery of them where nobody publishes any.

**When it is red.** The last lines of the failed task name the file, the rows and the rule. Exit code 3: the delivery
was refused and nothing of it stored; ask for a new one, then clear the task. Exit code 2 is a setting, for example a
missing key of the vault. A crash has been tried three times and can be cleared as it is.

**Is a rerun safe?** Yes: what was loaded is not loaded again.
"""

from airflow.sdk import DAG
from run_date import daily
from spark_job import DAG_SETTINGS, spark_job

with DAG("ingest_reference", doc_md=__doc__, schedule=daily("01:30"), tags=["ingest", "reference"], **DAG_SETTINGS):
    spark_job("ingest_customers", outlets=["core.customers", "vault.customer_identities"])
    spark_job("ingest_metering_points", outlets=["core.metering_points"])
    spark_job("ingest_weather_hours", outlets=["core.weather_hours"])
    spark_job("ingest_calendar", outlets=["core.calendar"])
    spark_job("ingest_tariffs", outlets=["core.tariffs"])
    spark_job("ingest_class_profiles", outlets=["core.class_profiles"])
