"""Models: features -> MLflow.

Trains the behaviour segments and the usage forecast on what was known by the run's date, compares each with its naive
baseline and with the champion, and promotes it only when it is better than both. Runs weekly, and by hand.

**When it is red.** Exit code 3: there is too little history, or the candidate could not be judged; the champion stays
in use. The last lines say which. A crash has been tried three times and can be cleared as it is.

**Is a rerun safe?** Yes: a date is trained for once. A rerun finds the version of its date, promotes it where that was
decided and a crash came between, and changes nothing else. A date before the champion's own leaves the champion in use.
"""

from airflow.sdk import DAG
from run_date import weekly
from spark_job import DAG_SETTINGS, spark_job

with DAG("train_models", doc_md=__doc__, schedule=weekly("20:00", weekday=0), tags=["models"], **DAG_SETTINGS):
    spark_job("train_segments", outlets=["models.segments"])
    spark_job("train_usage_forecast", outlets=["models.usage_forecast"])
