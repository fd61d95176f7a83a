from datetime import date

import numpy as np
import pytest

from jobs.kernels.tou_periods import PERIODS, tou_periods

JULY, JANUARY = date(2025, 7, 10).toordinal(), date(2025, 1, 10).toordinal()


def line(
    number: int, period: str, hours: str | None = None, months: str | None = None, **more: object
) -> dict[str, object]:
    return {
        "tariff_code": "T", "valid_from": date(2024, 1, 1), "valid_to": None, "line_no": number,
        "months": months, "period_code": period, "hours": hours, **more,
    }  # fmt: skip


def period_at(lines: list[dict[str, object]], clock: str, ordinal: int = JULY, code: str | None = "T") -> str:
    hour, minute = clock.split(":")
    return PERIODS[tou_periods(lines).minutes(code, ordinal)[int(hour) * 60 + int(minute)]]


def test_hours_are_spans_which_exclude_their_end() -> None:
    lines = [line(1, "peak", "10:00-12:00;14:00-19:00")]
    assert [period_at(lines, clock) for clock in ("09:59", "10:00", "11:59", "12:00", "14:00", "18:45", "19:00")] == [
        "flat", "peak", "peak", "flat", "peak", "peak", "flat",
    ]  # fmt: skip


def test_a_span_goes_over_midnight() -> None:
    lines = [line(1, "valley", "23:00-07:00")]
    assert [period_at(lines, clock) for clock in ("22:59", "23:00", "00:00", "06:59", "07:00")] == [
        "flat", "valley", "valley", "valley", "flat",
    ]  # fmt: skip


def test_a_line_of_certain_months_goes_before_one_of_all() -> None:
    lines = [line(1, "sharp", "19:00-21:00", months="7,8"), line(2, "peak", "18:00-22:00")]
    assert period_at(lines, "20:00", JULY) == "sharp"
    assert period_at(lines, "20:00", JANUARY) == "peak"


def test_a_day_without_hours_is_the_whole_day_and_gives_way_to_hours() -> None:
    lines = [line(1, "valley", "00:00-24:00", months="1"), line(2, "flat")]
    assert period_at(lines, "23:59", JANUARY) == "valley"
    assert period_at(lines, "23:59", JULY) == "flat"


def test_the_version_valid_on_the_date_counts() -> None:
    old = line(1, "peak", "10:00-12:00", valid_to=date(2025, 6, 30))
    new = line(1, "sharp", "10:00-12:00", valid_from=date(2025, 7, 1))
    assert period_at([old, new], "10:00", date(2025, 6, 30).toordinal()) == "peak"
    assert period_at([old, new], "10:00", date(2025, 7, 1).toordinal()) == "sharp"


@pytest.mark.parametrize("code", [None, "unknown"])
def test_everything_is_flat_where_the_tariff_is_not_known(code: str | None) -> None:
    minutes = tou_periods([line(1, "peak", "10:00-12:00")]).minutes(code, JULY)
    assert set(np.unique(minutes)) == {PERIODS.index("flat")}


@pytest.mark.parametrize(("hours", "months"), [("10-12", None), ("10:00-25:00", None), (None, "13"), (None, "July")])
def test_what_cannot_be_read_names_the_tariff(hours: str | None, months: str | None) -> None:
    with pytest.raises(ValueError, match="tariff T valid from 2024-01-01"):
        tou_periods([line(1, "peak", hours, months)])
