"""Measure on London half-hours how many moved clocks the history of a meter tells, and how often it speaks wrongly.

    python -m jobs.kernels.clock_trial --data ../shared/data/lcl_london_dev

The days of the last week, or of the last two, before each Monday of 2013 are moved by some hours, as a wrong clock
does it: the sum of a day stays. The stamps of these readings stay on winter time while their customers' clocks go
forward on 31 March and back on 27 October: the weeks behind these dates are held apart, and are real shifts by an hour.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.kernels.clock_history import RECENT_DAYS, ClockShifts, clock_shifts
from jobs.kernels.london_runs import DAYS, IS_WORKING, READINGS, SLOTS, WEEKDAY, read_households
from jobs.kernels.meter_profiles import HOURS, WINDOW_DAYS

Floats = npt.NDArray[np.float64]

HOURS_MOVED = (1, 2, 3, -2)
# days of the year on which the customers' clocks change, and how much later their days lie on the stamps from then on
CLOCK_CHANGES = {89: -60, 299: 60}
_MONDAYS = [day for day in range(WINDOW_DAYS, DAYS + 1) if WEEKDAY[day - 7] == 0]
_WEEK = 7


@dataclass
class Tally:
    """Meter weeks which were told at all, those found moved, and those of them by the right hours."""

    told: int = 0
    found: int = 0
    right: int = 0

    def add(self, seen: ClockShifts, minutes: int) -> None:
        """Count the meters of a week."""
        self.told += int((~np.isnan(seen.errors)).sum())
        self.found += int((seen.minutes != 0).sum())
        self.right += int(((seen.minutes != 0) & (seen.minutes == minutes)).sum())

    def share(self, count: int) -> float:
        """Of the meter weeks which were told."""
        return count / max(self.told, 1)


@dataclass
class Report:
    """moved: by hours and number of days moved, of weeks away from clock changes. Nothing is moved in the others.

    right: weeks away from clock changes; behind: all weeks with one in their 28 days; changed: the first full week
    after each, `right` counting those which moved by it.
    """

    moved: dict[tuple[int, int], Tally] = field(default_factory=dict)
    right: Tally = field(default_factory=Tally)
    behind: Tally = field(default_factory=Tally)
    changed: dict[int, Tally] = field(default_factory=dict)
    seconds: float = 0.0


def run(kwh: Floats, mondays: Sequence[int] = _MONDAYS) -> Report:
    """The trial on `read_households`, before each of these Mondays (days of the year)."""
    begun, report = time.perf_counter(), Report()
    for monday in mondays:
        window = np.ascontiguousarray(kwh[:, monday - WINDOW_DAYS : monday].transpose(1, 2, 0))
        is_working = IS_WORKING[monday - WINDOW_DAYS : monday]
        seen = clock_shifts(window, is_working)
        for change, minutes in CLOCK_CHANGES.items():
            # the date of the change is a Sunday: the week from the next day on is the first full one
            if monday == change + 1 + _WEEK:
                report.changed.setdefault(change, Tally()).add(seen, minutes)
        if any(change < monday <= change + WINDOW_DAYS for change in CLOCK_CHANGES):
            report.behind.add(seen, 0)
            continue
        report.right.add(seen, 0)
        for hours in HOURS_MOVED:
            for days in RECENT_DAYS:
                tally = report.moved.setdefault((hours, days), Tally())
                tally.add(clock_shifts(moved(window, hours, days), is_working), 60 * hours)
    report.seconds = time.perf_counter() - begun
    return report


def moved(window: Floats, hours: int, days: int) -> Floats:
    """The same curves (days, SLOTS, meters), the last days of which come later by these hours."""
    out = window.copy()
    out[-days:] = np.roll(out[-days:], hours * SLOTS // HOURS, axis=1)
    return out


def table(report: Report) -> str:
    """Markdown: what is found of moved clocks, then how often a clock is said to be moved that is not."""
    lines = [
        _row(
            "moved", *(f"last {days} days: {what}" for days in RECENT_DAYS for what in ("found", "by the right hours"))
        ),
        "|---" * (1 + 2 * len(RECENT_DAYS)) + "|",
    ]
    for hours in HOURS_MOVED:
        tallies = [report.moved.get((hours, days), Tally()) for days in RECENT_DAYS]
        cells = (f"{tally.share(count):.1%}" for tally in tallies for count in (tally.found, tally.right))
        lines.append(_row(f"{hours:+d} h", *cells))
    lines += ["", _row("nothing moved", "meter weeks", "found", "share"), "|---|---|---|---|"]
    named = {"away from clock changes": report.right, "28 days behind clock changes": report.behind}
    for name, tally in named.items():
        lines.append(_row(name, f"{tally.told:,}", f"{tally.found}", f"{tally.share(tally.found):.3%}"))
    for change, tally in sorted(report.changed.items()):
        name = f"first week after day {change + 1} of 2013"
        by = f"{tally.found}, {tally.right} of them by {CLOCK_CHANGES[change]:+d} min"
        lines.append(_row(name, f"{tally.told:,}", by, f"{tally.share(tally.found):.1%}"))
    return "\n".join([*lines, "", f"{report.seconds:.0f} seconds."])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run the trial, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m jobs.kernels.clock_trial", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder lcl_london_dev")
    options = parser.parse_args(arguments)
    if not (options.data / READINGS).is_file():
        parser.error(f"{options.data} holds no {READINGS}")
    # a person waits for this command: what it prints is its result
    print(table(run(read_households(options.data))))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
