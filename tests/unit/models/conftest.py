"""A small town of customers whose days are known by construction."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from jobs.models.usage_forecast import UsageForecaster, UsageParams, fit

ORIGIN = dt.date(2025, 4, 30)
LIGHT = UsageParams(max_rows=6_000, rounds=40, learning_rate=0.15, num_leaves=15, min_rows_in_leaf=20, num_threads=1)


def make_history(customers: int = 60, days: int = 130, seed: int = 7) -> pd.DataFrame:
    """Homes with busy weekends and shops closed on Sundays, `days` days up to 14 days after ORIGIN."""
    random = np.random.default_rng(seed)
    dates = pd.date_range(end=pd.Timestamp(ORIGIN) + pd.Timedelta(days=14), periods=days, freq="D")
    day = dates.dayofweek.to_numpy()
    frames = []
    for i in range(customers):
        is_shop = i % 3 == 0
        week = np.where(day == 6, 0.2, 1.0) if is_shop else np.where(day >= 5, 1.4, 0.9)
        level = np.exp(random.normal(4.0 if is_shop else 2.0, 0.5))
        y = level * week * np.exp(random.normal(0.0, 0.15, days))
        y[random.random(days) < 0.03] = np.nan
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": f"c{i:03d}",
                    "ds": dates,
                    "y": y,
                    "usage_class": "general_commercial" if is_shop else "residential",
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="session")
def origin() -> dt.date:
    return ORIGIN


@pytest.fixture(scope="session")
def light() -> UsageParams:
    """Parameters with which a fit costs a fraction of a second."""
    return LIGHT


@pytest.fixture(scope="session")
def town() -> Callable[..., pd.DataFrame]:
    return make_history


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    return make_history()


@pytest.fixture(scope="session")
def calendar() -> pd.DataFrame:
    dates = pd.date_range("2024-12-01", "2025-06-30")
    holiday = dates.isin(pd.to_datetime(["2025-05-01", "2025-05-02", "2025-05-05"]))
    return pd.DataFrame({"ds": dates, "is_holiday": holiday, "is_working_weekend": dates == "2025-04-27"})


@pytest.fixture(scope="session")
def forecaster(history: pd.DataFrame, calendar: pd.DataFrame) -> UsageForecaster:
    return fit(history, ORIGIN, LIGHT, calendar)
