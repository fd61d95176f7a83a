"""What really flowed: primary power of every point of a chunk in every quarter hour of a date."""

from datetime import date

import numpy as np
import numpy.typing as npt

from jobs.province import calendar_days
from jobs.province.draws import Bools, Floats, draw
from jobs.province.plan import Plan
from jobs.province.population import CAR, CHUNK, MAIN, Chunk
from jobs.province.profiles import POINTS, load_profiles
from jobs.province.weather import PREFECTURES, day_weather

_SLOTS = calendar_days.SLOTS
# holiday -> what is left of the load, by usage class: industry, commerce, farms, households
_HOLIDAY_LOAD = {"春节": (0.45, 0.5, 0.7, 1.12), "国庆节": (0.8, 0.95, 1.0, 1.02), "劳动节": (0.85, 0.95, 1.0, 1.0)}
# a wall box on one phase
_CHARGER_KW = 7.0
_OUTAGE_SHARE = 0.0008


def net_kwh(chunk: Chunk, plan: Plan, day: date) -> Floats:
    """(points, 96) primary kWh of a date before any meter rounds it; below zero where a roof feeds in."""
    points, ordinal = chunk.points, day.toordinal()
    usage = chunk.customers.usage_class[points.customer]
    shape = relative_power(chunk, day)
    occupied = np.where(plan.is_on("vacation", ordinal), 0.12, 1.0)
    level = points.mean_kw * occupied * _day_factor(chunk, ordinal) * _holiday_factor(usage, day)
    warm = _temperatures(chunk.seed, day)[chunk.customers.prefecture[points.customer]]
    presence = (0.35 + 0.65 * np.minimum(shape, 2.0)) * occupied.astype(np.float32)[:, None]
    comfort = points.comfort_c.astype(np.float32)[:, None]
    cooling = np.maximum(warm - comfort, 0) * points.cooling_kw_c.astype(np.float32)[:, None]
    heating = np.maximum(comfort - 15 - warm, 0) * points.heating_kw_c.astype(np.float32)[:, None]
    kw = level.astype(np.float32)[:, None] * shape + (cooling + heating) * presence
    kw *= _noise(chunk, ordinal)
    is_charger = points.kind == CAR
    kw[is_charger] = np.minimum(kw[is_charger], _CHARGER_KW)
    if points.sun_kw.any():
        kw -= _sun(chunk, day)
    for rows, first, last in outages(chunk, ordinal):
        kw[rows, first:last] = 0
    return np.asarray(kw, dtype=np.float64) * 0.25


def outages(chunk: Chunk, ordinal: int) -> list[tuple[Bools, int, int]]:
    """Interruptions of a date: the points of a transformer district, first slot, slot after the last."""
    luck = draw(chunk.seed, "outage", chunk.index, ordinal)
    districts = np.unique(chunk.customers.district)
    # drawn for more districts than a chunk can have: the draw must not depend on how full the chunk is
    hit, begin, length = luck.random(64), luck.integers(24, 84, 64), luck.integers(1, 14, 64)
    found = []
    for place, district in enumerate(districts):
        if hit[place] < _OUTAGE_SHARE:
            rows = chunk.customers.district[chunk.points.customer] == district
            found.append((rows, int(begin[place]), int(min(begin[place] + length[place], _SLOTS))))
    return found


def relative_power(chunk: Chunk, day: date) -> npt.NDArray[np.float32]:
    """(points, 96) power relative to the mean of the point's year: two profiles blended, moved in time."""
    points, values = chunk.points, load_profiles().values
    days = np.array([calendar_days.profile_day(day, offset) for offset in range(-2, 3)], dtype=np.int64)
    first = days[points.week_offset + 2] * _SLOTS - points.shift
    at = (first[:, None] + np.arange(_SLOTS)) % POINTS
    share = points.share.astype(np.float32)[:, None]
    one = values[points.profile[:, :1], at]
    other = values[points.profile[:, 1:], at]
    return np.asarray(share * one + (1 - share) * other, dtype=np.float32)


def _day_factor(chunk: Chunk, ordinal: int) -> Floats:
    """(points,) how a point's day differs from its profile's: today's mood and a fading memory of the days before."""
    mood = sum(
        0.6**back * draw(chunk.seed, "mood", chunk.index, ordinal - back).standard_normal(2 * CHUNK)
        for back in range(6)
    )
    spread = np.select([chunk.points.mean_kw > 50, chunk.points.kind != MAIN], [0.05, 0.35], 0.16)
    return np.asarray(np.exp(spread * 0.8 * np.asarray(mood)[chunk.point_address] - spread**2 / 2), dtype=np.float64)


def _holiday_factor(usage: npt.NDArray[np.int64], day: date) -> Floats:
    factors = _HOLIDAY_LOAD.get(calendar_days.holiday_name(day) or "", (1.0, 1.0, 1.0, 1.0))
    return np.array(factors)[usage]


def _noise(chunk: Chunk, ordinal: int) -> npt.NDArray[np.float32]:
    """(points, 96) factors with mean 1; part of it lasts a few quarter hours, as appliances do."""
    mains = len(chunk.customers.number)
    z = np.concatenate(
        [
            draw(chunk.seed, purpose, chunk.index, ordinal).standard_normal((rows, _SLOTS), dtype=np.float32)
            for purpose, rows in (("noise", mains), ("second_noise", len(chunk.points.customer) - mains))
        ]
    )
    z[:, 1:] = 0.8 * z[:, 1:] + 0.6 * z[:, :-1]
    spread = chunk.points.noise.astype(np.float32)[:, None]
    return np.asarray(np.exp(spread * z - spread**2 / 2), dtype=np.float32)


def _temperatures(seed: int, day: date) -> npt.NDArray[np.float32]:
    """(prefectures, 96) air temperature by quarter hour."""
    quarters = np.arange(_SLOTS) / 4
    return np.stack(
        [
            np.interp(quarters, np.arange(24) + 0.5, day_weather(seed, place, day)["temperature_c"])
            for place in range(len(PREFECTURES))
        ]
    ).astype(np.float32)


def _sun(chunk: Chunk, day: date) -> npt.NDArray[np.float32]:
    """(points, 96) kW from the roof; what is not used at home is exported through another register."""
    at = calendar_days.profile_day(day, 0) * _SLOTS + np.arange(_SLOTS)
    sky = load_profiles().values[chunk.points.sun_profile[:, None], at]
    return np.asarray(chunk.points.sun_kw.astype(np.float32)[:, None] * sky, dtype=np.float32)
