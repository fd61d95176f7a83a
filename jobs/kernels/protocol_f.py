"""Measure the estimation of missing intervals on London half-hours under one fixed protocol, next to plain methods.

    python -m jobs.kernels.protocol_f --data ../shared/data/lcl_london_dev [--runs 2000] [--seeds 5] \
        [--weather ../shared/data/weather_bedford_midas]

Runs of 1 hour and 6 hours lie anywhere within a day, those of 1 day and 7 days are whole days; every day touched was
measured in full, and so was one of the 28 days before. What is masked is masked for every method, also where it lies in
the 28 days of a profile. The error is the sum of |estimate - true| over the sum of true values. With a total, the
estimates of each day know what the day's registers counted. With the weather, ours is also made with the temperature
of each day.
"""

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.kernels.energy_ranges import quantiles, together
from jobs.kernels.estimation import Estimates, MeterDays, estimated
from jobs.kernels.london_runs import (
    IS_WORKING,
    READINGS,
    SLOTS,
    TEMPERATURES,
    WEEKDAY,
    Masked,
    masked_runs,
    plain_methods,
    read_households,
    read_temperatures,
)
from jobs.kernels.meter_profiles import HOURS, WINDOW_DAYS, MeterProfiles, at_temperature, meter_profiles
from schemas.quality_codes import CLASS_PROFILE, LINEAR, OWN_PROFILE, SCALED

Floats = npt.NDArray[np.float64]

LENGTHS = {"1 h": 2, "6 h": 12, "1 day": 48, "7 days": 336}
OURS, OURS_TOTAL = "ours", "ours, total"
WARM = "ours, by temperature"
ROLLING, CLASS = "profile up to the day before", "class profile at the meter's level"
PLAIN = {
    "without a total": ("zero fill", "linear", "previous week", "mean of 4 same weekdays", "mean of 28 days"),
    "with a total": ("linear, total", "mean of 28 days, total"),
}
# the best of what plain re-implementations reached under the same protocol
TO_BEAT = {"without a total": (0.402, 0.52, 0.50, 0.52), "with a total": (0.188, 0.413, 0.452, 0.461)}
_METHODS = {"line": LINEAR, "own profile": OWN_PROFILE, "class profile": CLASS_PROFILE}
# half of the last digit of the published readings
_HALF_DIGIT = 0.0005


Figures = dict[tuple[str, str], list[float]]


def _figures() -> Figures:
    return defaultdict(list)


@dataclass
class Report:
    """Figures by (length, method), one a seed. A bias is in percent; run_error is that of the runs' energy."""

    error: Figures = field(default_factory=_figures)
    bias: Figures = field(default_factory=_figures)
    run_error: Figures = field(default_factory=_figures)
    cover: Figures = field(default_factory=_figures)
    run_cover: Figures = field(default_factory=_figures)
    shares: dict[tuple[str, str], list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0


def run(kwh: Floats, runs: int, seeds: int, celsius: Floats | None = None) -> Report:
    """The protocol on `read_households`, and `read_temperatures` where they are known."""
    begun, report = time.perf_counter(), Report()
    for seed in range(seeds):
        for length, points in LENGTHS.items():
            masked = masked_runs(kwh, points, runs, seed)
            for method, estimate in plain_methods(masked):
                _add_errors(report, (length, method), masked, estimate)
            _add_ours(report, length, masked, celsius)
    report.seconds = time.perf_counter() - begun
    return report


def _add_ours(report: Report, length: str, masked: Masked, celsius: Floats | None) -> None:
    days = meter_days(masked)
    nothing = np.full(days.own.shape, np.nan)
    without = replace(days, own=nothing, spread=nothing, class_shape=_class_shape(days, masked))
    alternatives = {
        OURS: days,
        ROLLING: meter_days(masked, rolling=True),
        CLASS: without,
    }
    if celsius is not None:
        alternatives[WARM] = meter_days(masked, celsius=celsius)
    for method, block in alternatives.items():
        no_total = replace(block, register_kwh=np.full(len(block.register_kwh), np.nan))
        for name, what in ((method, no_total), (f"{method}, total", block)):
            estimates = estimated(what)
            _add_errors(report, (length, name), masked, estimates.kwh.T)
            _add_ranges(report, (length, name), masked, estimates)


def _add_errors(report: Report, key: tuple[str, str], masked: Masked, estimate: Floats) -> None:
    true = masked.true[masked.mask]
    # what a method leaves missing counts as zero
    off = np.where(masked.mask, np.nan_to_num(estimate) - masked.true, 0.0)
    report.error[key].append(float(np.abs(off).sum() / true.sum()))
    report.bias[key].append(float(off.sum() / true.sum() * 100))
    by_run = np.bincount(masked.run, off.sum(axis=1))
    report.run_error[key].append(float(np.abs(by_run).sum() / true.sum()))


def _add_ranges(report: Report, key: tuple[str, str], masked: Masked, estimates: Estimates) -> None:
    said = masked.mask.T & (estimates.code > 0)
    true = masked.true.T
    inside = (true >= estimates.p10_kwh - _HALF_DIGIT) & (true <= estimates.p90_kwh + _HALF_DIGIT)
    report.cover[key].append(float(inside[said].mean()))
    energy, spread = together(estimates.energy_kwh, estimates.energy_spread_kwh, masked.run, masked.runs)
    low, high = quantiles(energy, spread)
    of_run = np.bincount(masked.run, np.where(masked.mask, masked.true, 0.0).sum(axis=1))
    known = ~np.isnan(energy)
    within = (of_run >= low - _HALF_DIGIT) & (of_run <= high + _HALF_DIGIT)
    report.run_cover[key].append(float(within[known].mean()))
    codes = estimates.code[masked.mask.T]
    shares = {name: float(np.isin(codes, (code, SCALED[code])).mean()) for name, code in _METHODS.items()}
    report.shares[key].append({**shares, "missing": float((codes == 0).mean())})


# -- the block --------------------------------------------------------------------------------------------------------


def meter_days(masked: Masked, rolling: bool = False, celsius: Floats | None = None) -> MeterDays:
    """What is to be estimated, with register totals, and profiles made up to the week's Monday.

    rolling: up to the run's first day instead, which would take a profile a meter and day. celsius: (DAYS,), where the
    profile is to answer to it.
    """
    end = masked.first if rolling else masked.day - WEEKDAY[masked.day]
    rows = len(end)
    own, spread = np.full((SLOTS, rows), np.nan), np.full((SLOTS, rows), np.nan)
    daily, daily_spread, highest = (np.full(rows, np.nan) for _ in range(3))
    for day in np.unique(end):
        mine = np.flatnonzero(end == day)
        profiles = _profiles(masked.take(mine), int(day), celsius)
        curves = [profiles.of_type(is_working) for is_working in (False, True)]
        answer = np.ones(len(mine))
        if celsius is not None:
            answer = at_temperature(profiles.per_degree, profiles.temperature_c, celsius[masked.day[mine]])
        own[:, mine] = np.where(IS_WORKING[masked.day[mine]], curves[1], curves[0]) * answer
        spread[:, mine] = np.repeat(profiles.spread_kwh, SLOTS // HOURS, axis=0)
        daily[mine], highest[mine] = profiles.daily_kwh * answer, profiles.highest_kwh
        daily_spread[mine] = profiles.daily_spread_kwh
    return MeterDays(
        kwh=np.where(masked.mask, np.nan, masked.true).T,
        interval_minutes=1440 // SLOTS,
        expected=np.ones(SLOTS, dtype=np.bool_),
        register_kwh=masked.true.sum(axis=1),
        own=own,
        spread=spread,
        daily_kwh=daily,
        daily_spread_kwh=daily_spread,
        highest_kwh=highest,
        class_shape=np.full((SLOTS, rows), np.nan),
        before=masked.on(masked.day - 1)[:, -1],
        after=masked.on(masked.day + 1)[:, 0],
    )


def _profiles(masked: Masked, end: int, celsius: Floats | None) -> MeterProfiles:
    window = np.stack([masked.on(np.full(len(masked.day), end - WINDOW_DAYS + n)).T for n in range(WINDOW_DAYS)])
    # before the year begins there are no readings, and the type of the day does not matter
    days = np.maximum(np.arange(end - WINDOW_DAYS, end), 0)
    temperatures = None if celsius is None else np.repeat(celsius[days][:, None], len(masked.day), axis=1)
    return meter_profiles(window, IS_WORKING[days], temperatures)


def _class_shape(days: MeterDays, masked: Masked) -> Floats:
    """One class of all households: the mean of their own profiles on a type of day, each at its own level."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shapes = days.own / days.own.mean(axis=0)
    is_working = IS_WORKING[masked.day]
    usable = np.isfinite(shapes).all(axis=0)
    of_type = [shapes[:, usable & (is_working == kind)].mean(axis=1)[:, None] for kind in (False, True)]
    return np.where(is_working, of_type[1], of_type[0])


# -- the table --------------------------------------------------------------------------------------------------------


def table(report: Report) -> str:
    """Markdown: errors of all methods, then what else is asked of ours; means over seeds."""
    lines = [_row("error", "", *LENGTHS), "|---" * (len(LENGTHS) + 2) + "|"]
    for kind, ours in (("without a total", OURS), ("with a total", OURS_TOTAL)):
        for method in (*PLAIN[kind], ours):
            lines.append(_row(method, kind, *(_with_error(report.error[length, method]) for length in LENGTHS)))
        lines.append(_row("to beat", kind, *(f"{figure:.3f}" for figure in TO_BEAT[kind])))
    lines += ["", _row("of ours", "", *LENGTHS), "|---" * (len(LENGTHS) + 2) + "|"]
    for kind, ours in (("without a total", OURS), ("with a total", OURS_TOTAL)):
        lines.append(_row("energy bias, %", kind, *(_with_error(report.bias[length, ours], 2) for length in LENGTHS)))
        for what, figures in (("intervals", report.cover), ("energy of the run", report.run_cover)):
            lines.append(_row(f"cover of P10-P90, {what}", kind, *_means(figures, ours)))
    for method in (OURS, "mean of 4 same weekdays"):
        lines.append(_row(f"error of the run's energy, {method}", "without a total", *_means(report.run_error, method)))
    if is_warm := ("1 h", WARM) in report.error:
        lines.append(_row(f"error of the run's energy, {WARM}", "without a total", *_means(report.run_error, WARM)))
        lines.append(_row(f"energy bias, %, {WARM}", "without a total", *_means(report.bias, WARM)))
        for what, figures in (("intervals", report.cover), ("energy of the run", report.run_cover)):
            lines.append(_row(f"cover of P10-P90, {what}, {WARM}", "without a total", *_means(figures, WARM)))
    for other in (ROLLING, CLASS, *([WARM] if is_warm else [])):
        for kind, method in (("without a total", other), ("with a total", f"{other}, total")):
            lines.append(_row(f"error, {other}", kind, *_means(report.error, method)))
    for what in (*_METHODS, "missing"):
        shares = [np.mean([share[what] for share in report.shares[length, OURS_TOTAL]]) for length in LENGTHS]
        if any(shares):
            lines.append(_row(f"share of intervals by {what}", "", *(f"{share:.1%}" for share in shares)))
    return "\n".join([*lines, "", f"{report.seconds:.0f} seconds."])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _with_error(values: list[float], decimals: int = 3) -> str:
    mean = f"{np.mean(values):.{decimals}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.{decimals}f}"


def _means(figures: Figures, method: str) -> list[str]:
    return [f"{np.mean(figures[length, method]):.3f}" for length in LENGTHS]


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, run the protocol, print the table."""
    parser = argparse.ArgumentParser(prog="python -m jobs.kernels.protocol_f", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder lcl_london_dev")
    parser.add_argument("--runs", type=int, default=2000, help="masked runs of each length")
    parser.add_argument("--seeds", type=int, default=5, help="how many draws of the runs")
    parser.add_argument("--weather", type=Path, help="folder weather_bedford_midas")
    options = parser.parse_args(arguments)
    if options.weather and not (options.weather / TEMPERATURES).is_file():
        parser.error(f"{options.weather} holds no {TEMPERATURES}")
    if not (options.data / READINGS).is_file():
        parser.error(f"{options.data} holds no {READINGS}")
    # a person waits for this command: what it prints is its result
    celsius = read_temperatures(options.weather) if options.weather else None
    print(table(run(read_households(options.data), options.runs, options.seeds, celsius)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
