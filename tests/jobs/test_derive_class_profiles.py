"""Class profiles made from the meters' own, delivered and taken up like published ones."""

from datetime import date
from pathlib import Path

import pytest

from jobs.runtime.errors import DataError, UserError
from schemas.reference import CLASS_PROFILES
from tests.province import FIRST_DAY, SECOND_DAY, Site

NEEDED = ("calendar", "customers", "metering_points", "meter_days", "class_profiles")
# FIRST_DAY is a Friday
MONDAY = date(2025, 6, 23)


def _landed(site: Site) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (site.home / "landing" / "class_profiles").rglob("*") if path.is_file()}


def test_profiles_are_derived_from_meters_delivered_and_taken_up_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.run("generate_province", customers="60", history_days="14")
    for feed in NEEDED:
        site.run(f"ingest_{feed}")
    with pytest.raises(UserError, match="run build_meter_profiles"):
        site.run("derive_class_profiles")
    site.run("build_meter_profiles")
    published = _landed(site)
    with caplog.at_level("WARNING", logger="wattlake"):
        said = site.run("derive_class_profiles")
    assert said.startswith("class_profiles-20250627-of-20250623-from-20250623 written: residential;")
    assert "general_commercial is left out" in caplog.text
    assert "ingest_class_profiles" in said
    landed = _landed(site)
    assert published.items() < landed.items()
    assert "was there already" in site.run("derive_class_profiles")
    assert _landed(site) == landed
    assert site.run("ingest_class_profiles").startswith("1 delivery(ies), 192 rows read = 192 accepted")
    assert site.run("ingest_class_profiles").startswith("0 delivery(ies)")
    # another day of the week, with nothing new of it, says the same
    assert " written: residential" in site.run("derive_class_profiles", SECOND_DAY)
    assert "0 accepted + 0 superseding + 192 duplicate" in site.run("ingest_class_profiles", SECOND_DAY)
    rows = site.context("look", FIRST_DAY).lake.read(CLASS_PROFILES).where("usage_class = 'residential'").collect()
    shares = {
        kind: [r.share for r in sorted(rows, key=lambda r: r.start_minute) if (r.valid_from, r.day_type) == kind]
        for kind in {(r.valid_from, r.day_type) for r in rows}
    }
    assert set(shares) == {(day, kind) for day in (date(2024, 1, 1), MONDAY) for kind in ("working", "other")}
    for (valid_from, kind), curve in shares.items():
        assert sum(curve) == pytest.approx(1, abs=1e-4)
        # the people of the province live like those of the published profile
        other = shares[date(2024, 1, 1), kind]
        assert sum(abs(a - b) for a, b in zip(curve, other, strict=True)) < 0.35
        assert sum(curve[72:88]) > 1.5 * sum(curve[8:24]), valid_from


def test_what_cannot_be_derived_is_said(site: Site) -> None:
    with pytest.raises(DataError, match="There are no profiles of meters up to 2025-06-27"):
        site.run("derive_class_profiles")
