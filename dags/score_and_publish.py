"""Scores: features + champions -> mart.

Starts for a date when the features of that date are there. Scores every customer with the champions and publishes
what other people read. `publish_customer_tables` judges all of it before it replaces anything, and announces the date
last: until then readers see the publication before.

**When it is red.** Exit code 3 of a scoring: there is no champion yet; run `train_models` for the date, then clear
the task. Exit code 3 of a publication: its gate refused the result, and the last lines name the rule. Nothing was
announced: what is published is the last good date. Repair the cause, then clear the first failed task.

**Is a rerun safe?** Yes: it replaces the date's slice and announces it once more.
"""

from airflow.sdk import DAG
from spark_job import DAG_SETTINGS, spark_job, when_updated

MART = ["mart.customer_profiles", "mart.customer_forecasts", "mart.customer_scores", "mart.publications"]
FEATURES = when_updated("features.customer_days", "features.customer_months", "features.area_loads")

with DAG("score_and_publish", doc_md=__doc__, schedule=FEATURES, tags=["scores", "mart"], **DAG_SETTINGS):
    segments = spark_job("score_segments", outlets=["features.segment_scores"])
    usage = spark_job("score_usage_forecast", outlets=["features.usage_forecasts"])
    published = spark_job("publish_customer_tables", outlets=MART)

    [segments, usage] >> published
    # written whatever came before, and no part of whether the run succeeded
    published >> spark_job("write_quality_pages", outlets=[]).as_teardown()
