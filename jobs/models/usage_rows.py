"""Which rows the usage forecaster is fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.models.panel import Panel
from jobs.models.usage_features import RECENT_DAYS, DayFacts, features, levels
from jobs.models.usage_params import UsageParams

Floats = npt.NDArray[np.float64]

PARTIAL_DAYS = 21  # known days of the last 84: fewer say nothing about a week's rhythm


def hash_of(ids: npt.NDArray[np.object_]) -> npt.NDArray[np.uint64]:
    """A number for each customer which is the same on every machine."""
    return np.asarray(pd.util.hash_array(np.asarray(ids, dtype=object), categorize=False))


def some_of(panel: Panel, chosen: npt.NDArray[np.bool_]) -> Panel:
    """Panel of the chosen customers."""
    return replace(
        panel,
        ids=panel.ids[chosen],
        values=panel.values[chosen],
        usage_class=panel.usage_class[chosen],
        place=panel.place[chosen],
    )


def training_origins(
    first_day: np.datetime64, origin: np.datetime64, params: UsageParams
) -> npt.NDArray[np.datetime64]:
    """Origins of training rows, newest last: evenly spread, on all weekdays, and all before `origin`."""
    earliest = max(first_day + params.min_context_days - 1, origin - params.train_days)
    days = np.arange(earliest, origin)
    if len(days) <= params.max_origins:
        return days
    step = int(np.ceil(len(days) / params.max_origins))
    step += step % 7 == 0  # a multiple of 7 would show the model one weekday only
    return np.sort(days[::-1][::step])


def training_rows(
    panel: Panel,
    origin: np.datetime64,
    params: UsageParams,
    facts: DayFacts,
    classes: tuple[str, ...],
    with_weather: bool,
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Features and scaled targets of the sampled rows, ordered by origin, customer and day ahead.

    A row is drawn with a probability that follows its weight, and then counts as one: the few customers who use most
    fill enough rows for leaves of their own, and a fit without weights takes half the time. A customer is drawn for an
    origin, and then a day ahead for the customer, by hash: the sample is the same whatever the order of rows, and
    drawing customers first saves computing features nobody needs.
    """
    origins = training_origins(panel.first_day, origin, params)
    keys = hash_of(panel.ids)
    xs, ys = [], []
    for start, share in zip(origins, _shares(panel, origins, origin, params), strict=True):
        customer_share = np.minimum(1.0, 3.0 * share)
        drawn = uniform(keys, int(start.astype(int)), params.seed) < customer_share
        some = some_of(panel, drawn)
        x, level = features(some, start, params.horizon, facts, classes, with_weather)
        truth = some.window(start + params.horizon, params.horizon)
        per_day = np.stack(
            [uniform(keys[drawn], int(start.astype(int)), params.seed + h) for h in range(1, params.horizon + 1)],
            axis=1,
        )
        chosen = np.isfinite(truth) & (per_day < (share[drawn] / customer_share[drawn])[:, None])
        chosen &= (start + np.arange(1, params.horizon + 1) <= origin)[None, :]
        xs.append(x[chosen])
        ys.append((truth / level[:, None])[chosen])
    y = np.concatenate(ys) if ys else np.empty(0)
    return (np.concatenate(xs) if xs else np.empty((0, 0), dtype=np.float32)), y


def _shares(panel: Panel, origins: npt.NDArray[np.datetime64], origin: np.datetime64, params: UsageParams) -> Floats:
    """Probability with which a row is drawn: (origins, customers), 0 for a customer known too little by an origin."""
    weight = np.zeros((len(origins), len(panel.ids)))
    for i, start in enumerate(origins):
        window = panel.window(start, RECENT_DAYS)
        known = np.isfinite(window).sum(axis=1) >= PARTIAL_DAYS
        age = float((origin - start).astype(int))
        weight[i, known] = levels(window[known]) ** params.weight_power * 0.5 ** (age / params.half_life_days)
    # more rows than half the known days would show the same days again and again, which costs time and teaches nothing
    most = min(params.max_rows, int(np.isfinite(panel.window(origin, params.train_days)).sum()) // 2)
    share = np.zeros_like(weight)
    # no row is drawn twice: what is more than certain for the largest customers goes to the others
    for _ in range(4):
        open_ = share < 1.0
        left, total = most / params.horizon - float((~open_).sum()), float(weight[open_].sum())
        if left <= 0.0 or total <= 0.0:
            break
        share[open_] = np.minimum(1.0, weight[open_] * (left / total))
    return share


def uniform(keys: npt.NDArray[np.uint64], day: int, salt: int) -> Floats:
    """Number in [0, 1) for each key, fixed by key, day and salt (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        z = keys + np.uint64((day * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) / 2.0**53)
