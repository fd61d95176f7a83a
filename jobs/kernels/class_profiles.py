"""Load profiles of usage classes, as core.class_profiles holds them: what a meter without a past is estimated by."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.kernels.clock import MINUTES_A_DAY, DayClock
from jobs.kernels.meter_profiles import at_clock
from jobs.kernels.past_weeks import is_working

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# a usage class and the ordinal of a date
ClassDate = tuple[str, int]

DAY_TYPES = ("working", "other")


def resampled(curves: Floats, minutes: int) -> Floats:
    """(slots, rows) energy of a day of 24 hours in intervals of another length: it flows evenly within an interval."""
    own = MINUTES_A_DAY // len(curves)
    if own == minutes:
        return curves
    before = np.concatenate([np.zeros((1, curves.shape[1])), np.cumsum(curves, axis=0)])
    edges = np.arange(0, MINUTES_A_DAY + 1, minutes)
    place = np.minimum(edges // own, len(curves) - 1)
    part = (edges / own - place)[:, None]
    return np.diff(before[place] + part * curves[place], axis=0)


@dataclass(frozen=True, eq=False)
class ClassProfile:
    """A version of the profile of a class and type of day.

    valid_from: ordinal. received_us: when the row which came last was received, microseconds since 1970. shares:
    (intervals,) of a day of 24 hours, in any unit.
    """

    valid_from: int
    received_us: int
    shares: Floats

    @property
    def interval_minutes(self) -> int:
        """Length of its intervals."""
        return MINUTES_A_DAY // len(self.shares)

    def of_length(self, minutes: int) -> Floats:
        """(slots,) its shares in intervals of another length."""
        return np.asarray(resampled(self.shares[:, None], minutes)[:, 0])


class ClassProfiles:
    """The profiles of all classes. Small: it grows with versions, not with customers, and travels to the workers."""

    def __init__(self, versions: Mapping[tuple[str, str], Sequence[ClassProfile]], worked: Mapping[int, bool]) -> None:
        """Versions by class and type of day, the earliest first; `worked` as the calendar says, ordinal -> worked."""
        self._versions = versions
        self._worked = worked

    def on(self, usage_class: str | None, ordinal: int) -> ClassProfile | None:
        """The version which holds for the class on a date; None where there is none."""
        versions = self._versions.get((usage_class or "", self._day_type(ordinal)), ())
        place = bisect_right([version.valid_from for version in versions], ordinal)
        return versions[place - 1] if place else None

    def shapes(self, classes: pa.Array, ordinals: Ints, clock: DayClock) -> tuple[Floats, Ints]:
        """(points, rows) the profile of each row's class at the times of a date, and (rows,) its `received_us`.

        NaN and 0 where there is no profile.
        """
        shapes, received = np.full((len(clock.starts), len(ordinals)), np.nan), np.zeros(len(ordinals), np.int64)
        named = classes.dictionary_encode(null_encoding="encode")
        of_class = named.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        pairs, of_pair = np.unique(np.stack([of_class, ordinals]), axis=1, return_inverse=True)
        for number, (code, ordinal) in enumerate(pairs.T):
            profile = self.on(named.dictionary[int(code)].as_py(), int(ordinal))
            if profile is not None:
                mine = np.flatnonzero(of_pair == number)
                shapes[:, mine] = at_clock(profile.of_length(clock.interval_minutes)[:, None], clock)
                received[mine] = profile.received_us
        return shapes, received

    def interval_minutes(self, classes: pa.Array, ordinals: Ints) -> Ints:
        """(rows,) the length of the intervals of each row's profile on its date, 0 where there is none."""
        found = [self.on(name, int(day)) for name, day in zip(classes.to_pylist(), ordinals, strict=True)]
        return np.array([profile.interval_minutes if profile else 0 for profile in found], dtype=np.int64)

    def dates_of(self, changed: Collection[ClassDate], ordinals: Iterable[int]) -> Iterator[ClassDate]:
        """Of the dates, by class, those whose profile is another since these versions changed, came or went.

        A version is named by its class and the ordinal of its `valid_from`; it counts up to the next one in use.
        """
        starts: dict[str, list[int]] = {}
        for usage_class, valid_from in sorted(changed):
            starts.setdefault(usage_class, []).append(valid_from)
        for ordinal in ordinals:
            for usage_class, begins in starts.items():
                held = self.on(usage_class, ordinal)
                place = bisect_right(begins, ordinal)
                if place and (held is None or begins[place - 1] >= held.valid_from):
                    yield usage_class, ordinal

    def _day_type(self, ordinal: int) -> str:
        return DAY_TYPES[0 if is_working(ordinal, self._worked) else 1]


def class_profiles(rows: Iterable[Mapping[str, Any]], worked: Mapping[int, bool]) -> tuple[ClassProfiles, list[str]]:
    """The profiles which rows of core.class_profiles state, and which versions of them are not used, and why.

    Of rows of several interval lengths those of the length which came last are the version. One which lacks intervals,
    or has no energy, is not used: the version before it holds on.
    """
    by_version: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["usage_class"], row["day_type"], row["valid_from"].toordinal())
        by_version.setdefault(key, []).append(row)
    versions: dict[tuple[str, str], list[ClassProfile]] = {}
    unused = []
    for (usage_class, day_type, valid_from), stated in sorted(by_version.items()):
        latest = max(stated, key=lambda row: (row["received_us"], row["delivery_id"], row["start_minute"]))
        minutes = latest["interval_minutes"]
        share = {row["start_minute"]: row["share"] for row in stated if row["interval_minutes"] == minutes}
        shares = np.array([share.get(start, np.nan) for start in range(0, MINUTES_A_DAY, minutes)])
        known = int((~np.isnan(shares)).sum())
        if known < len(shares) or not shares.sum() > 0:
            what = "no energy" if known == len(shares) else f"{known} of {len(shares)} intervals"
            unused.append(f"{usage_class} from {stated[0]['valid_from']}, {day_type}: {what}")
        else:
            version = ClassProfile(valid_from, latest["received_us"], shares)
            versions.setdefault((usage_class, day_type), []).append(version)
    return ClassProfiles(versions, worked), unused
