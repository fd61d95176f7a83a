"""Months are their days added up, exactly and in any order."""

import random
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from jobs.kernels import month_sums as kernel
from jobs.kernels.month_sums import SUMMED, month_sums

DAYS = pa.schema(
    [
        ("customer_key", pa.string()),
        ("usage_date", pa.date32()),
        *((name, pa.float64()) for name in SUMMED),
        ("peak_kw", pa.float64()),
        ("sum_check", pa.string()),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)


def day(customer: str, on: date, **said: object) -> dict[str, object]:
    return {"customer_key": customer, "usage_date": on, "available_at": datetime(2025, 7, 1, tzinfo=UTC), **said}


def months(rows: list[dict[str, object]], size: int = 1000) -> dict[tuple[str, str], dict[str, object]]:
    table = pa.Table.from_pylist(rows, schema=DAYS)
    made = month_sums(iter(table.to_batches(max_chunksize=size)))
    return {(row["customer_key"], row["month"]): row for batch in made for row in batch.to_pylist()}


def test_a_month_counts_its_days_and_adds_up_what_is_known() -> None:
    found = months(
        [
            day("k1", date(2025, 6, 29), kwh=1.25, kwh_peak=0.5, completeness=1.0, estimated_share=0.0, peak_kw=2.0),
            day("k1", date(2025, 6, 30), kwh=2.5, kwh_peak=None, completeness=0.5, peak_kw=1.0, sum_check="failed"),
            day("k1", date(2025, 7, 1), completeness=0.0, sum_check="ok"),
            day("k2", date(2025, 6, 30), kwh=0.1, available_at=datetime(2025, 7, 3, tzinfo=UTC)),
        ]
    )
    assert set(found) == {("k1", "2025-06"), ("k1", "2025-07"), ("k2", "2025-06")}
    june = found["k1", "2025-06"]
    assert (june["days_known"], june["dates_with_row"], june["sum_check_failed_days"]) == (2, 2, 1)
    assert (june["kwh"], june["kwh_peak"], june["completeness_sum"], june["peak_kw"]) == (3.75, 0.5, 1.5, 2.0)
    # nothing is known of a period of which no day says anything
    assert june["kwh_valley"] is None
    july = found["k1", "2025-07"]
    assert (july["days_known"], july["dates_with_row"], july["kwh"], july["peak_kw"]) == (0, 1, None, None)
    assert found["k2", "2025-06"]["days_known_at"] == datetime(2025, 7, 3, tzinfo=UTC)


def test_the_sum_is_the_same_in_any_order_and_in_batches_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0.1 + 0.2 is not 0.3 in binary fractions, and depends on what is added first
    rows = [day("k1", date(2025, 6, 1 + n), kwh=0.1 + n * 0.7, completeness=1 / 3) for n in range(30)]
    whole = months(rows)
    assert whole["k1", "2025-06"]["kwh"] == 307.5
    monkeypatch.setattr(kernel, "_MOST_PARTIAL", 2)
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert months(rows, size=1 + seed) == whole


def test_no_days_are_no_months() -> None:
    assert months([]) == {}
