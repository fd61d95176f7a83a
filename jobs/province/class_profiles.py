"""Load profiles of the usage classes, as a load research of the grid company would publish them.

Made from a sample of customers who do not live in the province: nobody's own use is in it, and the shares are the same
whatever the province's size.
"""

from datetime import date, timedelta

import numpy as np

from jobs.province import calendar_days
from jobs.province.load import relative_power
from jobs.province.population import CHUNK, MAIN, USAGE_CLASSES, build_chunk

HEADER = ("用电类别", "生效日期", "日类型", "起始分钟", "间隔(分钟)", "份额")
_DAY_TYPE_WORDS = ("工作日", "非工作日")
# drawn apart from every province's own customers
_SAMPLE_SEED = 1_000_003
_MINUTES = 1440 // calendar_days.SLOTS
# every thirteenth day of a year: each weekday comes about four times, and every season
_STEP_DAYS = 13


def class_profile_rows(seed: int, start: date) -> list[tuple[object, ...]]:
    """Rows of the feed: quarter hours of both types of day for every class, valid since the year before the start's."""
    since = date(start.year - 1, 1, 1)
    sample = build_chunk(seed + _SAMPLE_SEED, 0, CHUNK, start.toordinal())
    mains = sample.points.kind == MAIN
    of_class = np.where(mains, sample.customers.usage_class[sample.points.customer], -1)
    power = np.zeros((len(_DAY_TYPE_WORDS), len(USAGE_CLASSES), calendar_days.SLOTS))
    for offset in range(0, 365, _STEP_DAYS):
        day = since + timedelta(days=offset)
        shape = relative_power(sample, day).astype(np.float64)
        for usage in range(len(USAGE_CLASSES)):
            power[0 if _is_worked(day) else 1, usage] += shape[of_class == usage].sum(axis=0)
    shares = power / power.sum(axis=2, keepdims=True)
    return [
        (USAGE_CLASSES[usage], since.isoformat(), word, slot * _MINUTES, _MINUTES, f"{share:.6f}")
        for kind, word in enumerate(_DAY_TYPE_WORDS)
        for usage in range(len(USAGE_CLASSES))
        for slot, share in enumerate(shares[kind, usage].tolist())
    ]


def _is_worked(day: date) -> bool:
    if calendar_days.holiday_name(day):
        return False
    return day.weekday() < 5 or calendar_days.is_working_weekend(day)
