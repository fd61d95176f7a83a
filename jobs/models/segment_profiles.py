"""From days of 24 hours to one row per customer: its mean weekday, its mean weekend day, and how much it uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

HOURS = 24
KNOWN_HOURS = 20  # of 24: a day with fewer says too little about its shape to count as known
WEEKDAY_COLUMNS = tuple(f"weekday_{hour:02d}" for hour in range(HOURS))
WEEKEND_COLUMNS = tuple(f"weekend_{hour:02d}" for hour in range(HOURS))
PROFILE_COLUMNS = (*WEEKDAY_COLUMNS, *WEEKEND_COLUMNS)


def profile_frame(days: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: the features of the segments, from one row per customer and day.

    days: unique_id, hourly (24 kWh of the local clock hours, None or NaN = not known), is_weekend, optionally ds and
    usage_class. Columns: unique_id, weekday_00 .. weekend_23 (1 = the customer's mean hour), log_level (log of mean kWh
    a day), weekend_ratio, night_share (0-6 h), weekdays_known, weekend_days_known, and usage_class where given. An hour
    is averaged over the days on which it is known; a day counts as known with 20 known hours. Ordered by unique_id.
    """
    if "ds" in days.columns:  # sums of floats depend on their order in the last digit: fix it
        days = days.sort_values("ds", kind="stable")
    codes, found = pd.factorize(days["unique_id"].to_numpy(dtype=object))
    order = np.argsort(np.asarray(found, dtype=object), kind="stable")
    row = np.empty(len(order), dtype=np.int64)
    row[order] = np.arange(len(order))
    row = row[codes]
    customers = len(order)
    hourly = _hourly(days["hourly"])
    weekend = days["is_weekend"].to_numpy(dtype=bool)
    known = np.isfinite(hourly)
    total = np.zeros((2, customers, HOURS))
    count = np.zeros((2, customers, HOURS))
    known_days = np.zeros((2, customers), dtype=np.int64)
    for kind in (0, 1):
        mine = weekend == bool(kind)
        by_row = np.argsort(row[mine], kind="stable")
        np.add.at(total[kind], row[mine][by_row], np.where(known, hourly, 0.0)[mine][by_row])
        np.add.at(count[kind], row[mine][by_row], known[mine][by_row].astype(np.float64))
        np.add.at(known_days[kind], row[mine], (known[mine].sum(axis=1) >= KNOWN_HOURS).astype(np.int64))
    profiles = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    day_kwh = profiles.sum(axis=2)
    # five weekdays and two days of a weekend make the week; a customer known on one kind only is judged by that
    weight = np.where(np.isfinite(day_kwh), np.array([5.0, 2.0])[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = (np.where(weight > 0, day_kwh, 0.0) * weight).sum(axis=0) / weight.sum(axis=0)
        level = np.where(level > 0, level, np.nan)
        shape = profiles / (level / HOURS)[None, :, None]
        night = (np.nansum(profiles[:, :, :6], axis=2) * weight).sum(axis=0) / weight.sum(axis=0) / level
        ratio = day_kwh[1] / day_kwh[0]
    frame = pd.DataFrame(np.concatenate([shape[0], shape[1]], axis=1), columns=list(PROFILE_COLUMNS))
    frame.insert(0, "unique_id", np.asarray(found, dtype=object)[order])
    frame = frame.assign(
        log_level=np.log(level),
        weekend_ratio=np.where(np.isfinite(ratio), ratio, np.nan),
        night_share=night,
        weekdays_known=known_days[0],
        weekend_days_known=known_days[1],
    )
    if "usage_class" in days.columns:
        classes = days.groupby("unique_id", sort=False)["usage_class"].last()
        frame["usage_class"] = frame["unique_id"].map(classes).to_numpy(dtype=object)
    return frame


def _hourly(column: pd.Series) -> Floats:
    values = column.to_numpy(dtype=object)
    out = np.full((len(values), HOURS), np.nan)
    for i, day in enumerate(values):
        if day is None or (isinstance(day, float) and np.isnan(day)):
            continue
        if len(day) != HOURS:
            raise ValueError(f"a day holds {len(day)} hourly values, not {HOURS}")
        out[i] = np.asarray(day, dtype=np.float64)
    return out
