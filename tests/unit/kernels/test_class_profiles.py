"""Which version of a class profile holds when, and what makes one unusable."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from jobs.kernels.class_profiles import ClassProfiles, class_profiles

FIRST, SECOND, THIRD = date(2025, 1, 1), date(2025, 3, 1), date(2025, 6, 1)
CLOCKED = [1.0] * 12 + [3.0] * 12


def rows(
    shares: list[float | None],
    valid_from: date = FIRST,
    day_type: str = "working",
    usage_class: str = "residential",
    received_us: int = 1,
) -> list[dict[str, Any]]:
    """A version, without the intervals whose share is None."""
    minutes = 1440 // len(shares)
    same = {"usage_class": usage_class, "valid_from": valid_from, "day_type": day_type, "interval_minutes": minutes}
    known = {"received_us": received_us, "delivery_id": "d"}
    every = ({**same, **known, "start_minute": n * minutes, "share": share} for n, share in enumerate(shares))
    return [row for row in every if row["share"] is not None]


def made(*versions: list[dict[str, Any]]) -> ClassProfiles:
    profiles, unused = class_profiles([row for version in versions for row in version], {})
    assert not unused
    return profiles


def test_a_version_holds_until_the_next_one_of_its_type_of_day() -> None:
    profiles = made(rows([1.0] * 24), rows([2.0] * 24, SECOND), rows([3.0] * 24, THIRD, "other"))

    def level(day: str) -> float | None:
        found = profiles.on("residential", date.fromisoformat(day).toordinal())
        return None if found is None else float(found.shares[0])

    # Friday, Monday; a Sunday before and after the first version of other days
    assert [level(day) for day in ("2025-02-28", "2025-03-03", "2025-05-25", "2025-06-01")] == [1.0, 2.0, None, 3.0]
    assert level("2024-12-31") is None
    assert profiles.on("agricultural", THIRD.toordinal()) is None
    assert profiles.on(None, THIRD.toordinal()) is None


@pytest.mark.parametrize(
    ("shares", "said"),
    [([1.0] * 23 + [None], "23 of 24 intervals"), ([0.0] * 24, "no energy"), ([None, 1.0], "1 of 2")],
)
def test_a_version_which_says_too_little_is_not_used_and_the_one_before_holds_on(
    shares: list[float | None], said: str
) -> None:
    stated = [*rows(CLOCKED), *rows(shares, SECOND)]
    profiles, unused = class_profiles(stated, {})
    assert len(unused) == 1
    assert "residential from 2025-03-01, working" in unused[0]
    assert said in unused[0]
    held = profiles.on("residential", THIRD.toordinal() + 1)
    assert held is not None
    assert held.valid_from == FIRST.toordinal()


def test_of_several_lengths_of_intervals_the_one_which_came_last_is_the_version() -> None:
    quarters = rows([1.0] * 96, received_us=1)
    # hours have replaced the quarters which begin with them
    hours = {row["start_minute"]: row for row in rows([9.0] * 24, received_us=2)}
    held = made([hours.get(row["start_minute"], row) for row in quarters]).on("residential", SECOND.toordinal() + 2)
    assert held is not None
    assert (held.interval_minutes, held.received_us, held.shares.tolist()) == (60, 2, [9.0] * 24)
    # a quarter is no hour which did not come
    del hours[180]
    _, unused = class_profiles([hours.get(row["start_minute"], row) for row in quarters], {})
    assert unused == ["residential from 2025-01-01, working: 23 of 24 intervals"]


def test_energy_flows_evenly_within_an_interval_of_the_profile() -> None:
    held = made(rows(CLOCKED)).on("residential", SECOND.toordinal() + 2)
    assert held is not None
    assert held.of_length(30) == pytest.approx([0.5] * 24 + [1.5] * 24)
    assert held.of_length(480) == pytest.approx([8.0, 4.0 + 12.0, 24.0])
    for minutes in (1, 5, 15, 20, 45, 90, 1440):
        assert held.of_length(minutes).sum() == pytest.approx(48.0)
        assert len(held.of_length(minutes)) == 1440 // minutes


def test_dates_are_concerned_from_a_changed_version_to_the_next_one_in_use() -> None:
    profiles = made(*(rows(CLOCKED, day, kind) for day in (FIRST, THIRD) for kind in ("working", "other")))
    days = np.array([date(2025, month, 15).toordinal() for month in range(1, 13)])

    def months(*changed: date, usage_class: str = "residential") -> list[int]:
        found = list(profiles.dates_of([(usage_class, day.toordinal()) for day in changed], days))
        assert {name for name, _ in found} <= {usage_class}
        return [date.fromordinal(ordinal).month for _, ordinal in found]

    assert months(FIRST) == [1, 2, 3, 4, 5]
    assert months(THIRD) == [6, 7, 8, 9, 10, 11, 12]
    # one that is gone: the one before it holds again up to the next
    assert months(SECOND) == [3, 4, 5]
    assert months(SECOND, THIRD) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    # the last of a class is gone
    assert months(SECOND, usage_class="agricultural") == list(range(3, 13))
    assert months(date(2026, 1, 1)) == []
