"""Billing: landing -> core.

Loads bills, their lines and payments which billing delivered by the run's date into `core.bills`, `core.bill_lines`
and `core.payments`. A reissued bill is a new version beside the cancelled one.

**When it is red.** The last lines of the failed task name the file, the rows and the rule. Exit code 3: the delivery
was refused and nothing of it stored; ask for a new one, then clear the task. Exit code 2 is a setting. A crash has
been tried three times and can be cleared as it is.

**Is a rerun safe?** Yes: what was loaded is not loaded again.
"""

from airflow.sdk import DAG
from run_date import daily
from spark_job import DAG_SETTINGS, spark_job

with DAG("ingest_billing", doc_md=__doc__, schedule=daily("02:30"), tags=["ingest", "billing"], **DAG_SETTINGS):
    spark_job("ingest_bills", outlets=["core.bills"])
    spark_job("ingest_bill_lines", outlets=["core.bill_lines"])
    spark_job("ingest_payments", outlets=["core.payments"])
