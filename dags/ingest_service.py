"""Customer service: landing -> core.

Loads the 95598 work orders which the service centre delivered by the run's date into `core.complaints`, each in its
latest state. Names and phone numbers in the free text are masked before anything is stored.

**When it is red.** The last lines of the failed task name the file, the rows and the rule. Exit code 3: the delivery
was refused and nothing of it stored; ask for a new one, then clear the task. Exit code 2 is a setting. A crash has
been tried three times and can be cleared as it is.

**Is a rerun safe?** Yes: what was loaded is not loaded again.
"""

from airflow.sdk import DAG
from run_date import daily
from spark_job import DAG_SETTINGS, spark_job

with DAG("ingest_service", doc_md=__doc__, schedule=daily("02:00"), tags=["ingest", "service"], **DAG_SETTINGS):
    spark_job("ingest_complaints", outlets=["core.complaints"])
