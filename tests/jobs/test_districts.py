"""A corrected meter day reaches the balances of its own district, from its date on, and nothing else of them."""

from collections.abc import Mapping
from datetime import date, timedelta

from pyspark.sql import functions as F

from schemas.district_days import DISTRICT_DAYS
from schemas.meter_levels import METER_LEVELS
from tests.jobs.deliveries import CURVE_HEADER, POINT_HEADER, deliver, text
from tests.province import FIRST_DAY, Site

DATES = [FIRST_DAY - timedelta(days=n) for n in range(12, 0, -1)]
CORRECTED = DATES[7]
# a meter and its energy on the dial, kWh a quarter hour
KWH = {"supply1": 0.02, "home1": 0.6, "home2": 0.3, "supply2": 0.01, "home3": 0.4}
JOBS = ("build_meter_profiles", "build_validated_days", "build_district_days", "build_meter_levels")


def _point(meter: str, district: str) -> str:
    is_own = meter.startswith("supply")
    customer, multiplier, kind = ("", 50, "台区总表") if is_own else (f"01{meter[-1]:>08}", 1, "客户")
    return f"P{meter},{customer},{meter},{multiplier},2020-01-01,,{district},F1,县一,市一,交流220V,{kind}"


POINTS = [_point(meter, "T2" if meter in {"supply2", "home3"} else "T1") for meter in KWH]


def _curve(meter: str, day: date, factor: float = 1.0) -> str:
    values = (f"{factor * KWH[meter] * (0.9 + 0.2 * (point % 7) / 6):.4f}" for point in range(96))
    return ",".join([meter, day.isoformat(), "正向有功", *values])


def _deliver_curves(site: Site, name: str, hour: int, *rows: str) -> None:
    data = {"m.csv": text(CURVE_HEADER, *rows)}
    received_at = f"2025-06-28T{hour:02d}:00:00+08:00"
    deliver(site.home / "landing", "meter_days", data, delivery_id=name, received_at=received_at)
    for job in ("ingest_meter_days", *JOBS):
        site.run(job)


def _rows(site: Site) -> Mapping[tuple[str, date], tuple[float, int]]:
    """Counted energy of a district and a date, and a hash over all that is said of it."""
    held = site.context("look", FIRST_DAY).lake.read(DISTRICT_DAYS)
    said = held.select("district_id", "balance_date", "counted_kwh", F.xxhash64(*held.columns).alias("said"))
    return {(row.district_id, row.balance_date): (row.counted_kwh, row.said) for row in said.collect()}


def test_a_corrected_meter_day_changes_its_own_district_from_its_date_on(site: Site) -> None:
    points = text(f"{POINT_HEADER},计量点类别", *POINTS)
    deliver(site.home / "landing", "metering_points", {"p.csv": points})
    site.run("ingest_metering_points")
    _deliver_curves(site, "a", 1, *(_curve(meter, day) for meter in KWH for day in DATES))
    before = _rows(site)
    assert set(before) == {(district, day) for district in ("T1", "T2") for day in DATES}
    assert abs(before["T1", CORRECTED][0] - 96 * 0.9) < 0.5

    _deliver_curves(site, "b", 2, _curve("home1", CORRECTED, 0.6))
    after = _rows(site)
    changed = {key for key in before if before[key] != after[key]}
    assert set(after) == set(before)
    assert {district for district, _ in changed} == {"T1"}
    assert min(day for _, day in changed) == CORRECTED
    assert abs(before["T1", CORRECTED][0] - after["T1", CORRECTED][0] - 0.4 * 57.5) < 0.1
    assert after["T1", DATES[-1]][0] == before["T1", DATES[-1]][0]

    lake = site.context("look", FIRST_DAY).lake
    versions = [lake.version(table) for table in (DISTRICT_DAYS, METER_LEVELS)]
    assert site.run("build_district_days") == "nothing new"
    # a search was made on the Friday: the correction waits for the Sunday
    assert site.run("build_meter_levels").endswith(f" wait for the search of {FIRST_DAY + timedelta(days=2)}")
    assert [lake.version(table) for table in (DISTRICT_DAYS, METER_LEVELS)] == versions
