from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from jobs.kernels.area_curves import district_parts, rolled_up

DAY = date(2025, 6, 1)
METER = pa.schema(
    [
        ("load_date", pa.date32()),
        ("district_id", pa.string()),
        ("feeder_id", pa.string()),
        ("county", pa.string()),
        ("prefecture", pa.string()),
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float32())),
        ("multiplier", pa.float64()),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)
Value = float | None


def meter(
    district: str | None, kwh: list[Value], multiplier: float = 1.0, prefecture: str = "P", hour: int = 0
) -> dict[str, object]:
    at = datetime(2025, 6, 2, hour, tzinfo=UTC)
    return {
        "load_date": DAY, "district_id": district, "feeder_id": "F", "county": "K", "prefecture": prefecture,
        "interval_minutes": 24 * 60 // len(kwh), "kwh": kwh, "multiplier": multiplier, "available_at": at,
    }  # fmt: skip


def loads(*batches: list[dict[str, object]]) -> dict[tuple[str, str], dict[str, object]]:
    read = (pa.RecordBatch.from_pylist(rows, schema=METER) for rows in batches)
    parts = pa.Table.from_batches(district_parts(read))
    return {(row["area_level"], row["area_id"]): row for row in rolled_up(parts).to_pylist()}


def test_every_level_adds_up_what_lies_in_it() -> None:
    areas = loads([meter("D1", [1.0] * 24, 10.0), meter("D1", [2.0] * 24)], [meter("D2", [3.0] * 24)])
    assert {key: row["kwh"] for key, row in areas.items()} == {  # type: ignore[comparison-overlap]
        ("district", "D1"): [12.0] * 24,
        ("district", "D2"): [3.0] * 24,
        ("feeder", "F"): [15.0] * 24,
        ("county", "P/K"): [15.0] * 24,
        ("prefecture", "P"): [15.0] * 24,
        ("province", "province"): [15.0] * 24,
    }
    assert areas["province", "province"]["meter_count"] == 3


def test_a_missing_value_lowers_coverage_and_is_not_zero() -> None:
    areas = loads([meter("D1", [1.0] * 23 + [None]), meter("D1", [None] + [1.0] * 22 + [None])])
    row = areas["district", "D1"]
    assert row["kwh"] == [1.0, *[2.0] * 22, None]
    assert row["coverage"] == [0.5, *[1.0] * 22, 0.0]


def test_counties_of_one_name_in_two_prefectures_are_two() -> None:
    areas = loads([meter("D1", [1.0] * 24, prefecture="P"), meter("D2", [2.0] * 24, prefecture="Q")])
    assert areas["county", "P/K"]["kwh"] == [1.0] * 24
    assert areas["county", "Q/K"]["kwh"] == [2.0] * 24


def test_finer_curves_are_laid_on_the_coarsest_grid_of_the_date() -> None:
    areas = loads([meter("D1", [0.25] * 95 + [None]), meter("D1", [1.0] * 24)])
    row = areas["district", "D1"]
    assert (row["interval_minutes"], row["kwh"][:2]) == (60, [2.0, 2.0])  # type: ignore[index]
    assert row["coverage"][-1] == pytest.approx(0.5)  # type: ignore[index]


def test_a_curve_of_another_length_counts_as_a_meter_without_values() -> None:
    odd = meter("D2", [1.0] * 24) | {"kwh": [1.0] * 23}
    areas = loads([meter("D1", [1.0] * 24), meter("D1", [1.0] * 24), odd])
    assert areas["district", "D2"]["kwh"] == [None] * 24
    assert areas["province", "province"]["coverage"] == [pytest.approx(2 / 3, abs=1e-6)] * 24


def test_sums_do_not_depend_on_how_meters_come_in_batches() -> None:
    meters = [meter(f"D{i % 3}", [0.1 * i + 0.01 * j for j in range(24)], 7.0, hour=i % 9) for i in range(30)]
    assert loads(meters) == loads(meters[20:], meters[:7], meters[7:20])


def test_a_meter_in_no_district_still_counts_in_the_province() -> None:
    areas = loads([meter(None, [1.0] * 24), meter("D1", [1.0] * 24)])
    assert areas["province", "province"]["kwh"] == [2.0] * 24
    assert [key for key in areas if key[0] == "district"] == [("district", "D1")]
