"""Masked runs of the London half-hours of 2013, and the plain methods which protocol F compares estimation with."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from jobs.kernels.meter_profiles import WINDOW_DAYS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

READINGS = "halfhourly_2013_wide48.tar.xz"
TEMPERATURES, _TEMPERATURE = "processed_2000_2022.tar.xz", "air_temperature [degC]"
FIRST, DAYS, SLOTS = date(2013, 1, 1), 365, 48
# bank holidays of England and Wales: the list that comes with the data has days and months swapped
_HOLIDAYS = ((1, 1), (3, 29), (4, 1), (5, 6), (5, 27), (8, 26), (12, 25), (12, 26))
_DATES = [FIRST + timedelta(days=n) for n in range(DAYS)]
IS_WORKING = np.array([day.weekday() < 5 and (day.month, day.day) not in _HOLIDAYS for day in _DATES])
WEEKDAY = np.array([day.weekday() for day in _DATES])
_POINTS = [f"{slot // 2:02d}:{slot % 2 * 30:02d}:00" for slot in range(SLOTS)]


def read_households(data: Path) -> Floats:
    """(households, DAYS, SLOTS) kWh in the order of household ids, NaN where nothing was read."""
    types = {"LCLid": pa.string(), "Date": pa.date32(), **dict.fromkeys(_POINTS, pa.float64())}
    options = arrow_csv.ConvertOptions(column_types=types, include_columns=list(types))
    with tarfile.open(data / READINGS, "r:xz") as archive:
        streams = (archive.extractfile(member) for member in archive if member.name.endswith(".csv"))
        blocks = [arrow_csv.read_csv(io.BytesIO(s.read()), convert_options=options) for s in streams if s is not None]
    table = pa.concat_tables(blocks).combine_chunks()
    _, home = np.unique(table["LCLid"].to_numpy(), return_inverse=True)
    day = table["Date"].combine_chunks().cast(pa.int32()).to_numpy() - (FIRST - date(1970, 1, 1)).days
    kwh = np.full((home.max() + 1, DAYS, SLOTS), np.nan)
    kwh[home, day] = np.column_stack([table[point].to_numpy() for point in _POINTS])
    return kwh


def read_temperatures(weather: Path) -> Floats:
    """(DAYS,) mean temperature of each day at Bedford, 70 km from London, °C."""
    types = {"datetime": pa.timestamp("s"), _TEMPERATURE: pa.float64()}
    options = arrow_csv.ConvertOptions(column_types=types, include_columns=list(types))
    with tarfile.open(weather / TEMPERATURES, "r:xz") as archive:
        year = next(member for member in archive if member.name.endswith(f"/{FIRST.year}.csv"))
        stream = archive.extractfile(year)
        if stream is None:
            raise ValueError(f"{year.name} in {weather / TEMPERATURES} is no file")
        hours = arrow_csv.read_csv(io.BytesIO(stream.read()), convert_options=options)
    day = hours["datetime"].combine_chunks().cast(pa.date32()).cast(pa.int32()).to_numpy()
    day = day - (FIRST - date(1970, 1, 1)).days
    celsius = hours[_TEMPERATURE].to_numpy()
    return np.asarray(np.bincount(day, celsius, DAYS)[:DAYS] / np.bincount(day, minlength=DAYS)[:DAYS])


@dataclass(frozen=True, eq=False)
class Masked:
    """Days of masked runs, one row a day; arrays are (rows, ...)."""

    kwh: Floats  # (households, DAYS, SLOTS) everything, nothing masked
    household: Ints
    day: Ints
    first: Ints  # first and last masked day of the row's run
    last: Ints
    run: Ints  # number of its run
    mask: Bools  # (rows, SLOTS)

    @property
    def true(self) -> Floats:
        """(rows, SLOTS) what was measured on the row's day."""
        return self.kwh[self.household, self.day]

    @property
    def runs(self) -> int:
        """How many runs."""
        return int(self.run.max()) + 1

    def take(self, rows: Ints) -> "Masked":
        """Some of the rows."""
        return Masked(
            **{f.name: getattr(self, f.name) if f.name == "kwh" else getattr(self, f.name)[rows] for f in fields(self)}
        )

    def on(self, day: Ints) -> Floats:
        """(rows, SLOTS) the household's readings of another day; NaN when it lies in the run, or outside the year."""
        there = (day >= 0) & (day < DAYS) & ((day < self.first) | (day > self.last))
        return np.where(there[:, None], self.kwh[self.household, np.clip(day, 0, DAYS - 1)], np.nan)

    def before(self, end: Ints) -> Floats:
        """(WINDOW_DAYS, SLOTS, rows) the days before a day."""
        return np.stack([self.on(end - WINDOW_DAYS + n).T for n in range(WINDOW_DAYS)])


def masked_runs(kwh: Floats, points: int, count: int, seed: int) -> Masked:
    """Random runs of so many intervals."""
    random = np.random.default_rng([seed, points])
    complete = np.asarray(~np.isnan(kwh).any(axis=2))
    days = max(points // SLOTS, 1)
    found: list[tuple[int, int, int]] = []
    while len(found) < count:
        home = int(random.integers(len(kwh)))
        day = int(random.integers(WINDOW_DAYS, DAYS - days + 1))
        slot = int(random.integers(SLOTS - points + 1)) if points < SLOTS else 0
        if complete[home, day : day + days].all() and complete[home, day - WINDOW_DAYS : day].any():
            found.append((home, day, slot))
    homes, first, slots = (np.repeat(np.array(part), days) for part in zip(*found, strict=True))
    place = np.arange(SLOTS)[None, :] - slots[:, None]
    return Masked(
        kwh=kwh,
        household=homes,
        day=first + np.tile(np.arange(days), count),
        first=first,
        last=first + days - 1,
        run=np.repeat(np.arange(count), days),
        mask=(place >= 0) & (place < points),
    )


# -- plain methods ----------------------------------------------------------------------------------------------------


def plain_methods(masked: Masked) -> Iterator[tuple[str, Floats]]:
    """Name and estimates (rows, SLOTS) of the methods to compare with."""
    yield "zero fill", np.zeros(masked.mask.shape)
    line = _straight(masked)
    yield "linear", line
    month = masked.before(masked.first)
    mean = np.nanmean(month, axis=0).T
    mean = np.where(np.isnan(mean), np.nanmean(month, axis=(0, 1))[:, None], mean)
    weeks = np.stack([masked.on(masked.day - 7 * n) for n in range(1, 5)])
    known = ~np.isnan(weeks)
    of_weeks = np.where(known, weeks, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    of_weeks = np.where(known.any(axis=0), of_weeks, mean)
    yield "previous week", np.where(np.isnan(weeks[0]), of_weeks, weeks[0])
    yield "mean of 4 same weekdays", of_weeks
    yield "mean of 28 days", mean
    yield "linear, total", _scaled(masked, line)
    yield "mean of 28 days, total", _scaled(masked, mean)


def _straight(masked: Masked) -> Floats:
    """Between the values around the run, however long it is."""
    out = np.empty(masked.mask.shape)
    slots = np.arange(DAYS * SLOTS)
    for run in range(masked.runs):
        rows = np.flatnonzero(masked.run == run)
        values = masked.kwh[masked.household[rows[0]]].ravel().copy()
        places = (masked.day[rows, None] * SLOTS + np.arange(SLOTS)).ravel()
        values[places[masked.mask[rows].ravel()]] = np.nan
        # values further away than two days are not around it
        near = slots[max(places[0] - 2 * SLOTS, 0) : places[-1] + 2 * SLOTS + 1]
        known = near[~np.isnan(values[near])]
        out[rows] = np.interp(places, known, values[known]).reshape(len(rows), SLOTS)
    return out


def _scaled(masked: Masked, estimate: Floats) -> Floats:
    inside = np.where(masked.mask, estimate, 0.0).sum(axis=1, keepdims=True)
    left = np.where(masked.mask, masked.true, 0.0).sum(axis=1, keepdims=True)
    even = left / masked.mask.sum(axis=1, keepdims=True)
    return np.where(inside > 0, estimate * left / np.where(inside > 0, inside, 1.0), even)
