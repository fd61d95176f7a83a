"""Stories about a customer's day, each a folder `given_*`: what core holds, and what the days must then be.

`given/site.csv` names the time zone, `given/<noun>.csv` holds rows of core tables; `given/new_deliveries.csv` (where
there is one) says which deliveries are new. `then/customer_days.csv` holds every day of the story, in the columns that
the story is about; `then/made_again.csv` the days which the new deliveries touch, all others staying as they are.
"""

from collections.abc import Callable
from datetime import date
from functools import cache

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.kernels.customer_curves import day_measures
from jobs.kernels.tou_periods import tou_periods
from jobs.transforms.changes import Delivered, Facts, Touched, customer_dates
from jobs.transforms.customer_days import customer_days, lines_of
from schemas.features import CUSTOMER_DAYS
from tests.frames import rows_of, typed
from tests.scenarios.stories import STORIES, Story, facts_of

LATER = date(2030, 1, 1)
Played = Callable[[str], tuple[Facts, DataFrame]]


@pytest.fixture(scope="module")
def played(spark: SparkSession) -> Played:
    """The facts and the customer days of all stories of a time zone."""

    @cache
    def play(time_zone: str) -> tuple[Facts, DataFrame]:
        facts = facts_of(spark, [story for story in STORIES if story.time_zone == time_zone])
        measure = day_measures(tou_periods(lines_of(facts.tariffs)), facts.time_zone)
        keys = customer_dates(Touched(everything=True), facts, LATER).localCheckpoint()
        return facts, customer_days(keys, facts, measure).localCheckpoint()

    return play


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_days_of_the_story_are_as_told(spark: SparkSession, played: Played, story: Story) -> None:
    _, days = played(story.time_zone)
    names, *told = story.cells("then/customer_days.csv")
    # flags are never null: an empty cell is an empty list
    expected = typed(spark, CUSTOMER_DAYS.struct, names, told).selectExpr(
        *("coalesce(flags, array()) AS flags" if name == "flags" else name for name in names)
    )
    assert rows_of(story.rows(days), *names) == rows_of(expected, *names)


@pytest.mark.parametrize("story", [s for s in STORIES if s.cells("then/made_again.csv")], ids=lambda story: story.name)
def test_new_deliveries_touch_exactly_the_days_which_depend_on_them(
    spark: SparkSession, played: Played, story: Story
) -> None:
    facts, _ = played(story.time_zone)
    names, *deliveries = story.cells("given/new_deliveries.csv")
    at = {name: names.index(name) for name in ("feed", "delivery_id", "touched_dates")}
    by_feed = {
        row[at["feed"]]: Delivered(
            (row[at["delivery_id"]],), tuple(date.fromisoformat(day) for day in row[at["touched_dates"]].split())
        )
        for row in deliveries
    }
    names, *told = story.cells("then/made_again.csv")
    keys = customer_dates(Touched(by_feed), facts, LATER)
    assert rows_of(keys, *names) == rows_of(typed(spark, CUSTOMER_DAYS.struct, names, told), *names)
