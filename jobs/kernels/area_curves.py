"""Curves of areas: meters added up to districts in each batch, districts of a date to all levels above them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

# whole millionths of a kWh: their sums are the same in any order, which sums of floats are not
MICRO = 1_000_000
LEVELS = ("district", "feeder", "county", "prefecture", "province")
PROVINCE = "province"
_AREAS = ("district_id", "feeder_id", "county", "prefecture")

PARTS = pa.schema(
    [
        ("load_date", pa.date32()),
        *((name, pa.string()) for name in _AREAS),
        ("interval_minutes", pa.int32()),
        ("micro_kwh", pa.list_(pa.int64())),
        ("value_count", pa.list_(pa.int64())),
        ("meter_count", pa.int32()),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)
_LOADS = pa.schema(
    [
        ("area_level", pa.string()),
        ("area_id", pa.string()),
        ("load_date", pa.date32()),
        ("interval_minutes", pa.int32()),
        ("kwh", pa.list_(pa.float64())),
        ("coverage", pa.list_(pa.float64())),
        ("meter_count", pa.int32()),
        ("available_at", pa.timestamp("us", tz="UTC")),
    ]
)


def district_parts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of meters (load_date, areas, interval_minutes, kwh, multiplier, available_at) -> sums by date and district.

    One row a date, district and kind of curve (interval length and number of intervals) of the batch.
    """
    for batch in batches:
        if batch.num_rows:
            yield _added(batch)


def _added(batch: pa.RecordBatch) -> pa.RecordBatch:
    lengths = pc.fill_null(pc.list_value_length(batch.column("kwh")), 0)
    names = ("load_date", *_AREAS, "interval_minutes")
    keys = pa.table({name: batch.column(name) for name in names}).append_column("n", lengths)
    group, first = _groups(keys)
    curves = batch.column("kwh")
    bounds = curves.offsets.to_numpy().astype(np.int64)
    start = bounds[:-1] - bounds[0]
    values = curves.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    count = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    multiplier = batch.column("multiplier").to_numpy(zero_copy_only=False).astype(np.float64)
    energy: list[Ints] = [np.empty(0, dtype=np.int64)] * len(first)
    known: list[Ints] = [np.empty(0, dtype=np.int64)] * len(first)
    for length in np.unique(count):
        mine = np.flatnonzero(count == length)
        mine = mine[np.argsort(group[mine], kind="stable")]
        kwh = values[start[mine][:, None] + np.arange(length)] * multiplier[mine][:, None]
        there = ~np.isnan(kwh)
        micro = np.rint(np.where(there, kwh, 0.0) * MICRO).astype(np.int64)
        begins = np.flatnonzero(np.diff(group[mine], prepend=-1))
        sums, counts = np.add.reduceat(micro, begins, axis=0), np.add.reduceat(there.astype(np.int64), begins, axis=0)
        for place, number in enumerate(group[mine][begins]):
            energy[number], known[number] = sums[place], counts[place]
    latest = latest_of(batch.column("available_at"), group, len(first))
    picked = keys.take(pa.array(first)).drop_columns("n")
    return pa.RecordBatch.from_arrays(
        [
            *(picked.column(n).combine_chunks().cast(PARTS.field(n).type) for n in picked.column_names),
            pa.array(energy, pa.list_(pa.int64())),
            pa.array(known, pa.list_(pa.int64())),
            pa.array(np.bincount(group, minlength=len(first)), pa.int32()),
            latest,
        ],
        schema=PARTS,
    )


def _groups(keys: pa.Table) -> tuple[Ints, Ints]:
    """(rows,) number of each row's group, and the first row of each group."""
    coded = [keys.column(n).combine_chunks().dictionary_encode(null_encoding="encode") for n in keys.column_names]
    numbers = np.stack([column.indices.to_numpy(zero_copy_only=False).astype(np.int64) for column in coded])
    _, first, group = np.unique(numbers, axis=1, return_index=True, return_inverse=True)
    return group.ravel().astype(np.int64), first.astype(np.int64)


def latest_of(instants: pa.Array, group: Ints, groups: int) -> pa.Array:
    """The latest instant of each group; null where it has none."""
    none = np.iinfo(np.int64).min
    latest = np.full(groups, none, dtype=np.int64)
    known = pc.fill_null(instants.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()), none)
    np.maximum.at(latest, group, known.to_numpy(zero_copy_only=False))
    return pa.array(latest, mask=latest == none).cast(pa.timestamp("us", tz="UTC"))


# -- levels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """Curves on the one grid of a date, an entry a part or an area."""

    energy: Ints  # (entries, intervals), millionths of a kWh
    known: Ints  # (entries, intervals), meters with a value
    meters: Ints
    latest: Ints  # microseconds since 1970, UTC


def rolled_up(parts: pa.Table) -> pa.Table:
    """The rows of `district_parts` of one date -> rows of features.area_loads of every level.

    The grid of a date is the longest interval that any meter of the date has, so that every area has the same one.
    Curves which do not fit into the grid (of another length than most meters' day) count as meters without a value.
    """
    sums, minutes = _on_one_grid(parts)
    day = parts.column("load_date")[0].as_py()
    return pa.concat_tables(_rows(level, ids, sums, day, minutes) for level, ids in _area_ids(parts).items())


def _area_ids(parts: pa.Table) -> dict[str, list[str | None]]:
    """The area of each part in each level. Counties of one name lie in several prefectures, so theirs is said too."""
    district, feeder, county, prefecture = (parts.column(n).to_pylist() for n in _AREAS)
    named = [f"{p}/{c}" if p and c else c for p, c in zip(prefecture, county, strict=True)]
    every: list[str | None] = [PROVINCE] * len(district)
    return dict(zip(LEVELS, (district, feeder, named, prefecture, every), strict=True))


def _on_one_grid(parts: pa.Table) -> tuple[_Sums, int]:
    minutes = parts.column("interval_minutes").to_numpy().astype(np.int64)
    energy, known = (_lists(parts.column(n)) for n in ("micro_kwh", "value_count"))
    meters = parts.column("meter_count").to_numpy().astype(np.int64)
    length = np.array([len(curve) for curve in energy]) * minutes
    # the day is as long as most meters say, and the shorter one where as many say one as the other
    lengths, of_length = np.unique(length, return_inverse=True)
    day = int(lengths[np.bincount(of_length, weights=meters).argmax()])
    fits = length == day
    grid = max(int(minutes[fits].max()), 1)
    intervals = day // grid
    on_grid, known_on_grid = (np.zeros((len(energy), intervals), dtype=np.int64) for _ in range(2))
    for place in np.flatnonzero(fits & (length > 0) & (grid % np.maximum(minutes, 1) == 0)):
        on_grid[place] = energy[place].reshape(intervals, -1).sum(axis=1)
        # a longer interval is known of as many meters as its least known part
        known_on_grid[place] = known[place].reshape(intervals, -1).min(axis=1)
    latest = parts.column("available_at").cast(pa.int64()).to_numpy().astype(np.int64)
    return _Sums(on_grid, known_on_grid, meters, latest), grid


def _lists(column: pa.ChunkedArray) -> list[Ints]:
    array = column.combine_chunks()
    values, bounds = array.flatten().to_numpy(zero_copy_only=False), array.offsets.to_numpy()
    return [values[a:b] for a, b in zip(bounds[:-1] - bounds[0], bounds[1:] - bounds[0], strict=True)]


def _added_up(sums: _Sums, group: Ints, groups: int) -> _Sums:
    shape = (groups, sums.energy.shape[1])
    energy, known = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    meters, latest = np.zeros(groups, dtype=np.int64), np.full(groups, np.iinfo(np.int64).min)
    np.add.at(energy, group, sums.energy)
    np.add.at(known, group, sums.known)
    np.add.at(meters, group, sums.meters)
    np.maximum.at(latest, group, sums.latest)
    return _Sums(energy, known, meters, latest)


def _rows(level: str, ids: Sequence[str | None], parts: _Sums, day: date, minutes: int) -> pa.Table:
    """Rows of one level; meters which are in no area of the level are in none of its rows."""
    names = sorted({area for area in ids if area is not None})
    place = {area: number for number, area in enumerate(names)}
    mine = np.array([area is not None for area in ids])
    group = np.array([place[area] for area in ids if area is not None], dtype=np.int64)
    kept = _Sums(parts.energy[mine], parts.known[mine], parts.meters[mine], parts.latest[mine])
    sums = _added_up(kept, group, len(names))
    intervals = sums.energy.shape[1]
    offsets = pa.array(np.arange(len(names) + 1, dtype=np.int32) * intervals)
    energy = pa.array((sums.energy / MICRO).ravel(), mask=(sums.known == 0).ravel())
    coverage = np.round(sums.known / np.maximum(sums.meters, 1)[:, None], 6)
    return pa.table(
        [
            pa.array([level] * len(names), pa.string()),
            pa.array(names, pa.string()),
            pa.array([day] * len(names), pa.date32()),
            pa.array([minutes] * len(names), pa.int32()),
            pa.ListArray.from_arrays(offsets, energy),
            pa.ListArray.from_arrays(offsets, pa.array(coverage.ravel())),
            pa.array(sums.meters, pa.int32()),
            pa.array(sums.latest).cast(pa.timestamp("us", tz="UTC")),
        ],
        schema=_LOADS,
    )
