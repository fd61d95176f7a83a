"""Stories told as CSV, all of a time zone played at once: each with names of its own, so that none meets another.

A frame of a few rows costs Spark as much as one of a few thousand, so ten stories cost as much as one.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.transforms.changes import Facts
from schemas import Table
from tests.frames import typed
from tests.validation import with_validated

FOLDER = Path(__file__).parent
# what two stories may call alike and do not mean alike
_NAMES = {"meter_id", "customer_key", "point_id", "tariff_code", "delivery_id", "feeder_id", "district_id"}
_BETWEEN = "/"


@dataclass(frozen=True)
class Story:
    """A folder `given_*`."""

    folder: Path

    @property
    def name(self) -> str:
        """Its name without `given_`."""
        return self.folder.name.removeprefix("given_")

    def cells(self, path: str) -> list[list[str]]:
        """Lines of a CSV file of the story, the names of the story's own; none where it is not there."""
        file = self.folder / path
        if not file.exists():
            return []
        with file.open(encoding="utf-8", newline="") as lines:
            names, *rows = list(csv.reader(lines))
        return [names, *([self._own(name, cell) for name, cell in zip(names, row, strict=True)] for row in rows)]

    def _own(self, column: str, cell: str) -> str:
        return f"{self.name}{_BETWEEN}{cell}" if cell and column in _NAMES else cell

    @property
    def time_zone(self) -> str:
        """Of its local dates."""
        return self.cells("given/site.csv")[1][0]

    @property
    def dates(self) -> tuple[date, date]:
        """The first and the last date on which the story has a reading."""
        names, *rows = self.cells("given/meter_days.csv")
        days = sorted(date.fromisoformat(row[names.index("read_date")]) for row in rows)
        return days[0], days[-1]

    def rows(self, frame: DataFrame) -> DataFrame:
        """Rows of the story's customers."""
        return frame.where(F.col("customer_key").startswith(self.name + _BETWEEN))


STORIES = [Story(path) for path in sorted(FOLDER.glob("given_*"))]


def facts_of(spark: SparkSession, stories: Sequence[Story]) -> Facts:
    """The core tables of stories of one time zone, with their meter days validated."""

    def read(table: Table) -> DataFrame:
        path = f"given/{table.noun}.csv"
        parts = [typed(spark, table.struct, told[0], told[1:]) for story in stories if (told := story.cells(path))]
        every = spark.createDataFrame([], table.struct)
        for part in parts:
            every = every.unionByName(part)
        return every.localCheckpoint()

    [time_zone] = {story.time_zone for story in stories}
    return with_validated(spark, Facts.of(read, time_zone), within=told_dates(spark, stories))


def told_dates(spark: SparkSession, stories: Sequence[Story]) -> Callable[[DataFrame], DataFrame]:
    """Of a meter's days those on the dates of its story."""
    spans = spark.createDataFrame([(s.name, *s.dates) for s in stories], "story string, first date, last date")

    def within(keys: DataFrame) -> DataFrame:
        of_story = F.split("meter_id", _BETWEEN)[0] == F.col("story")
        return keys.join(F.broadcast(spans), of_story & F.col("read_date").between(F.col("first"), F.col("last"))).drop(
            "story", "first", "last"
        )

    return within
