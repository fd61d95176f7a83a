"""Parameters of the usage forecaster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UsageParams:
    """Choices of the forecaster; the defaults were measured on the London households (docs/decisions).

    horizon: days ahead. max_rows: training rows after sampling by hash. train_days: how far back training origins go.
    max_origins, min_context_days: at most so many of them, none with fewer days before it. weight_power: rows are drawn
    as often as the customer's level to this power (1 = every kWh counts the same, 0 = every customer). half_life_days:
    rows of that age are drawn half as often. rounds: of boosting at max_rows; fewer rows carry fewer. groups: the first
    day ahead of each group with its own interval width. calibration_days: the last days, kept back for the interval's
    width. calibration_weight: of new calibration days against the scale of the forecaster before. num_threads: how many
    quantiles are fitted at once.
    """

    horizon: int = 14
    max_rows: int = 200_000
    train_days: int = 420
    max_origins: int = 80
    min_context_days: int = 35
    weight_power: float = 0.5
    half_life_days: float = 400.0
    rounds: int = 250
    learning_rate: float = 0.06
    num_leaves: int = 48
    min_rows_in_leaf: int = 150
    feature_fraction: float = 0.5
    l2: float = 5.0
    max_bin: int = 127
    groups: tuple[int, ...] = (1, 4, 8)
    calibration_days: int = 70
    calibration_weight: float = 0.3
    calibrate: bool = True
    seed: int = 20140130
    num_threads: int = 2
