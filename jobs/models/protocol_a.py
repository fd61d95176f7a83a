"""Measure the usage forecaster on the London households under one fixed protocol, next to the naive methods.

    python -m jobs.models.protocol_a --data ../shared/data/lcl_london_dev [--sample 300] [--origins 8]

Eight origins 28 days apart, the last 2014-01-30; 14 days ahead; a day is known when all its 48 half-hours are;
households with at least 180 known days by the origin; fits use nothing after the origin, and no weather.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.models.backtest import MODEL, BacktestReport, backtest, promotion_decision, rolling_origins
from jobs.models.usage_forecast import UsageParams

LAST_ORIGIN = dt.date(2014, 1, 30)
ORIGIN_STEP_DAYS = 28
MIN_KNOWN_DAYS = 180
HALF_HOURS = 48

# measured with plain re-implementations under the same protocol
TO_BEAT = {
    "seasonal_naive": (0.1794, "seasonal-naive, 7 days"),
    "weekday_median": (0.1571, "median of 4 same weekdays"),
    "recent_quantiles": (0.1497, "own quantiles of 28 days"),
    MODEL: (0.1346, "global LightGBM, no weather"),
}


def read_history(data: Path, sample: int | None = None) -> pd.DataFrame:
    """Known household days as unique_id, ds, y, usage_class, from the archive and the household list in `data`.

    The class is the household's ACORN letter, known when the trial began. sample: about so many households, by hash.
    """
    frames = []
    with tarfile.open(data / "daily_56_blocks.tar.xz", "r:xz") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None and member.name.endswith(".csv"):
                frames.append(pd.read_csv(stream, usecols=["LCLid", "day", "energy_sum", "energy_count"]))
    days = pd.concat(frames, ignore_index=True)
    days = days[days["energy_count"] == HALF_HOURS]
    if sample is not None:
        ids = pd.Index(days["LCLid"].unique())
        order = np.argsort(pd.util.hash_array(ids.to_numpy(dtype=object), categorize=False))
        days = days[days["LCLid"].isin(ids[order[:sample]])]
    households = pd.read_csv(data / "informations_households_nonheldout.csv", usecols=["LCLid", "Acorn"])
    history = pd.DataFrame(
        {"unique_id": days["LCLid"], "ds": pd.to_datetime(days["day"]), "y": days["energy_sum"].astype(float)}
    )
    return history.assign(usage_class=history["unique_id"].map(households.set_index("LCLid")["Acorn"]))


def read_calendar(data: Path) -> pd.DataFrame:
    """Bank holidays as ds, is_holiday, is_working_weekend."""
    holidays = pd.read_csv(data / "uk_bank_holidays.csv")
    return pd.DataFrame(
        {"ds": pd.to_datetime(holidays["Bank holidays"]), "is_holiday": True, "is_working_weekend": False}
    )


def run(
    data: Path,
    sample: int | None = None,
    origins: int = 8,
    params: UsageParams | None = None,
    on_origin: Callable[[pd.DataFrame], None] | None = None,
) -> BacktestReport:
    """Protocol on all households, or on a hash sample of them."""
    return backtest(
        read_history(data, sample),
        rolling_origins(LAST_ORIGIN, origins, ORIGIN_STEP_DAYS),
        params,
        calendar=read_calendar(data),
        min_known_days=MIN_KNOWN_DAYS,
        on_origin=on_origin,
    )


def table(report: BacktestReport) -> str:
    """Results as text: means over origins next to the figures to beat, then the model's cover at each origin."""
    lines = [f"{'method':<30}{'WQL':>16}{'WAPE':>8}{'cover':>8}{'to beat':>10}"]
    for row in report.summary().to_dict("records"):
        figure, label = TO_BEAT[row["method"]]
        wql = f"{row['wql']:.4f} ± {row['wql_se']:.4f}"
        lines.append(f"{label:<30}{wql:>16}{row['wape']:>8.3f}{row['cover']:>8.3f}{figure:>10.4f}")
    lines.append("")
    lines.append(f"{'origin':<14}{'WQL':>8}{'WAPE':>8}{'cover':>8}{'days':>9}")
    mine = report.by_origin[report.by_origin["method"] == MODEL]
    lines.extend(
        f"{row['origin_date']:%Y-%m-%d}    {row['wql']:>8.4f}{row['wape']:>8.3f}{row['cover']:>8.3f}{row['points']:>9d}"
        for row in mine.to_dict("records")
    )
    decision = promotion_decision(report)
    lines.extend(["", "promote" if decision.promote else "do not promote", *decision.reasons])
    return "\n".join(lines)


def _progress(scores: pd.DataFrame) -> str:
    mine = scores[scores["method"] == MODEL].iloc[0]
    return f"{mine['origin_date']:%Y-%m-%d}  WQL {mine['wql']:.4f}  cover {mine['cover']:.3f}"


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run the protocol, print the table."""
    parser = argparse.ArgumentParser(prog="python -m jobs.models.protocol_a", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder lcl_london_dev")
    parser.add_argument("--sample", type=int, help="about so many households instead of all")
    parser.add_argument("--origins", type=int, default=8, help="the last so many origins of the eight")
    options = parser.parse_args(arguments)
    if not (options.data / "daily_56_blocks.tar.xz").is_file():
        parser.error(f"{options.data} holds no daily_56_blocks.tar.xz")
    # a person waits for this command: what it prints is its result
    report = run(
        options.data,
        options.sample,
        options.origins,
        on_origin=lambda scores: print(_progress(scores), flush=True),  # noqa: T201
    )
    print("\n" + table(report))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
