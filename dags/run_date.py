"""Which date a run is of. A run never falls back to today.

The date is the run's partition key: schedules set it, and it travels with the assets from DAG to DAG. A run started by
hand names it in the trigger form instead, as `date`.
"""

import datetime
import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import CronPartitionTimetable, Param, PartitionedAtRuntime
from airflow.sdk.bases.timetable import BaseTimetable
from airflow.sdk.exceptions import AirflowFailException

DATE_FORM = {
    "date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Business date",
        description="The date to run for, YYYY-MM-DD. Needed when you start the run by hand without a partition key.",
    )
}

HOW_TO_NAME_IT = "Trigger the DAG again and fill in `date` (YYYY-MM-DD) in the form, or give the date as partition key."


def daily(time: str) -> BaseTimetable:
    """Every day at a local time HH:MM of the site, for the date before."""
    hour, minute = time.split(":")
    return _scheduled(f"{int(minute)} {int(hour)} * * *", run_offset=-1)


def weekly(time: str, weekday: int) -> BaseTimetable:
    """Every week at a local time HH:MM on a weekday (0 = Sunday), for that date."""
    hour, minute = time.split(":")
    return _scheduled(f"{int(minute)} {int(hour)} * * {weekday}", run_offset=0)


def _scheduled(cron: str, run_offset: int) -> BaseTimetable:
    # a lake of past data must not see a run for yesterday because the clock strikes while somebody looks at it
    if os.environ.get("WATTLAKE_SCHEDULE", "on") == "off":
        return PartitionedAtRuntime()
    zone = os.environ.get("WATTLAKE_SITE__TIME_ZONE", "Asia/Shanghai")
    return CronPartitionTimetable(cron, timezone=zone, run_offset=run_offset, key_format="%Y-%m-%d")


def run_date(context: Mapping[str, Any]) -> datetime.date:
    """The date of the run. Fails the task for good when it is not named, is no date, or is named in two ways."""
    named = {
        "partition key": context["dag_run"].partition_key,
        "date of the form": context["params"].get("date"),
    }
    given = {source: value for source, value in named.items() if value}
    if not given:
        raise AirflowFailException(f"This run has no date. {HOW_TO_NAME_IT}")
    if len(set(given.values())) > 1:
        said = ", ".join(f"{source} {value}" for source, value in given.items())
        raise AirflowFailException(f"This run names two dates: {said}. {HOW_TO_NAME_IT}")
    value = next(iter(given.values()))
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise AirflowFailException(f"{value!r} is no date. {HOW_TO_NAME_IT}") from None
