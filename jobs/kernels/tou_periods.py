"""Time-of-use periods: which period a clock minute belongs to, by tariff, date and month."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.kernels.clock import MINUTES_A_DAY

PERIODS = ("sharp", "peak", "flat", "valley")
_FLAT = PERIODS.index("flat")
_MONTHS = range(1, 13)

Minutes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class _Version:
    valid_from: int
    valid_to: int
    # (12, 1440) index into PERIODS
    minutes: Minutes


class TouPeriods:
    """The periods of all tariffs. Small: it grows with tariffs, not with customers, and travels to the workers."""

    def __init__(self, versions: Mapping[str, Sequence[_Version]]) -> None:
        """Versions of each tariff code, the latest first."""
        self._versions = versions

    def minutes(self, tariff_code: str | None, ordinal: int) -> Minutes:
        """(1440,) index into PERIODS of each clock minute; all flat where the tariff is not known or has no periods."""
        for version in self._versions.get(tariff_code or "", ()):
            if version.valid_from <= ordinal <= version.valid_to:
                return np.asarray(version.minutes[date.fromordinal(ordinal).month - 1], dtype=np.int8)
        return np.full(MINUTES_A_DAY, _FLAT, dtype=np.int8)


def tou_periods(lines: Iterable[Mapping[str, Any]]) -> TouPeriods:
    """The periods which lines of core.tariffs state (tariff_code, valid_from, valid_to, months, period_code, hours).

    A line for certain months goes before one for all, a line with hours before one for the whole day. ValueError for
    months or hours that cannot be read, naming the tariff.
    """
    by_version: dict[tuple[str, date], list[Mapping[str, Any]]] = {}
    for line in lines:
        by_version.setdefault((line["tariff_code"], line["valid_from"]), []).append(line)
    versions: dict[str, list[_Version]] = {}
    for (code, valid_from), rows in sorted(by_version.items(), reverse=True):
        ends = [row["valid_to"] for row in rows if row["valid_to"] is not None]
        try:
            version = _Version(valid_from.toordinal(), max(ends, default=date.max).toordinal(), _month_minutes(rows))
        except ValueError as error:
            raise ValueError(f"tariff {code} valid from {valid_from}: {error}") from error
        versions.setdefault(code, []).append(version)
    return TouPeriods(versions)


def _month_minutes(lines: Sequence[Mapping[str, Any]]) -> Minutes:
    minutes = np.full((len(_MONTHS), MINUTES_A_DAY), _FLAT, dtype=np.int8)
    timed = [line for line in lines if line["period_code"] in PERIODS]
    # what is more special is written last and stays
    for line in sorted(timed, key=lambda row: (bool(row["hours"]), bool(row["months"]), row["line_no"])):
        months = [month - 1 for month in _months(line["months"])]
        for start, end in _spans(line["hours"]):
            minutes[months, start:end] = PERIODS.index(line["period_code"])
    return minutes


def _months(text: str | None) -> list[int]:
    if not text:
        return list(_MONTHS)
    months = [int(part) for part in text.split(",")]
    if not set(months) <= set(_MONTHS):
        raise ValueError(f"months {text!r} are not numbers from 1 to 12")
    return months


def _spans(text: str | None) -> list[tuple[int, int]]:
    """Spans of minutes, end exclusive; a span over midnight becomes two."""
    if not text:
        return [(0, MINUTES_A_DAY)]
    spans = []
    for part in text.split(";"):
        start, end = (_minute(clock, text) for clock in part.split("-"))
        spans += [(start, end)] if start < end else [(start, MINUTES_A_DAY), (0, end)]
    return spans


def _minute(clock: str, text: str) -> int:
    hour, colon, minute = clock.strip().partition(":")
    if not (colon and hour.isdigit() and minute.isdigit() and int(hour) * 60 + int(minute) <= MINUTES_A_DAY):
        raise ValueError(f"hours {text!r} are not written as 10:00-12:00;14:00-19:00")
    return int(hour) * 60 + int(minute)
