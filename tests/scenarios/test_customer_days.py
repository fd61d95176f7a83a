"""Stories about a customer's day, each a folder `given_*`: what core holds, and what the days must then be.

`given/site.csv` names the time zone, `given/<noun>.csv` holds rows of core tables; `given/new_deliveries.csv` (where
there is one) says which deliveries are new. `then/customer_days.csv` holds every day of the story, in the columns that
the story is about; `then/made_again.csv` the days which the new deliveries touch, all others staying as they are.
"""

import csv
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.kernels.customer_curves import day_measures
from jobs.kernels.tou_periods import tou_periods
from jobs.transforms.changes import Delivered, Facts, Touched, customer_dates
from jobs.transforms.customer_days import customer_days, lines_of
from schemas import Table
from schemas.features import CUSTOMER_DAYS
from tests.frames import rows_of, typed
from tests.validation import with_validated

STORIES = sorted(Path(__file__).parent.glob("given_*"))
LATER = date(2030, 1, 1)


def cells(path: Path) -> list[list[str]]:
    """Lines of a CSV file; none where it is not there."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def facts_of(spark: SparkSession, story: Path) -> Facts:
    """The core tables of a story."""

    def read(table: Table) -> object:
        names, *rows = cells(story / "given" / f"{table.noun}.csv") or [[]]
        return typed(spark, table.struct, names, rows) if rows else spark.createDataFrame([], table.struct)

    facts = Facts.of(read, cells(story / "given" / "site.csv")[1][0])  # type: ignore[arg-type]
    return with_validated(spark, facts)


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.name.removeprefix("given_"))
def test_the_days_of_the_story_are_as_told(spark: SparkSession, story: Path) -> None:
    facts = facts_of(spark, story)
    names, *told = cells(story / "then" / "customer_days.csv")
    measure = day_measures(tou_periods(lines_of(facts.tariffs)), facts.time_zone)
    keys = customer_dates(Touched(everything=True), facts, LATER)
    days = customer_days(keys, facts, measure)
    # flags are never null: an empty cell is an empty list
    expected = typed(spark, CUSTOMER_DAYS.struct, names, told).selectExpr(
        *("coalesce(flags, array()) AS flags" if name == "flags" else name for name in names)
    )
    assert rows_of(days, *names) == rows_of(expected, *names)


@pytest.mark.parametrize(
    "story", [s for s in STORIES if (s / "then" / "made_again.csv").exists()], ids=lambda path: path.name[6:]
)
def test_new_deliveries_touch_exactly_the_days_which_depend_on_them(spark: SparkSession, story: Path) -> None:
    facts = facts_of(spark, story)
    _, *deliveries = cells(story / "given" / "new_deliveries.csv")
    by_feed = {
        feed: Delivered((delivery_id,), tuple(date.fromisoformat(day) for day in days.split()))
        for feed, delivery_id, days in deliveries
    }
    names, *told = cells(story / "then" / "made_again.csv")
    keys = customer_dates(Touched(by_feed), facts, LATER)
    assert rows_of(keys, *names) == rows_of(typed(spark, CUSTOMER_DAYS.struct, names, told), *names)
