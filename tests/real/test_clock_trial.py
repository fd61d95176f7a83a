"""Moved clocks of real households: some weeks of some hundred homes, small enough for every run of the tests."""

from pathlib import Path

import pytest

from jobs.kernels.clock_trial import CLOCK_CHANGES, Report, run, table
from jobs.kernels.london_runs import READINGS, read_households

DATA = Path(__file__).parents[3] / "shared" / "data" / "lcl_london_dev"
pytestmark = pytest.mark.skipif(not (DATA / READINGS).is_file(), reason=f"the London readings are not there: {DATA}")

# Mondays of spring, of summer and of autumn, and those after the first full week with another clock
_QUIET = (62, 160, 202, 279)
_CHANGED = tuple(change + 8 for change in CLOCK_CHANGES)


@pytest.fixture(scope="module")
def report() -> Report:
    return run(read_households(DATA), (*_QUIET, *_CHANGED))


@pytest.mark.parametrize(
    ("hours", "days", "least"), [(1, 7, 0.13), (2, 7, 0.4), (-2, 7, 0.4), (3, 7, 0.55), (2, 14, 0.33), (3, 14, 0.48)]
)
def test_moved_clocks_of_homes_are_found_and_nearly_always_by_the_right_hours(
    report: Report, hours: int, days: int, least: float
) -> None:
    tally = report.moved[hours, days]
    assert tally.share(tally.found) > least
    assert tally.right > 0.9 * tally.found


def test_hardly_a_clock_that_is_right_is_said_to_be_moved(report: Report) -> None:
    assert report.right.told > 2500
    assert report.right.share(report.right.found) <= 0.001


def test_the_real_changes_of_the_clocks_are_seen_in_the_right_direction(report: Report) -> None:
    for change, tally in report.changed.items():
        assert tally.share(tally.found) > 0.05, change
        assert tally.right > 0.9 * tally.found
    assert f"| first week after day {max(CLOCK_CHANGES) + 1} of 2013 |" in table(report)
