"""A meter whose days came to lie at other hours is flagged in its profile, until a correction takes that back."""

from datetime import date, timedelta

import numpy as np
import pytest

from schemas.meter_levels import METER_LEVELS
from schemas.meter_profiles import METER_PROFILES
from schemas.validated_days import VALIDATED_DAYS
from tests.jobs.deliveries import CURVE_HEADER, POINT_HEADER, deliver, text
from tests.province import FIRST_DAY, Site

MONDAY = FIRST_DAY - timedelta(days=FIRST_DAY.weekday())
POINTS = [f"P{meter},0100000001,{meter},1,2020-01-01,,T1,F1,县一,市一,交流220V" for meter in ("m1", "m2")]
DATES = [MONDAY - timedelta(days=n) for n in range(28, 0, -1)]
# kWh of each hour
USUAL = np.array(
    [.2, .2, .2, .2, .2, .3, .8, 1.2, .7, .4, .3, .3, .4, .4, .3, .3, .5, 1., 1.8, 2., 1.6, 1.2, .7, .3]
)  # fmt: skip


def _curves(meter: str, days: list[date], late_since: date | None = None) -> list[str]:
    """A meter's days, three hours late from a date on."""
    rows = []
    for day in days:
        rng = np.random.default_rng([int(meter[1:]), day.toordinal()])
        hours = USUAL * np.exp(0.3 * rng.standard_normal(24))
        if late_since and day >= late_since:
            hours = np.roll(hours, 3)
        values = (f"{value / 4:.4f}" for value in np.repeat(hours, 4))
        rows.append(",".join([meter, day.isoformat(), "正向有功", *values]))
    return rows


def _take(site: Site, name: str, hour: int, *rows: str) -> str:
    received_at = f"2025-06-27T{hour:02d}:00:00+08:00"
    data = {"m.csv": text(CURVE_HEADER, *rows)}
    deliver(site.home / "landing", "meter_days", data, delivery_id=name, received_at=received_at)
    site.run("ingest_meter_days")
    said = site.run("build_meter_profiles")
    site.run("build_validated_days")
    return said


def _profiles(site: Site) -> dict[str, tuple[int, int, list[str]]]:
    """Of the last week: minutes, days and flags of each meter."""
    held = site.context("look", FIRST_DAY).lake.read(METER_PROFILES).where(f"week_start = DATE'{MONDAY}'")
    return {row.meter_id: (row.clock_shift_minutes, row.clock_shift_days, row.flags) for row in held.collect()}


def test_a_moved_clock_is_flagged_in_the_profile_and_no_more_once_it_is_corrected(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(site.home / "landing", "metering_points", {"p.csv": text(POINT_HEADER, *POINTS)})
    site.run("ingest_metering_points")
    late = MONDAY - timedelta(days=7)
    _take(site, "a", 1, *_curves("m1", DATES), *_curves("m2", DATES, late))
    assert _profiles(site) == {"m1": (0, 0, []), "m2": (180, 7, ["MD-29"])}
    # every row is judged, the weeks before it too
    lake = site.context("look", FIRST_DAY).lake
    assert lake.read(METER_PROFILES).where("flags IS NULL").count() == 0
    assert lake.read(METER_PROFILES).where("size(flags) > 0").count() == 1
    # the flag is the profile's: its days are as they were sent
    flagged = lake.read(VALIDATED_DAYS).where("array_contains(flags, 'MD-29')")
    assert flagged.count() == 0
    # whoever asks for a day is told what is said of its weeks, and what holds since a date
    broken = site.spark.sql(f"SELECT 'm2' meter_id, DATE'{late}' since, 0.5D ratio, array('MD-27') flags")
    lake.append_new(broken, METER_LEVELS)
    for day, is_told in ((late, True), (late - timedelta(days=1), False)):
        site.run("explain_day", day, meter="m2")
        said = " ".join(capsys.readouterr().out.split())
        for words in (f"+180 minutes in the days before {MONDAY}", "MD-29: the last days lie at other hours"):
            assert (words in said) is is_told
        for words in (f"0.5 times what it was, since {late}", "MD-27: the level falls"):
            assert (words in said) is is_told

    said = _take(site, "b", 2, *_curves("m2", DATES[-7:]))
    assert said == "0 week(s) made of all meters, 1 again of some"
    assert _profiles(site) == {"m1": (0, 0, []), "m2": (0, 0, [])}
    assert site.run("build_meter_profiles") == "nothing new"
