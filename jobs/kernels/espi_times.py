"""Times of Green Button readings: which interval lengths they have, on which local dates and clock times they begin."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.espi_file import MEND, UNSTATED, Espi
from jobs.kernels.files import BadFile

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


_DAY = 86_400
_DAY_MINUTES = 1440
# later than any meter of today will be read: what lies beyond is in other units than seconds
_YEAR_2100 = 4_102_444_800
# the longest date has 25 hours
_LONGEST = 25 * 3600
_OFFSET = re.compile(r"[+-]?[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, eq=False)
class Lengths:
    """Of all readings of a file. start: seconds since 1970. minutes: of the interval, 0 where it is no curve's."""

    start: Ints
    minutes: Ints
    # longer than a day: no interval of a curve
    is_longer: Bools


def lengths_of(start: Ints, duration: Ints, is_curve: Bools, line: Ints, name: str, zone: str) -> Lengths:
    """Interval lengths of readings with these seconds. BadFile, with the line, for one which is part of no date.

    An interval has as many minutes as the clock moves on in it where its own do not divide a day: the day on which the
    clock changes has 23 or 25 hours and is one interval of a day.
    """

    def check(bad: Bools, problem: str, remedy: str = MEND) -> None:
        if bad.any():
            raise BadFile(name, problem, remedy, line=int(line[np.argmax(bad)]))

    check(is_curve & (start == UNSTATED), "the interval reading has no start, and neither has its block")
    check(is_curve & ((start < 0) | (start >= _YEAR_2100)), "the start is no time in seconds since 1970, before 2100")
    check(is_curve & (duration <= 0), "the interval reading has no duration, and neither has its reading type")
    check(is_curve & (duration % 60 != 0), "the duration is no whole number of minutes")
    is_longer = is_curve & (duration > _LONGEST)
    mine = np.flatnonzero(is_curve & ~is_longer)
    clock = clock_of(start[mine], zone)
    moved = clock_of(start[mine] + duration[mine], zone) - clock
    seconds = np.where(_divides(duration[mine]), duration[mine], moved)
    check(_over(mine, ~_divides(seconds), start.size), "the interval's duration does not divide a day")
    check(
        _over(mine, clock % np.maximum(seconds, 1) != 0, start.size),
        f"the interval does not begin a whole number of intervals after midnight in {zone}",
        "declare the time zone of the readings in the feed's file, or ask the sender to mend the file",
    )
    minutes = np.zeros(start.size, np.int64)
    minutes[mine] = seconds // 60
    return Lengths(start, minutes, is_longer)


def _divides(seconds: Ints) -> Bools:
    return np.asarray((seconds > 0) & (_DAY % np.maximum(seconds, 1) == 0))


def _over(places: Ints, flags: Bools, size: int) -> Bools:
    """The flags of some places among all."""
    whole = np.zeros(size, np.bool_)
    whole[places] = flags
    return whole


def clock_of(instants: Ints, zone: str) -> Ints:
    """What the clock of a time zone shows at these seconds since 1970, in seconds as if that were UTC."""
    local = pc.local_timestamp(pa.array(instants).cast(pa.timestamp("s", zone)))
    return np.asarray(local.cast(pa.int64()).to_numpy(), np.int64)


def contradictions(espi: Espi, starts: Ints, zone: str) -> list[str]:
    """LocalTimeParameters of the file which are not those of the feed's time zone, in words."""
    year = datetime.fromtimestamp(int(starts[0]), UTC).year
    halves = [datetime(year, month, 1, tzinfo=ZoneInfo(zone)) for month in (1, 7)]
    saving = max(_seconds(half.dst()) for half in halves)
    standard = min(_seconds(half.utcoffset()) - _seconds(half.dst()) for half in halves)
    found = set()
    for fields in (r.fields for r in espi.resources if r.kind == "LocalTimeParameters"):
        texts = fields.get("tzOffset", ""), fields.get("dstOffset", str(saving))
        if not all(_OFFSET.fullmatch(text) for text in texts):
            continue
        offset, dst = (int(text) for text in texts)
        if (offset, dst) != (standard, saving):
            found.add(f"LocalTimeParameters {_shown(offset, dst)} where {zone} has {_shown(standard, saving)}")
    return sorted(found)


def _seconds(delta: timedelta | None) -> int:
    return int((delta or timedelta(0)).total_seconds())


def _shown(offset: int, saving: int) -> str:
    hours, minutes = divmod(abs(offset) // 60, 60)
    summer = f" and {saving // 60} minutes in summer" if saving else " all year"
    return f"UTC{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}{summer}"
