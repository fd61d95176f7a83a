"""Transformer districts (台区): the meter behind each transformer, and what is lost on the way to the customers."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from jobs.province.draws import Dials, Floats, Ints, draw

DISTRICT_SCHEMA = pa.schema(
    [
        ("district_id", pa.string()),
        ("usage_date", pa.date32()),
        # primary kWh by the district's own meter
        ("supplied_kwh", pa.float64()),
        # what the customers drew in truth, theft included, and what their roofs fed in
        ("drawn_kwh", pa.float64()),
        ("fed_in_kwh", pa.float64()),
        # what the customers' meters show times the multipliers in the master data
        ("counted_kwh", pa.float64()),
        # lost in lines and meters; supplied = drawn - fed in + lost, but where more is fed in than drawn
        ("loss_kwh", pa.float64()),
        # loss_kwh / supplied_kwh, 0 where nothing was supplied
        ("loss_rate", pa.float64()),
    ]
)
# drawn for more districts than a chunk can have: the draw must not depend on how full the chunk is
_MOST_DISTRICTS = 64
_RATIOS = np.array([20, 30, 40, 60, 80, 100, 120, 160, 200, 300, 400, 600])
# primary kW at which current transformers of ratio 1 give 5 A at 220/380 V
_KW_OF_RATIO = 3.3
# mean load of a year over the sum of mean loads: heating and cooling come on top
_WITH_CLIMATE = 1.3
# part of the losses at mean load which does not depend on the load: meters, terminals, insulation
_CONSTANT_PART = 0.3


@dataclass(frozen=True)
class Districts:
    """Arrays with one entry a district of a chunk with customers behind a public transformer; none spans two chunks."""

    number: Ints  # over the whole province
    points: Ints  # those behind the transformers, district by district
    begins: Ints  # where each district's begin among these
    multiplier: Ints
    constant_kw: Floats
    line_share_kw: Floats  # losses in the lines: this share of the load for each kW of it
    installed: Ints
    opening_kwh: Floats

    @property
    def meter_id(self) -> Ints:
        """Asset numbers, out of those of customers' meters."""
        return np.asarray(420_000_000_000 + self.number * 100 + 1, dtype=np.int64)

    def total(self, by_point: Floats) -> Floats:
        """(districts, …) sums over the points of each. Always in the same order, and without a BLAS's threads."""
        return np.add.reduceat(by_point[self.points], self.begins, axis=0)


@dataclass(frozen=True)
class Supply:
    """A date at the meters of the districts of a chunk. Arrays over districts, primary kWh but for the dials."""

    curves: Dials  # (districts, 96), 1e-4 kWh on the dial
    energy: Ints  # (districts, 4), the same by period
    drawn: Floats
    fed_in: Floats
    counted: Floats
    loss: Floats

    def truth(self, districts: Districts, ordinal: int) -> pa.Table:
        """Rows of the ledger."""
        supplied = self.energy.sum(axis=1) * districts.multiplier / 10_000
        rate = np.divide(self.loss, supplied, out=np.zeros_like(supplied), where=supplied > 0)
        unix = np.full(len(supplied), ordinal - 719_163, dtype=np.int32)
        names = [district_id(number) for number in districts.number.tolist()]
        columns = [supplied, self.drawn, self.fed_in, self.counted, self.loss, rate]
        dates = pa.array(unix).cast(pa.date32())
        return pa.table([pa.array(names, pa.string()), dates, *map(pa.array, columns)], schema=DISTRICT_SCHEMA)


def district_id(number: int) -> str:
    """Number of a public district as the master data write it."""
    return f"TQ{number:08d}"


def build_districts(seed: int, index: int, start: int, district: Ints, mean_kw: Floats) -> Districts:
    """Districts of chunk `index`; `district` (points,) is -1 for a point behind a transformer of its own."""
    points = np.argsort(district, kind="stable")[np.count_nonzero(district < 0) :]
    number, begins = np.unique(district[points], return_index=True)
    load = np.maximum(np.add.reduceat(mean_kw[points], begins) * _WITH_CLIMATE, 0.1)
    luck = draw(seed, "district_meter", index).random((3, _MOST_DISTRICTS))[:, : len(number)]
    # share of the load which is lost at mean load
    rate = 0.024 + 0.012 * luck[0]
    multiplier = _RATIOS[np.searchsorted(_RATIOS[:-1], load * 3 / _KW_OF_RATIO)]
    return Districts(
        number=number,
        points=points,
        begins=begins,
        multiplier=multiplier,
        constant_kw=_CONSTANT_PART * rate * load,
        line_share_kw=(1 - _CONSTANT_PART) * rate / load,
        installed=(start - 400 - luck[1] * 4000).astype(np.int64),
        opening_kwh=np.minimum(load * 24 / multiplier * (100 + 2400 * luck[2]), 900_000.0),
    )


def supply(districts: Districts, net: Floats, drawn: Floats, counted: Floats, in_period: Floats) -> Supply:
    """A date at the districts' meters: what the customers drew less what they fed in, and what was lost.

    `net` (points, 96) is primary kWh, below zero where a roof feeds in, `drawn` the same without what is fed in;
    `counted` (points,) is what the books make of the customers' dials; `in_period` (96, 4) says which period a quarter
    hour is of.
    """
    # what is fed in beyond the district's own load flows back, past another register
    flow = np.maximum(districts.total(net), 0.0)
    by_point = drawn.sum(axis=1)
    kw = flow * 4
    lost = (districts.constant_kw[:, None] + districts.line_share_kw[:, None] * kw**2) / 4
    # where nothing flows, the district is off
    lost *= flow > 0
    curves = np.rint((flow + lost) * (10_000 / districts.multiplier)[:, None])
    return Supply(
        curves=curves.astype(np.int32),
        energy=np.rint(curves @ in_period).astype(np.int64),
        drawn=districts.total(by_point),
        fed_in=districts.total(by_point - net.sum(axis=1)),
        counted=districts.total(counted),
        loss=lost.sum(axis=1),
    )
