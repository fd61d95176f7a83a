"""The protocol of the forecast on real households: a sample of it, small enough for every run of the tests."""

from pathlib import Path

import pytest

from jobs.models.backtest import MODEL
from jobs.models.protocol_a import run, table
from jobs.models.usage_forecast import UsageParams

DATA = Path(__file__).parents[3] / "shared" / "data" / "lcl_london_dev"


@pytest.mark.skipif(
    not (DATA / "daily_56_blocks.tar.xz").is_file(), reason=f"the London households are not there: {DATA}"
)
def test_a_sample_of_real_households_is_forecast_better_than_by_any_naive_method() -> None:
    light = UsageParams(max_rows=40_000, rounds=120, learning_rate=0.1)
    report = run(DATA, sample=300, origins=2, params=light)
    scores = report.summary().set_index("method")
    assert scores["points"].min() > 5_000
    assert scores.loc[MODEL, "wql"] < scores.drop(index=MODEL)["wql"].min()
    assert 0.7 < scores.loc[MODEL, "cover"] < 0.9
    # the naive figure stands for the protocol itself: known days, households and origins as they must be
    assert scores.loc["recent_quantiles", "wql"] == pytest.approx(0.14, abs=0.02)
    assert "own quantiles of 28 days" in table(report)
