"""Meter data: landing -> core.

Loads what the head-end delivered by the run's date: load curves into `core.meter_days`, those of other channels than
import into `core.channel_days` where a feed is declared for them, midnight readings into `core.register_readings`.
Refused rows go to `quarantine.*` with the rules they broke.

**When it is red.** Read the last lines of the failed task: they name the file, the rows and the rule. Exit code 3
means that the delivery does not add up or too much of it is bad: nothing of it was stored. Ask the source for a new
delivery, then clear the task. Exit code 2 is a setting. Anything else is a crash, has been tried three times, and can
be cleared as it is.

**Is a rerun safe?** Yes: a delivery that was loaded is not loaded again, and the later received value wins in any
order. A date that was run before is recomputed downstream once both this DAG and the other ingest DAGs have run for
it again; start `build_features` by hand for the date when you do not want to wait for them.
"""

from airflow.sdk import DAG
from run_date import daily
from spark_job import DAG_SETTINGS, spark_job

with DAG("ingest_meter", doc_md=__doc__, schedule=daily("06:00"), tags=["ingest", "meter"], **DAG_SETTINGS):
    spark_job("ingest_meter_days", outlets=["core.meter_days"])
    spark_job("ingest_channel_days", outlets=["core.channel_days"])
    spark_job("ingest_register_readings", outlets=["core.register_readings"])
