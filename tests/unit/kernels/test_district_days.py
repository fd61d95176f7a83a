from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from jobs.kernels.district_days import balances, district_parts

DAY = date(2025, 6, 2)
SCHEMA = pa.schema(
    [
        ("balance_date", pa.date32()),
        ("district_id", pa.string()),
        ("is_supply", pa.bool_()),
        ("multiplier", pa.float64()),
        ("read_date", pa.date32()),
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.int8())),
        ("flags", pa.list_(pa.string())),
        ("total_kwh", pa.float64()),
        ("register_kwh", pa.float64()),
        ("estimated_count", pa.int32()),
        ("missing_count", pa.int32()),
        ("clock_shift_minutes", pa.int32()),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)


def meter(
    value: float | None, multiplier: float = 1.0, *, supply: bool = False, district: str = "D", estimated: int = 0
) -> dict[str, object]:
    """A day of 96 equal values, of which the first `estimated` are estimated; nothing known of None."""
    row: dict[str, object] = {
        "balance_date": DAY, "read_date": DAY, "district_id": district, "is_supply": supply, "multiplier": multiplier,
        "available_at": datetime(2025, 6, 3, tzinfo=UTC),
    }  # fmt: skip
    if value is None:
        return row
    codes = [6] * estimated + [1] * (96 - estimated)
    return row | {
        "interval_minutes": 15, "kwh": [value] * 96, "quality": codes, "flags": [], "total_kwh": 96 * value,
        "estimated_count": estimated, "missing_count": 0, "clock_shift_minutes": 0,
    }  # fmt: skip


def balance(*batches: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    read = (pa.RecordBatch.from_pylist(rows, schema=SCHEMA) for rows in batches)
    parts = pa.Table.from_batches(district_parts("Asia/Shanghai")(read))
    return {row["district_id"]: row for row in balances(parts).to_pylist()}


def test_the_loss_is_what_is_supplied_and_not_counted_in_primary_energy() -> None:
    made = balance([meter(0.5, 100.0, supply=True), meter(1.0, 20.0)], [meter(0.25, 100.0)])["D"]
    assert made["supplied_kwh"] == pytest.approx(4800)
    assert made["counted_kwh"] == pytest.approx(96 * (20 + 25))
    assert made["loss_kwh"] == pytest.approx(480)
    assert made["loss_rate"] == pytest.approx(0.1)
    assert made["hourly_supplied_kwh"] == pytest.approx([200.0] * 24)
    assert made["hourly_counted_kwh"] == pytest.approx([180.0] * 24)
    assert (made["point_count"], made["measured_count"], made["unknown_count"]) == (2, 2, 0)


def test_with_a_meter_unknown_nothing_is_said_of_the_loss() -> None:
    made = balance([meter(0.5, 100.0, supply=True), meter(1.0, 20.0), meter(None)])["D"]
    assert (made["loss_kwh"], made["loss_rate"], made["unknown_count"]) == (None, None, 1)
    assert made["counted_kwh"] == pytest.approx(1920)
    assert made["hourly_counted_kwh"] == [None] * 24
    unknown = balance([meter(None, 100.0, supply=True), meter(1.0, 20.0)])["D"]
    assert (unknown["supplied_kwh"], unknown["loss_kwh"], unknown["estimated_share"]) == (None, None, None)


def test_a_date_on_which_nothing_of_the_district_was_validated_has_no_balance() -> None:
    assert balance([meter(None, 100.0, supply=True), meter(None, 20.0)]) == {}
    assert set(balance([meter(None, 100.0, supply=True), meter(1.0, 20.0)])) == {"D"}


def test_estimated_energy_is_told_as_a_share_of_the_supply() -> None:
    made = balance([meter(0.5, 100.0, supply=True), meter(1.0, 20.0, estimated=24)])["D"]
    assert made["estimated_share"] == pytest.approx(480 / 4800)
    assert made["estimated_count"] == 1
    assert made["hourly_doubtful_kwh"] == pytest.approx([80.0] * 6 + [0.0] * 18)


def test_a_district_without_a_meter_of_its_own_has_no_balance() -> None:
    assert set(balance([meter(0.5, 100.0, supply=True), meter(1.0), meter(1.0, district="E")])) == {"D"}
    assert balance([meter(1.0, district="E")]) == {}


def test_batches_in_any_order_make_the_same_bits() -> None:
    rows = [meter(0.5, 100.0, supply=True), *(meter(0.1 * n, 3.0) for n in range(1, 20))]
    assert balance(rows) == balance(rows[10:], rows[:10]) == balance(*([row] for row in reversed(rows)))
