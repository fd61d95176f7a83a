"""What a job is given: its date, its options, and everything with a side effect."""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.runtime.books import Books
from jobs.runtime.changes import Change, ChangeBook
from jobs.runtime.errors import UserError
from jobs.runtime.feed_files import FeedFiles
from jobs.runtime.lake import Lake
from jobs.runtime.settings import Settings
from schemas.mart import PUBLICATIONS
from schemas.meter_days import METER_DAYS
from schemas.ops import JOB_RUNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from expectations.rule import Suite
    from jobs.runtime.tracking import Tracking


@dataclass
class Context:
    """One run of one job. The date is the only clock."""

    job: str
    date: date
    settings: Settings
    env: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    are_rows_few: bool = field(default=False, init=False)

    @cached_property
    def log(self) -> logging.Logger:
        """Logger of the job."""
        return logging.getLogger(f"wattlake.{self.job}")

    def expect_rows(self, rows: int | None) -> None:
        """Say about how many rows the job is going to work on; None: nobody knows.

        Few rows are interpreted, and kept in one partition: to compile code for them, and to move them to each other,
        takes longer than to run it.
        """
        self.are_rows_few = rows is not None and rows < self.settings.spark.compile_from_rows
        if "spark" in self.__dict__:
            self._tell_session(self.spark)

    def expect_days(self, rows: int | None) -> None:
        """The same for what is made of meter days: where nobody knows, it can be all that are held."""
        self.expect_rows(self.lake.rows_held(METER_DAYS) if rows is None else rows)

    @cached_property
    def spark(self) -> "SparkSession":
        """The session, opened at the first need."""
        from jobs.runtime.session import open_session

        session: SparkSession = open_session(self.settings.spark, f"wattlake {self.job} {self.date}")
        self._tell_session(session)
        return session

    @contextmanager
    def few(self, rows: int) -> Iterator[None]:
        """What works on so many rows of a job which works on many; interpreted where they are few."""
        from jobs.runtime.session import interpret

        interpret(self.spark, self.settings.spark, is_wanted=rows < self.settings.spark.compile_from_rows)
        yield
        self._tell_session(self.spark)

    def _tell_session(self, session: "SparkSession") -> None:
        from jobs.runtime.session import interpret

        interpret(session, self.settings.spark, is_wanted=self.are_rows_few)

    @cached_property
    def feeds(self) -> FeedFiles:
        """Declared feeds of the environment."""
        return FeedFiles(self.env, self.settings.site.time_zone)

    @cached_property
    def books(self) -> Books:
        """The tables of `ops`."""
        return Books(self.settings.lake.root)

    @cached_property
    def lake(self) -> "ChangingLake":
        """The tables."""
        few = self.settings.spark.compile_from_rows
        lake = ChangingLake(self.settings.lake.root, lambda: self.spark, lambda: few if self.are_rows_few else 0)
        lake.changes = ChangeBook(self.books, self.date)
        return lake

    @cached_property
    def tracking(self) -> "Tracking":
        """Runs, models and aliases."""
        from jobs.runtime.tracking import Tracking

        return Tracking(self.settings, self.date, self.lake)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say in the log how many seconds a step of the job took; for a person and the benchmark, no job reads it."""
        begun = time.perf_counter()
        yield
        self.log.info("%s: %.2f s", name, time.perf_counter() - begun)

    def stage(self, rows: "DataFrame", name: str) -> "DataFrame":
        """The rows, worked out once however often they are read; forgotten when the job ends.

        Written and read back, not cached: a cached frame is planned twice, and a job that was killed leaves it behind.
        """
        folder = str(self.staging / name)
        rows.write.mode("overwrite").parquet(folder)
        staged = self.spark.read.parquet(folder)
        return staged.coalesce(1) if self.are_rows_few else staged

    @property
    def staging(self) -> Path:
        """Folder of what the job stages."""
        return self.settings.lake.root.resolve() / "_staging" / self.job / self.date.isoformat()

    def gate(self, rows: "DataFrame", suite: "Suite") -> "DataFrame":
        """Stage the rows and judge them; DataError where an error rule is broken, and nothing is written.

        Returns the staged rows, which are then written as they were judged.
        """
        from jobs.runtime.quality import gate

        return gate(self, rows, suite)

    def needs(self, job: str, feeds: tuple[str, ...], why: str) -> None:
        """UserError where a job whose table this one reads has still to take up deliveries of the feeds."""
        if self.lake.new_changes(job, feeds):
            raise UserError(f"{why}: run {job} --date {self.date} first.")

    def is_history(self) -> bool:
        """Whether a publication of a later date is out: what was published for this one then stays as it was.

        A correction which came in between is in the later publication. `--key again=yes` makes the date again.
        """
        later = [row for row in self.books.read(PUBLICATIONS) if row["as_of_date"] > self.date]
        held = any(row["as_of_date"] == self.date for row in self.books.read(PUBLICATIONS))
        return bool(later) and held and self.option("again", "no") != "yes"

    def close(self, started: datetime, seconds: float, outcome: str, message: str) -> None:
        """Enter the run in the books, drop what was staged, and leave the session."""
        shutil.rmtree(self.staging, ignore_errors=True)
        if self.settings.lake.root.is_dir() and os.access(self.settings.lake.root, os.W_OK):
            self.books.append(
                JOB_RUNS,
                [
                    {
                        "job": self.job,
                        "run_date": self.date,
                        "started_at": started,
                        "seconds": round(seconds, 3),
                        "outcome": outcome,
                        "message": message,
                    }
                ],
            )
        if "spark" in self.__dict__:
            self.spark.stop()

    def option(self, name: str, default: str) -> str:
        """A value given by `--key name=value`."""
        return self.options.get(name, default)


class ChangingLake(Lake):
    """The lake together with which deliveries each derived table has taken up."""

    changes: ChangeBook

    def new_changes(self, job: str, feeds: list[str] | tuple[str, ...]) -> list[Change]:
        """Deliveries loaded up to the run's date and not yet taken up by the job."""
        return self.changes.new(job, feeds)

    def mark_consumed(self, job: str, changes: list[Change]) -> None:
        """Note that the job has taken up these deliveries. The last step of a job."""
        self.changes.mark(job, changes)
