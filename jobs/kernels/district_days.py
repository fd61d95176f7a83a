"""Balance of districts: meters added up by district in each batch, then the two sides of each district of a date."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.kernels.area_curves import MICRO, latest_of
from jobs.kernels.arrow_numbers import floats, ints
from jobs.kernels.hourly_energy import HOURS, hourly_energy

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_COUNTS = ("point_count", "measured_count", "estimated_count", "unknown_count")
_ENERGIES = ("micro_kwh", "estimated_micro_kwh")
# of the meters so many have a validated day at all: without any the date is none with readings
_SUMMED = (*_COUNTS, "held_count", *_ENERGIES)
_HOURLY = ("hourly_micro_kwh", "hourly_unknown", "hourly_doubtful_micro_kwh")
# energy in millionths of a kWh, because whole numbers add up to the same in any order
PARTS = pa.schema(
    [
        ("balance_date", pa.date32()),
        ("district_id", pa.string()),
        ("is_supply", pa.bool_()),
        *((name, pa.int64()) for name in _SUMMED),
        *((name, pa.list_(pa.int64())) for name in _HOURLY),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)
BALANCES = pa.schema(
    [
        ("district_id", pa.string()),
        ("balance_date", pa.date32()),
        *((name, pa.float64()) for name in ("supplied_kwh", "counted_kwh", "loss_kwh", "loss_rate")),
        *((name, pa.int32()) for name in _COUNTS),
        ("estimated_share", pa.float64()),
        *((f"hourly_{name}_kwh", pa.list_(pa.float64())) for name in ("supplied", "counted", "doubtful")),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)


def district_parts(time_zone: str) -> Batches:
    """A function from batches of meter days to sums, one row a date, district and side of the batch.

    A row has balance_date, district_id, is_supply (whether the meter is the district's own), multiplier, read_date,
    interval_minutes, kwh, quality, flags, total_kwh (dial kWh; null where nothing is known), available_at.
    """

    def add_up(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield _added(batch, time_zone)

    return add_up


def _added(batch: pa.RecordBatch, time_zone: str) -> pa.RecordBatch:
    keys = pa.table({name: batch.column(name) for name in ("balance_date", "district_id", "is_supply")})
    coded = [keys.column(n).combine_chunks().dictionary_encode().indices.to_numpy() for n in keys.column_names]
    _, first, group = np.unique(np.stack(coded), axis=1, return_index=True, return_inverse=True)
    group, groups = group.ravel(), len(first)
    multiplier = floats(batch.column("multiplier"))
    energy = hourly_energy(batch, time_zone)
    total = floats(batch.column("total_kwh")) * multiplier
    unknown = (ints(batch.column("missing_count")) > 0) | np.isnan(total)
    estimated = ~unknown & (ints(batch.column("estimated_count")) > 0)
    ones = np.ones(batch.num_rows, np.int64)
    sums: dict[str, Ints] = {
        "point_count": ones,
        "measured_count": ones - unknown - estimated,
        "estimated_count": estimated.astype(np.int64),
        "unknown_count": unknown.astype(np.int64),
        "held_count": batch.column("missing_count").is_valid().to_numpy(zero_copy_only=False).astype(np.int64),
        "micro_kwh": _micro(total),
        "estimated_micro_kwh": _micro(energy.estimated_kwh * multiplier),
        "hourly_micro_kwh": _micro(energy.kwh * multiplier[:, None]),
        "hourly_unknown": np.isnan(energy.kwh).astype(np.int64),
        "hourly_doubtful_micro_kwh": _micro(energy.doubtful_kwh * multiplier[:, None]),
    }
    columns = {name: _summed(values, group, groups) for name, values in sums.items()}
    picked = keys.take(pa.array(first))
    arrays = [
        picked.column(f.name).combine_chunks().cast(f.type)
        if f.name in picked.column_names
        else latest_of(batch.column("available_at"), group, groups)
        if f.name == "available_at"
        else pa.array(columns[f.name].tolist(), f.type)
        for f in PARTS
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=PARTS)


def balances(parts: pa.Table) -> pa.Table:
    """The parts of one date -> a row for each district with a meter of its own on the date, and a validated day."""
    parts = parts.combine_chunks()
    names = parts.column("district_id").combine_chunks().dictionary_encode()
    is_supply = parts.column("is_supply").to_numpy()
    code = names.indices.to_numpy().astype(np.int64)
    districts = np.unique(code[is_supply])
    if not districts.size:
        return BALANCES.empty_table()
    place = np.full(len(names.dictionary), -1, np.int64)
    # in the order of their names, whatever order the parts come in
    order = np.argsort(np.array(names.dictionary.take(pa.array(districts)).to_pylist()), kind="stable")
    place[districts[order]] = np.arange(len(districts))
    sides = []
    for side in (True, False):
        mine = np.flatnonzero((is_supply == side) & (place[code] >= 0))
        group = place[code[mine]]
        sides.append({n: _summed(_column(parts, n, mine), group, len(districts)) for n in (*_SUMMED, *_HOURLY)})
    mine = np.flatnonzero(place[code] >= 0)
    latest = latest_of(
        parts.column("available_at").combine_chunks().take(pa.array(mine)), place[code[mine]], len(districts)
    )
    ids = names.dictionary.take(pa.array(districts[order]))
    rows = _rows(ids, parts.column("balance_date")[0], sides[0], sides[1], latest)
    return rows.filter(pa.array(sides[0]["held_count"] + sides[1]["held_count"] > 0))


def _rows(
    ids: pa.Array, day: pa.Scalar, supply: dict[str, Ints], counted: dict[str, Ints], latest: pa.Array
) -> pa.Table:
    supply_known = (supply["unknown_count"] == 0) & (supply["point_count"] > 0)
    any_known = counted["point_count"] > counted["unknown_count"]
    balanced = supply_known & (counted["unknown_count"] == 0) & (counted["point_count"] > 0)
    supplied, known = supply["micro_kwh"] / MICRO, counted["micro_kwh"] / MICRO
    loss = (supply["micro_kwh"] - counted["micro_kwh"]) / MICRO
    flows = supply_known & (supply["micro_kwh"] > 0)
    over = np.where(flows, supplied, 1.0)
    estimated = (supply["estimated_micro_kwh"] + counted["estimated_micro_kwh"]) / MICRO
    values: dict[str, pa.Array] = {
        "district_id": ids.cast(pa.string()),
        "balance_date": pa.array([day.as_py()] * len(ids), pa.date32()),
        "supplied_kwh": pa.array(supplied, mask=~supply_known),
        "counted_kwh": pa.array(known, mask=~any_known),
        "loss_kwh": pa.array(loss, mask=~balanced),
        "loss_rate": pa.array(np.round(loss / over, 9), mask=~(balanced & flows)),
        "estimated_share": pa.array(np.round(estimated / over, 9), mask=~flows),
        "hourly_supplied_kwh": _lists(supply["hourly_micro_kwh"], supply["hourly_unknown"] > 0),
        "hourly_counted_kwh": _lists(counted["hourly_micro_kwh"], counted["hourly_unknown"] > 0),
        "hourly_doubtful_kwh": _lists(
            supply["hourly_doubtful_micro_kwh"] + counted["hourly_doubtful_micro_kwh"],
            np.zeros((len(ids), HOURS), bool),
        ),
        "available_at": latest,
        **{name: pa.array(counted[name].astype(np.int32)) for name in _COUNTS},
    }
    return pa.table([values[field.name] for field in BALANCES], schema=BALANCES)


def _lists(micro: Ints, unknown: npt.NDArray[np.bool_]) -> pa.Array:
    offsets = pa.array(np.arange(len(micro) + 1, dtype=np.int32) * HOURS)
    return pa.ListArray.from_arrays(offsets, pa.array((micro / MICRO).ravel(), mask=unknown.ravel()))


def _column(parts: pa.Table, name: str, rows: Ints) -> Ints:
    array = parts.column(name).combine_chunks().take(pa.array(rows))
    if name in _HOURLY:
        return np.asarray(array.flatten().to_numpy(zero_copy_only=False), dtype=np.int64).reshape(len(rows), HOURS)
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.int64)


def _summed(values: Ints, group: Ints, groups: int) -> Ints:
    out = np.zeros((groups, *values.shape[1:]), np.int64)
    np.add.at(out, group, values)
    return out


def _micro(kwh: Floats) -> Ints:
    return np.rint(np.nan_to_num(kwh) * MICRO).astype(np.int64)
