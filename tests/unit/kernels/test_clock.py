from datetime import date

import pytest

from jobs.kernels.clock import day_clock, day_minutes

SPRING, AUTUMN, PLAIN = (date(2025, *d).toordinal() for d in ((3, 30), (10, 26), (6, 1)))


@pytest.mark.parametrize(("ordinal", "hours"), [(SPRING, 23), (AUTUMN, 25), (PLAIN, 24)])
def test_a_london_date_has_as_many_hours_as_the_clock_gives_it(ordinal: int, hours: int) -> None:
    assert day_minutes(ordinal, "Europe/London") == hours * 60
    assert day_minutes(ordinal, "Asia/Shanghai") == 24 * 60


def test_a_curve_of_a_short_date_skips_the_hour() -> None:
    clock = day_clock(SPRING, 46, 30, "Europe/London")
    assert clock.starts[:4].tolist() == [0, 30, 120, 150]
    assert clock.expected.all()


def test_a_curve_of_a_long_date_repeats_the_hour() -> None:
    assert day_clock(AUTUMN, 50, 30, "Europe/London").starts[:7].tolist() == [0, 30, 60, 90, 60, 90, 120]


def test_a_source_that_always_sends_24_hours_sends_an_hour_that_is_not_expected() -> None:
    clock = day_clock(SPRING, 48, 30, "Europe/London")
    assert [int(i) for i in (~clock.expected).nonzero()[0]] == [2, 3]
