"""Who lives and works in the province: customers, their metering points, and how each uses power.

Built chunk by chunk, so that a million customers take the memory of a thousand. A customer depends on the seed and on
its own number, not on how many others there are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.province import profiles
from jobs.province.districts import Districts, build_districts
from jobs.province.draws import Bools, Floats, Ints, draw

CHUNK = 1000
# index = usage class of a customer
USAGE_CLASSES = ("大工业", "一般工商业", "农业", "居民")
INDUSTRY, COMMERCE, FARM, HOUSEHOLD = range(4)
TARIFF_CODES = ("IND-TOU", "COM-TOU", "AGR-FLAT", "RES-TIER")
COUNTIES = tuple(
    (prefecture, name)
    for prefecture, names in enumerate(
        (
            ("临江区", "北塘区", "望湖县"),
            ("石桥区", "松岭县", "白沙县"),
            ("云台区", "清溪县", "江浦县"),
            ("东城区", "南浦县", "平洲县", "永泉县"),
        )
    )
    for name in names
)
MAIN, CAR, HEAT_PUMP, SECOND = range(4)
_DISTRICTS_IN_CHUNK = 12
_DISTRICTS_ON_FEEDER = 8
# secondary side of current transformers: 5 A at 220/380 V, or with voltage transformers at 100 V
_LOW_VOLTAGE_KW, _HIGH_VOLTAGE_KW = 3.3, 0.866
_LOW_RATIOS = np.array([10, 15, 20, 30, 40, 60, 80, 100, 120, 160, 200, 300])
_HIGH_RATIOS = np.array([300, 500, 800, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 10000, 15000, 20000])
_CAPACITIES = np.array(
    [8, 12, 16, 20, 30, 50, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150,
     4000, 5000, 6300, 8000, 10000, 12500, 16000, 20000]
)  # fmt: skip


@dataclass(frozen=True)
class Customers:
    """Arrays with one entry a customer of the chunk. Dates are proleptic ordinals."""

    number: Ints  # from 0, over the whole province
    usage_class: Ints
    district: Ints
    county: Ints
    capacity_kva: Ints
    supply_start: Ints
    payer: Floats  # 0 pays at once … 1 never
    power_factor: Floats

    @property
    def prefecture(self) -> Ints:
        """Index into PREFECTURES."""
        return np.array([prefecture for prefecture, _ in COUNTIES], dtype=np.int64)[self.county]

    @property
    def customer_no(self) -> Ints:
        """Ten-digit number; scattered, so that neighbours do not have neighbouring numbers."""
        return np.asarray(3_100_000_000 + (self.number * 48_271 + 777_777) % 100_000_007, dtype=np.int64)


@dataclass(frozen=True)
class Points:
    """Arrays with one entry a metering point of the chunk: first the main point of every customer, then the others."""

    customer: Ints  # row in Customers
    kind: Ints
    mean_kw: Floats
    profile: Ints  # (points, 2)
    share: Floats  # weight of the first profile
    shift: Ints  # quarter hours later than the profile
    week_offset: Ints
    noise: Floats
    cooling_kw_c: Floats
    heating_kw_c: Floats
    comfort_c: Floats
    sun_kw: Floats
    sun_profile: Ints
    multiplier: Ints
    high_voltage: Bools
    is_in_district: Bools  # behind the transformer of a district; a factory has one of its own

    @property
    def has_transformers(self) -> Bools:
        """Whether current transformers sit before the meter: only then can a multiplier change or be wrong."""
        return np.asarray(self.multiplier > 1, dtype=np.bool_)


@dataclass(frozen=True)
class Chunk:
    """Some neighbouring customers and their points."""

    index: int
    seed: int
    customers: Customers
    points: Points
    districts: Districts

    @property
    def point_number(self) -> Ints:
        """Number of each point over the whole province: twice the customer's, plus one for the second point."""
        return np.asarray(self.customers.number[self.points.customer] * 2 + (self.points.kind != MAIN), dtype=np.int64)

    @property
    def point_address(self) -> Ints:
        """Place of each point in draws of 2 x CHUNK, which does not move when customers are added."""
        return np.asarray(self.points.customer * 2 + (self.points.kind != MAIN), dtype=np.int64)


def chunk_count(customers: int) -> int:
    """Chunks needed for a number of customers."""
    return -(-customers // CHUNK)


def build_chunk(seed: int, index: int, customers: int, start: int) -> Chunk:
    """Chunk `index` of a province of `customers`, whose books begin on the ordinal date `start`."""
    size = min(CHUNK, customers - index * CHUNK)
    who = _customers(seed, index, size, start)
    points = _points(seed, index, size, who)
    capacity = _capacity(who.usage_class, points, size)
    who = Customers(**{**vars(who), "capacity_kva": capacity})
    district = np.where(points.is_in_district, who.district[points.customer], -1)
    return Chunk(index, seed, who, points, build_districts(seed, index, start, district, points.mean_kw))


def _customers(seed: int, index: int, size: int, start: int) -> Customers:
    rank = draw(seed, "class", index).permutation(CHUNK)[:size]
    # ranks give each full chunk the same mix: 1 % industry, 9 % commerce, 2 % farms
    usage_class = np.select([rank < 10, rank < 100, rank < 120], [INDUSTRY, COMMERCE, FARM], HOUSEHOLD)
    number = index * CHUNK + np.arange(size)
    cuts = np.sort(draw(seed, "districts", index).normal(0, 8, _DISTRICTS_IN_CHUNK - 1).astype(np.int64))
    edges = np.arange(1, _DISTRICTS_IN_CHUNK) * CHUNK // _DISTRICTS_IN_CHUNK + cuts
    district = index * _DISTRICTS_IN_CHUNK + np.searchsorted(np.sort(edges), np.arange(size), side="right")
    since = draw(seed, "supply", index)
    age = since.integers(90, 7000, CHUNK)[:size]
    move_in = since.integers(1, 3 * 365, CHUNK)[:size]
    is_new = (since.random(CHUNK) < 0.04)[:size]
    payer = draw(seed, "payer", index).random(CHUNK)[:size]
    power_factor = np.clip(draw(seed, "power_factor", index).normal(0.92, 0.03, CHUNK)[:size], 0.78, 0.99)
    return Customers(
        number=number,
        usage_class=usage_class.astype(np.int64),
        district=district.astype(np.int64),
        county=county(district),
        capacity_kva=np.zeros(size, dtype=np.int64),
        supply_start=np.where(is_new, start + move_in, start - age),
        payer=payer,
        power_factor=power_factor,
    )


def county(district: Ints) -> Ints:
    """Index into COUNTIES of a district."""
    return np.asarray(district % len(COUNTIES), dtype=np.int64)


def feeder(district: Ints) -> Ints:
    """Number of the feeder of a district: a county's districts hang on feeders eight by eight."""
    place = district // len(COUNTIES)
    return np.asarray(county(district) * 10_000 + place // _DISTRICTS_ON_FEEDER, dtype=np.int64)


def _points(seed: int, index: int, size: int, who: Customers) -> Points:
    extra = draw(seed, "second_point", index).random(CHUNK)[:size]
    home, trade = who.usage_class == HOUSEHOLD, who.usage_class == COMMERCE
    second_kind = np.select(
        [home & (extra < 0.05), home & (extra < 0.065), trade & (extra < 0.06)], [CAR, HEAT_PUMP, SECOND], MAIN
    )
    seconds = np.flatnonzero(second_kind != MAIN)
    customer = np.concatenate([np.arange(size), seconds])
    kind = np.concatenate([np.full(size, MAIN), second_kind[seconds]]).astype(np.int64)
    address = customer * 2 + (kind != MAIN)
    usage = who.usage_class[customer]

    def uniform(purpose: str) -> Floats:
        return np.asarray(draw(seed, purpose, index).random(2 * CHUNK)[address], dtype=np.float64)

    def normal(purpose: str) -> Floats:
        return np.asarray(draw(seed, purpose, index).standard_normal(2 * CHUNK)[address], dtype=np.float64)

    cases = [kind == CAR, kind == HEAT_PUMP, usage == INDUSTRY, usage == COMMERCE, usage == FARM]
    median = np.select(cases, [0.2, 0.25, 420.0, 3.2, 1.6], 0.27)
    spread = np.select(cases, [0.4, 0.3, 0.9, 0.95, 0.8], 0.45)
    mean_kw = np.clip(median * np.exp(spread * normal("size")), 0.01, 6000.0)
    is_away = (usage == HOUSEHOLD) & (kind == MAIN) & (uniform("away") < 0.03)
    mean_kw = np.where(is_away, mean_kw * 0.12, mean_kw)
    is_main_home = (usage == HOUSEHOLD) & (kind == MAIN)
    has_sun = (is_main_home & (uniform("sun") < 0.03)) | ((usage == FARM) & (uniform("sun") < 0.15))
    air = np.exp(0.6 * normal("air_conditioner"))
    multiplier, high_voltage = _multipliers(usage, mean_kw)
    profile, shift = _shapes(usage, kind, uniform("shape"), uniform("shape2"), uniform("shift"))
    numbers = profiles.load_profiles().numbers(profiles.SUN)
    return Points(
        customer=customer.astype(np.int64),
        kind=kind,
        mean_kw=mean_kw,
        profile=profile,
        share=0.25 + 0.75 * uniform("share"),
        shift=shift,
        week_offset=np.round(uniform("weeks") * 4 - 2).astype(np.int64),
        noise=np.select(cases, [0.1, 0.15, 0.05, 0.12, 0.15], 0.3),
        cooling_kw_c=np.select(cases, [0.0, 0.02 * air, mean_kw * 0.008, mean_kw * 0.05 * air, 0 * air], 0.035 * air),
        heating_kw_c=np.select(cases, [0.0, 0.05 * air, mean_kw * 0.002, mean_kw * 0.03 * air, 0 * air], 0.02 * air),
        comfort_c=25.5 + 1.2 * normal("comfort"),
        sun_kw=np.where(has_sun, 0.12 * (3 + 6 * uniform("sun_size")) * np.where(usage == FARM, 3, 1), 0.0),
        sun_profile=numbers[(uniform("sun_place") * len(numbers)).astype(np.int64)],
        multiplier=multiplier,
        high_voltage=high_voltage,
        is_in_district=usage != INDUSTRY,
    )


def _multipliers(usage: Ints, mean_kw: Floats) -> tuple[Ints, Bools]:
    """Ratio of the smallest transformers which leave room for peaks; 1 where the meter stands in the line itself."""
    high = usage == INDUSTRY
    low = (usage != HOUSEHOLD) & ~high & (mean_kw > 6.0)
    high_ratio = _HIGH_RATIOS[np.searchsorted(_HIGH_RATIOS[:-1], mean_kw * 2.5 / _HIGH_VOLTAGE_KW)]
    low_ratio = _LOW_RATIOS[np.searchsorted(_LOW_RATIOS[:-1], mean_kw * 2.5 / _LOW_VOLTAGE_KW)]
    return np.where(high, high_ratio, np.where(low, low_ratio, 1)).astype(np.int64), np.asarray(high, dtype=np.bool_)


def _shapes(usage: Ints, kind: Ints, u: Floats, u2: Floats, u3: Floats) -> tuple[Ints, Ints]:
    """Two profiles and a shift for each point: kinds of days that a segmentation should find again."""
    all_profiles = profiles.load_profiles()

    def pick(names: tuple[str, ...], where: Floats) -> npt.NDArray[np.int64]:
        numbers = all_profiles.numbers(names)
        return numbers[np.minimum((where * len(numbers)).astype(np.int64), len(numbers) - 1)]

    def both(first: tuple[str, ...], second: tuple[str, ...]) -> npt.NDArray[np.int64]:
        return np.stack([pick(first, u2), pick(second, u3)], axis=1)

    evening, daytime, late = (
        both(("H0-L", "H0-C"), ("H0-C",)),
        both(("H0-A", "H0-B"), ("H0-A",)),
        both(("H0-G", "H0-L"), ("H0-G",)),
    )
    shop, office = both(profiles.SHOP, profiles.SHOP), both(profiles.OFFICE, profiles.OFFICE)
    restaurant, always = both(profiles.RESTAURANT, ("G2-A",)), both(profiles.AROUND_THE_CLOCK, ("G0-M",))
    conditions = [
        kind == CAR,
        kind == HEAT_PUMP,
        usage == INDUSTRY,
        usage == FARM,
        (usage == COMMERCE) & (u < 0.4),
        (usage == COMMERCE) & (u < 0.65),
        (usage == COMMERCE) & (u < 0.85),
        usage == COMMERCE,
        u < 0.5,
        u < 0.8,
    ]
    choices = [
        both(profiles.CAR, profiles.CAR),
        both(profiles.HEAT_PUMP, profiles.HEAT_PUMP),
        both(profiles.FACTORY, profiles.FACTORY),
        both(profiles.FARM, profiles.FARM),
        shop,
        office,
        restaurant,
        always,
        evening,
        daytime,
    ]
    profile = np.select([c[:, None] for c in conditions], choices, late)
    # cars are charged when the valley price begins; the late go to bed late
    later = np.select([kind == CAR, (usage == HOUSEHOLD) & (u >= 0.8)], [u2 * 24, 4 + u2 * 8], u2 * 6 - 2)
    return profile.astype(np.int64), np.round(later).astype(np.int64)


def _capacity(usage: Ints, points: Points, size: int) -> Ints:
    """Contract capacity in kVA: the next standard size above a multiple of the mean load."""
    mean = np.bincount(points.customer, weights=points.mean_kw, minlength=size)
    wanted = mean * np.select([usage == INDUSTRY, usage == HOUSEHOLD], [2.2, 18.0], 4.0)
    floor = np.select([usage == INDUSTRY], [315], 8)
    place = np.searchsorted(_CAPACITIES[:-1], np.maximum(wanted, floor))
    return np.asarray(_CAPACITIES[place], dtype=np.int64)
