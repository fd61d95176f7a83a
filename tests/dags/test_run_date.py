"""Which date a run is of: from the schedule, from the partition key, from the form, and never from the clock."""

import datetime
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from tests.dags.conftest import StandIn

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def context(partition_key: str | None = None, **form: str) -> dict[str, Any]:
    """What Airflow gives to a task of a run."""
    return {"dag_run": SimpleNamespace(partition_key=partition_key), "params": form}


def test_a_run_takes_its_date_from_the_partition_key() -> None:
    from run_date import run_date

    assert run_date(context("2025-06-30")) == datetime.date(2025, 6, 30)


def test_a_run_takes_its_date_from_the_form() -> None:
    from run_date import run_date

    assert run_date(context(date="2025-06-30")) == datetime.date(2025, 6, 30)


def test_the_same_date_named_twice_is_one_date() -> None:
    from run_date import run_date

    assert run_date(context("2025-06-30", date="2025-06-30")) == datetime.date(2025, 6, 30)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (context(), "This run has no date"),
        (context("2025-06-30", date="2025-07-01"), "partition key 2025-06-30, date of the form 2025-07-01"),
        (context("yesterday"), "'yesterday' is no date"),
        (context("2025-06-31"), "'2025-06-31' is no date"),
    ],
    ids=["none", "two", "a word", "not in the calendar"],
)
def test_a_run_without_one_clear_date_fails_for_good_and_says_what_to_do(given: dict[str, Any], said: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException
    from run_date import run_date

    with pytest.raises(AirflowFailException, match=said) as failure:
        run_date(given)
    assert "fill in `date`" in str(failure.value)


def test_a_manual_run_without_a_date_fails_in_its_first_tasks_and_starts_no_job(
    run_dag: Callable[..., dict[str, str]], stand_in: "StandIn"
) -> None:
    states = run_dag("score_and_publish")
    assert states["score_usage_forecast"] == "failed"
    assert states["publish_customer_tables"] == "upstream_failed"
    assert stand_in.calls() == []


def test_the_daily_run_is_for_the_local_date_before(dag_bag: "DagBag") -> None:
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import DagRunInfo, TimeRestriction

    timetable = coerce_to_core_timetable(dag_bag.dags["ingest_meter"].timetable)
    last = datetime.datetime(2025, 6, 30, 6, 0, tzinfo=SHANGHAI)
    following = timetable.next_dagrun_info_v2(
        last_dagrun_info=DagRunInfo(run_after=last, data_interval=None, partition_date=None, partition_key=None),
        restriction=TimeRestriction(earliest=None, latest=None, catchup=True),
    )
    assert following.run_after == datetime.datetime(2025, 7, 1, 6, 0, tzinfo=SHANGHAI)
    assert following.partition_key == "2025-06-30"


def test_a_backfill_covers_each_date_of_its_range_once(dag_bag: "DagBag") -> None:
    from airflow.serialization.encoders import coerce_to_core_timetable

    timetable = coerce_to_core_timetable(dag_bag.dags["ingest_meter"].timetable)
    first, last = (datetime.datetime(2025, 6, day, tzinfo=datetime.UTC) for day in (28, 30))
    infos = timetable.iter_partition_dagrun_infos(earliest=first, latest=last.replace(hour=23))
    assert [info.partition_key for info in infos] == ["2025-06-28", "2025-06-29", "2025-06-30"]


def test_without_a_schedule_runs_still_carry_their_date_to_other_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import PartitionedAtRuntime
    from run_date import daily

    monkeypatch.setenv("WATTLAKE_SCHEDULE", "off")
    assert isinstance(daily("06:00"), PartitionedAtRuntime)
