"""Profiles of usage classes, from their delivery to what is estimated by them, in any order of deliveries."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from schemas.quality_codes import CLASS_PROFILE_SCALED, MEASURED, MISSING, OWN_PROFILE_SCALED
from schemas.reference import CLASS_PROFILES
from schemas.validated_days import REVALIDATED_DAYS, VALIDATED_DAYS
from tests.jobs.deliveries import CURVE_HEADER, POINT, POINT_HEADER, curve, deliver, text
from tests.jobs.orders import assert_all_rows_accounted_for
from tests.province import FIRST_DAY, VALIDATE, Site

DAY = "2025-06-24"
# eight hours which no line bridges
GAP = range(32, 64)
GAPPED = {f"p{15 * n // 60:02d}{15 * n % 60:02d}": "" for n in (place + 1 for place in GAP)}
CUSTOMER_HEADER = "户号,户名,联系电话,用电地址,用电类别,行业,电价代码,合同容量(kVA),立户日期,联系渠道,营销同意,生效日期"
REGISTER_HEADER = "电表编号,数据日期,总示值,尖示值,峰示值,平示值,谷示值"
PROFILE_HEADER = "用电类别,生效日期,日类型,起始分钟,间隔(分钟),份额"
PREVIOUS, NEXT, LATER = "2025-01-01", "2025-07-01", "2025-06-01"


def _customer(number: int, usage_class: str, since: str = "2020-01-01") -> str:
    return f"01{number:08d},张三,,,{usage_class},,RES-TIER,8,2020-01-01,,否,{since}"


def _profile(shares: Sequence[float], valid_from: str, usage_class: str = "居民") -> tuple[str, ...]:
    minutes = 1440 // len(shares)
    return tuple(
        f"{usage_class},{valid_from},{kind},{minutes * n},{minutes},{share}"
        for kind in ("工作日", "非工作日")
        for n, share in enumerate(shares)
    )


def _point(number: int) -> str:
    return POINT.replace("P1", f"P{number}").replace("0001,M1", f"{number:04d},M{number}")


def _registers(meter: str, kwh: float) -> tuple[str, ...]:
    return (f"{meter},2025-06-23,1000,,,,", f"{meter},{DAY},{1000 + kwh},,,,")


# noon is three times as high as the rest
NOON = [1.0] * 10 + [3.0] * 4 + [1.0] * 10
HEADERS = {
    "metering_points": POINT_HEADER,
    "customers": CUSTOMER_HEADER,
    "meter_days": CURVE_HEADER,
    "register_readings": REGISTER_HEADER,
    "class_profiles": PROFILE_HEADER,
}
# name -> feed, hour received, cancelled deliveries, rows
STEPS: dict[str, tuple[str, int, tuple[str, ...], tuple[str, ...]]] = {
    "points": ("metering_points", 0, (), tuple(map(_point, (1, 2, 3, 4)))),
    "customers": (
        "customers",
        1,
        (),
        # the second becomes a shop in July: what counts on the date is what it was
        (*(_customer(n, "居民") for n in (1, 2, 4)), _customer(2, "一般工商业", "2025-07-01"), _customer(3, "农业")),
    ),
    # M1 to M3 are new, and M2 sends nothing; M4 has a past
    "readings": (
        "meter_days",
        2,
        (),
        (
            *(curve(meter=f"M{n}", day=DAY, value=f"0.2{4 + n}", **GAPPED) for n in (1, 3, 4)),
            *(curve(meter="M4", day=f"2025-06-{n:02d}", value="0.28") for n in range(9, 20)),
        ),
    ),
    "registers": (
        "register_readings",
        3,
        (),
        tuple(row for n, kwh in ((1, 32.0), (2, 34.0), (3, 32.0), (4, 32.0)) for row in _registers(f"M{n}", kwh)),
    ),
    "profile": ("class_profiles", 4, (), _profile(NOON, PREVIOUS)),
    "another class": ("class_profiles", 5, (), _profile(NOON, PREVIOUS, "大工业")),
    "later version": ("class_profiles", 6, (), _profile([1.0] * 24, NEXT)),
}
FIRST = tuple(name for name, (feed, *_) in STEPS.items() if feed != "class_profiles")


class _Story:
    def __init__(self, site: Site) -> None:
        self.site = site

    def play(self, *names: str) -> str:
        """Land and take up deliveries of STEPS; what validation says."""
        for name in names:
            self.take(name, *STEPS[name])
        return self.build()

    def take(self, name: str, feed: str, hour: int, cancels: tuple[str, ...], rows: tuple[str, ...]) -> None:
        deliver(
            self.site.home / "landing",
            feed,
            {"f.csv": text(HEADERS[feed], *rows)} if rows else {},
            delivery_id=name.replace(" ", "-"),
            received_at=f"2025-06-28T{hour:02d}:00:00+08:00",
            cancels=cancels,
        )
        self.site.run(f"ingest_{feed}")

    def build(self) -> str:
        *_, said = [self.site.run(job) for job in VALIDATE]
        self.site.run("build_customer_days")
        return said

    def day(self, meter: str) -> tuple[set[int], float | None, list[float] | None]:
        """Quality codes in the gap, the day's energy, and the energy of each hour of the gap."""
        lake = self.site.context("look", FIRST_DAY).lake
        [row] = lake.read(VALIDATED_DAYS).where(f"meter_id = '{meter}' AND read_date = DATE'{DAY}'").collect()
        if row.kwh is None:
            return set(), None, None
        points = range(len(row.kwh)) if meter == "M2" else GAP
        codes = {row.quality[n] for n in points}
        if codes == {MISSING}:
            return codes, row.total_kwh, None
        hour = 60 // row.interval_minutes
        known = [row.kwh[n] for n in points]
        return codes, row.total_kwh, [sum(known[n : n + hour]) for n in range(0, len(known), hour)]

    def made_again(self) -> list[tuple[str, str]]:
        """Meters and dates made beside what deliveries name, by all runs."""
        rows = self.site.context("look", FIRST_DAY).lake.read(REVALIDATED_DAYS)
        return sorted((row.meter_id, str(row.read_date)) for row in rows.collect())


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> _Story:
    """Everything but class profiles."""
    story = _Story(Site(tmp_path_factory.mktemp("without"), spark))
    story.play(*FIRST)
    return story


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, without: _Story) -> _Story:
    """Class profiles delivered after the readings were validated."""
    story = _Story(without.site.copy(tmp_path_factory.mktemp("told")))
    story.play("profile", "another class", "later version")
    return story


def test_without_class_profiles_long_gaps_of_new_meters_stay_open(without: _Story) -> None:
    assert without.day("M1") == ({MISSING}, pytest.approx(16.0), None)
    assert without.day("M2") == (set(), None, None)
    assert without.day("M4")[0] == {OWN_PROFILE_SCALED}


def test_a_new_meter_is_estimated_by_its_class_and_adds_up_to_its_registers(told: _Story, without: _Story) -> None:
    codes, kwh, hours = told.day("M1")
    assert (codes, kwh) == ({CLASS_PROFILE_SCALED}, pytest.approx(32.0, abs=1e-3))
    assert hours is not None
    # from eight to ten, noon, from two to four
    assert min(hours[2:6]) > 1.5 * max(hours[0], hours[7])
    # a silent one by its registers, in the intervals of the class
    codes, kwh, hours = told.day("M2")
    assert (codes, kwh) == ({CLASS_PROFILE_SCALED}, pytest.approx(34.0, abs=1e-3))
    assert hours == pytest.approx([34 / 32 * share for share in NOON], abs=1e-3)
    # of its class there is no profile
    assert told.day("M3") == without.day("M3")
    assert told.day("M4") == without.day("M4")


def test_only_days_which_rest_on_the_profile_are_made_again(told: _Story, without: _Story) -> None:
    known = without.made_again()
    again = told.made_again()
    assert {key for key in again if key not in known} <= {(meter, DAY) for meter in ("M1", "M2")}
    assert (("M1", DAY) in again, ("M2", DAY) in again) == (True, True)
    assert told.site.run("build_validated_days") == "nothing new"


@pytest.mark.parametrize(
    "order",
    [
        ("later version", "profile", "another class", *FIRST),
        (*FIRST[:1], *FIRST[2:], "profile", "later version", "another class", "customers"),
    ],
    ids=["profiles first", "customers last"],
)
def test_any_order_ends_in_the_same_rows(tmp_path: Path, told: _Story, order: tuple[str, ...]) -> None:
    # of another key customers have other pseudonyms
    shutil.copytree(told.site.home / "secrets", tmp_path / "secrets")
    story = _Story(Site(tmp_path, told.site.spark))
    story.play(*order[:-1])
    story.play(order[-1])
    assert story.site.fingerprints("core", "features") == told.site.fingerprints("core", "features")
    assert_all_rows_accounted_for(story.site)


def test_a_profile_is_corrected_and_cancelled_and_what_was_before_holds_again(
    tmp_path: Path, told: _Story, without: _Story
) -> None:
    story = _Story(told.site.copy(tmp_path / "corrected"))
    found = {meter: told.day(meter) for meter in ("M1", "M2")}
    # of the same date, and with other intervals: all of them in the morning
    story.take("corrected", "class_profiles", 7, (), _profile([1.0] * 32 + [5.0] * 8 + [1.0] * 56, PREVIOUS))
    assert story.build().endswith("days of 1 date(s) made")
    codes, kwh, hours = story.day("M1")
    assert (codes, kwh) == ({CLASS_PROFILE_SCALED}, pytest.approx(32.0, abs=1e-3))
    assert hours is not None
    assert hours[0] > 2 * hours[7]
    assert len(story.day("M2")[2] or ()) == 24
    # a version between the two which begins after the date says nothing about it
    story.take("tomorrow", "class_profiles", 8, (), _profile([1.0] * 24, "2025-06-25"))
    assert story.build().endswith("days of 0 date(s) made")
    story.take("june", "class_profiles", 9, (), _profile([1.0] * 24, LATER))
    story.build()
    assert story.day("M2")[2] == pytest.approx([34 / 24] * 24, abs=1e-3)
    story.take("cancelled", "class_profiles", 10, ("corrected", "tomorrow", "june"), ())
    story.build()
    assert {meter: story.day(meter) for meter in ("M1", "M2")} == found
    story.take("all", "class_profiles", 11, ("profile",), ())
    story.build()
    assert {meter: story.day(meter) for meter in ("M1", "M2")} == {m: without.day(m) for m in ("M1", "M2")}
    assert_all_rows_accounted_for(story.site)


def test_an_estimate_is_not_known_before_its_profile(told: _Story, without: _Story) -> None:
    def known_at(story: _Story) -> dict[str, str]:
        rows = story.site.context("look", FIRST_DAY).lake.read(VALIDATED_DAYS).where(f"read_date = DATE'{DAY}'")
        return {row.meter_id: row.at for row in rows.select("meter_id", F.hour("available_at").alias("at")).collect()}

    # hours of UTC: of the registers, and of the profile
    assert known_at(without)["M1"] == 19
    assert known_at(told) == known_at(without) | {"M1": 20, "M2": 20}


def test_rows_which_break_a_rule_are_refused_and_an_incomplete_version_is_not_used(
    tmp_path: Path, without: _Story, caplog: pytest.LogCaptureFixture
) -> None:
    story = _Story(without.site.copy(tmp_path / "refused"))
    good = _profile(NOON, PREVIOUS)
    rows = ("居民,2025-01-01,工作日,0,60,-1", *good[1:])
    story.take("partly bad", "class_profiles", 4, (), rows)
    assert story.site.context("look", FIRST_DAY).lake.read(CLASS_PROFILES).count() == 47
    with caplog.at_level("WARNING", logger="wattlake"):
        story.build()
    assert "residential from 2025-01-01, working: 23 of 24 intervals is not used" in caplog.text
    assert story.day("M1")[0] == {MISSING}
    story.take("rest", "class_profiles", 5, (), good[:1])
    story.build()
    assert story.day("M1")[0] == {CLASS_PROFILE_SCALED}
    assert MEASURED not in story.day("M1")[0]
