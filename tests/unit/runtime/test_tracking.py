"""The tracking store: made by whoever comes first, and asked for nothing which a run's date could not know."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from jobs import train_segments, train_usage_forecast
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.settings import Settings
from jobs.runtime.tracking import SEGMENTS, USAGE_FORECAST, Tracking
from tests.province import settings_at

JUNE_20, JUNE_27, JULY_4 = date(2025, 6, 20), date(2025, 6, 27), date(2025, 7, 4)

FIRST_USE = """
from datetime import date

from jobs.runtime.lake import Lake
from jobs.runtime.settings import load_settings
from jobs.runtime.tracking import Tracking

settings = load_settings(None)
print(Tracking(settings, date(2025, 6, 27), Lake(settings.lake.root, lambda: None)).trained("segments"))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a store of their own; the names of the models keep the tests apart."""
    return settings_at(tmp_path_factory.mktemp("tracking"))


@pytest.fixture
def on(settings: Settings) -> Callable[[date], Tracking]:
    """What a run of a date sees of the store."""
    return lambda day: Context(job="train", date=day, settings=settings).tracking


def register(tracking: Tracking, name: str, *, is_promoted: bool = True) -> str:
    """Train and register, up to the moment after which the job may be killed."""
    with tracking.run(name, []) as run:
        run.model(b"some bytes")
        return tracking.register(name, run, "reasons", is_promoted=is_promoted)


def train(tracking: Tracking, name: str, *, is_promoted: bool = True) -> str:
    version = register(tracking, name, is_promoted=is_promoted)
    tracking.settle(name, version)
    return version


def used(tracking: Tracking, name: str) -> str | None:
    held = tracking.champion(name)
    return held.version if held else None


def test_two_jobs_may_be_the_first_at_once(tmp_path: Path) -> None:
    env = os.environ | {
        "WATTLAKE_TRACKING__URI": f"sqlite:///{tmp_path}/mlflow.db",
        "WATTLAKE_TRACKING__ARTIFACTS": str(tmp_path / "artifacts"),
        "WATTLAKE_LAKE__ROOT": str(tmp_path / "lake"),
    }
    command = [sys.executable, "-W", "ignore", "-c", FIRST_USE]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ended = [(*job.communicate(timeout=120), job.returncode) for job in both]
    assert [code for _, _, code in ended] == [0, 0], ended
    assert [said.strip() for said, _, _ in ended] == ["None", "None"]


@pytest.mark.parametrize(("job", "name"), [(train_segments, SEGMENTS), (train_usage_forecast, USAGE_FORECAST)])
def test_a_training_killed_before_its_promotion_is_promoted_by_its_rerun(job, name, on, settings) -> None:
    version = register(on(JUNE_27), name)
    assert used(on(JUNE_27), name) is None
    rerun = Context(job=job.__name__.split(".")[-1], date=JUNE_27, settings=settings)
    assert f"{name} {version} was trained for this date already: champion now" in job.run(rerun)
    assert used(on(JUNE_27), name) == version


def test_a_rerun_promotes_nothing_that_was_not_to_be_promoted(on) -> None:
    champion = train(on(JUNE_20), "refused")
    version = register(on(JUNE_27), "refused", is_promoted=False)
    assert on(JUNE_27).settle("refused", version) == "not promoted"
    assert used(on(JUNE_27), "refused") == champion


def test_a_rerun_leaves_the_champion_of_a_later_training(on) -> None:
    killed = register(on(JUNE_20), "overtaken")
    later = train(on(JUNE_27), "overtaken")
    assert f"overtaken {later} is used" in on(JUNE_20).settle("overtaken", killed)
    assert used(on(JULY_4), "overtaken") == later


def test_no_date_uses_a_champion_trained_after_it(on) -> None:
    first, second = train(on(JUNE_20), "dated"), train(on(JULY_4), "dated")
    assert used(on(date(2025, 6, 19)), "dated") is None
    assert used(on(JUNE_20), "dated") == first
    assert used(on(JUNE_27), "dated") == first
    assert used(on(JULY_4), "dated") == second
    with pytest.raises(DataError, match="no champion of dated trained by 2025-06-19: run train_it for this date"):
        on(date(2025, 6, 19)).required_champion("dated", "train_it")


def test_an_earlier_date_is_not_served_by_what_was_not_promoted(on) -> None:
    train(on(JUNE_20), "honest", is_promoted=False)
    train(on(JULY_4), "honest")
    assert used(on(JUNE_27), "honest") is None


def test_a_training_for_an_earlier_date_serves_that_date_and_leaves_the_champion(on) -> None:
    champion = train(on(JULY_4), "backfilled")
    earlier = train(on(JUNE_20), "backfilled")
    assert used(on(JUNE_27), "backfilled") == earlier
    assert used(on(JULY_4), "backfilled") == champion


def test_a_champion_set_by_hand_stays_in_use(on) -> None:
    first, second = train(on(JUNE_20), "taken_back"), train(on(JUNE_27), "taken_back")
    tracking = on(JULY_4)
    tracking._client.set_model_version_tag("taken_back", second, "promoted", "false")
    tracking._client.set_registered_model_alias("taken_back", "champion", first)
    assert used(tracking, "taken_back") == first
    assert on(JUNE_27).settle("taken_back", second) == "not promoted"
    assert used(tracking, "taken_back") == first


def test_a_date_trained_again_is_known_by_its_newest_version(on) -> None:
    train(on(JUNE_27), "again")
    second = train(on(JUNE_27), "again")
    assert on(JUNE_27).trained("again") == second == used(on(JUNE_27), "again")
    assert on(JUNE_20).trained("again") is None


def test_a_run_tells_its_numbers_and_leaves_out_what_is_none(on) -> None:
    tracking = on(JUNE_27)
    with tracking.run("numbers", []) as run:
        run.params({"rounds": 3, "groups": (1, 4)})
        run.metrics({"wql": 0.25, "unknown": float("nan")})
        run.tags({"reasons": "enough"})
    held = tracking._client.get_run(run.run_id)
    assert held.data.params == {"rounds": "3", "groups": "(1, 4)"}
    assert held.data.metrics == {"wql": 0.25}
    assert held.data.tags["reasons"] == "enough"
    assert held.info.status == "FINISHED"
