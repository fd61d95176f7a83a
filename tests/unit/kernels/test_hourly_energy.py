from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels.hourly_energy import HourlyEnergy, hourly_energy

ZONE = "Asia/Shanghai"
SCHEMA = pa.schema(
    [
        ("read_date", pa.date32()),
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.int8())),
        ("flags", pa.list_(pa.string())),
        ("total_kwh", pa.float64()),
        ("register_kwh", pa.float64()),
        ("clock_shift_minutes", pa.int32()),
    ]
)
Value = float | None


def energy(
    kwh: list[Value] | None,
    quality: dict[int, int] | None = None,
    flags: tuple[str, ...] = (),
    register: Value = None,
    shift: int = 0,
    day: date = date(2025, 6, 2),
    zone: str = ZONE,
) -> HourlyEnergy:
    codes = None if kwh is None else [(quality or {}).get(n, 0 if v is None else 1) for n, v in enumerate(kwh)]
    row = {
        "read_date": day, "interval_minutes": 15 if kwh else None, "kwh": kwh, "quality": codes, "flags": list(flags),
        "total_kwh": sum(v or 0.0 for v in kwh) if kwh else None, "register_kwh": register,
        "clock_shift_minutes": shift,
    }  # fmt: skip
    return hourly_energy(pa.RecordBatch.from_pylist([row], schema=SCHEMA), zone)


def test_four_quarters_are_an_hour_and_one_that_is_missing_makes_it_unknown() -> None:
    made = energy([1.0] * 4 + [0.5, None, 0.5, 0.5] + [0.25] * 88)
    assert made.kwh[0, [0, 2]].tolist() == [4.0, 1.0]
    assert np.isnan(made.kwh[0, 1])
    assert made.doubtful_kwh.sum() == 0


def test_what_is_estimated_is_doubtful_and_the_hour_is_known() -> None:
    made = energy([0.5] * 96, quality={0: 6, 1: 6})
    assert (made.kwh[0, 0], made.doubtful_kwh[0, 0], made.doubtful_kwh[0, 1]) == (2.0, 1.0, 0.0)
    assert made.estimated_kwh[0] == 1.0


def test_a_day_which_its_register_contradicts_is_doubted_unless_the_register_is_wrong() -> None:
    assert energy([0.5] * 96, register=40.0).is_doubted[0]
    assert energy([0.5] * 96, register=40.0).doubtful_kwh[0].sum() == pytest.approx(48.0)
    assert not energy([0.5] * 96, register=40.0, flags=("MD-15",)).is_doubted[0]
    assert not energy([0.5] * 96, register=48.01).is_doubted[0]


def test_a_late_clock_is_put_right() -> None:
    made = energy([9.0] * 8 + [1.0] * 84 + [2.0] * 4, flags=("MD-19",), shift=120)
    assert made.kwh[0, [22, 23]].tolist() == [36.0, 36.0]
    assert made.kwh[0, 21] == 8.0


def test_hours_written_into_the_first_places_are_hours() -> None:
    kwh: list[Value] = [float(n) for n in range(24)] + [0.0] * 72
    made = energy(kwh, quality=dict.fromkeys(range(24, 96), 4), flags=("MD-08", "MD-23"))
    assert made.kwh[0].tolist() == [float(n) for n in range(24)]


def test_a_day_without_a_curve_has_no_hours() -> None:
    assert np.isnan(energy(None).kwh).all()


def test_a_day_of_23_hours_has_an_hour_of_nothing() -> None:
    made = energy([0.5] * 92, day=date(2025, 3, 30), zone="Europe/Berlin")
    assert made.kwh[0, [1, 2, 3]].tolist() == [2.0, 0.0, 2.0]
