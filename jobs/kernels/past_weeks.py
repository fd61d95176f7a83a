"""Meter days of many weeks -> profiles of each meter for each week asked for, as rows of features.meter_profiles."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jobs.kernels.arrow_numbers import floats
from jobs.kernels.clock import EPOCH, MINUTES_A_DAY, day_clock, day_minutes
from jobs.kernels.day_checks import grouped_curves
from jobs.kernels.meter_profiles import WINDOW_DAYS, MeterProfiles, laid_out, meter_profiles, on_clock
from jobs.kernels.sorted_meters import whole_meters

Batches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# the curves of a profile
CURVES = ("working_kwh", "other_kwh", "spread_kwh")
_NUMBERS = ("daily_kwh", "daily_spread_kwh", "highest_kwh", "zero_share", "night_min_kwh", "per_degree",
            "temperature_c", "clock_shift_errors")  # fmt: skip
_COUNTS = ("days", "dropped_days", "longest_zero_run", "longest_constant_run", "clock_shift_minutes",
           "clock_shift_days")  # fmt: skip
PROFILES = pa.schema(
    [
        ("meter_id", pa.string()),
        ("week_start", pa.date32()),
        ("interval_minutes", pa.int32()),
        *((name, pa.list_(pa.float32())) for name in CURVES),
        ("days", pa.int32()),
        ("dropped_days", pa.int32()),
        ("daily_kwh", pa.float64()),
        ("daily_spread_kwh", pa.float64()),
        ("highest_kwh", pa.float64()),
        ("zero_share", pa.float64()),
        ("longest_zero_run", pa.int32()),
        ("longest_constant_run", pa.int32()),
        ("night_min_kwh", pa.float64()),
        ("per_degree", pa.float64()),
        ("temperature_c", pa.float64()),
        ("clock_shift_minutes", pa.int32()),
        ("clock_shift_days", pa.int32()),
        ("clock_shift_errors", pa.float64()),
    ]
)


def is_working(ordinal: int, named: Mapping[int, bool]) -> bool:
    """Whether a date is worked: as the calendar names it (ordinal -> worked), else from Monday to Friday."""
    return named.get(ordinal, date.fromordinal(ordinal).weekday() < 5)


def past_weeks(weeks: Sequence[date], worked: Mapping[int, bool], time_zone: str) -> Batches:
    """A function from meter days sorted by meter to `PROFILES`.

    A day has meter_id, read_date, interval_minutes, kwh and temperature_c, the mean of the date where the meter is; the
    last may be left out where no weather is known. A row for each meter and each of the weeks (Mondays) with a day in
    the `WINDOW_DAYS` before it. A meter that changed the length of its intervals in that time has the profile of the
    length it had last.
    """
    mondays = sorted(week.toordinal() for week in weeks)

    def profile(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in whole_meters(batches):
            yield from _profiled(table.combine_chunks().to_batches()[0], mondays, worked, time_zone)

    return profile


def _profiled(
    batch: pa.RecordBatch, mondays: Sequence[int], worked: Mapping[int, bool], time_zone: str
) -> Iterator[pa.RecordBatch]:
    names = batch.column("meter_id").dictionary_encode()
    meter = names.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    ordinal = batch.column("read_date").cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    by_minutes: dict[int, list[tuple[Ints, Floats]]] = {}
    for rows, curve, minutes in grouped_curves(batch):
        by_minutes.setdefault(minutes, []).extend(_on_clock(rows, curve, minutes, ordinal, time_zone))
    latest = _latest_length(batch, meter, ordinal)
    temperatures = floats(batch.column("temperature_c")) if "temperature_c" in batch.schema.names else None
    for minutes, parts in by_minutes.items():
        rows = np.concatenate([places for places, _ in parts])
        kwh = np.concatenate([curves for _, curves in parts], axis=1)
        for monday in mondays:
            day = ordinal[rows] - (monday - WINDOW_DAYS)
            inside = np.flatnonzero((day >= 0) & (day < WINDOW_DAYS))
            if not inside.size:
                continue
            which, place = np.unique(meter[rows[inside]], return_inverse=True)
            cube = laid_out(kwh[:, inside], place, day[inside], len(which))
            working = np.array([is_working(monday - WINDOW_DAYS + n, worked) for n in range(WINDOW_DAYS)])
            made = meter_profiles(cube, working, _by_day(temperatures, rows[inside], place, day[inside], len(which)))
            kept = np.flatnonzero(latest.of(which, monday) == minutes)
            if kept.size:
                yield _rows(names.dictionary.take(pa.array(which[kept])), monday, minutes, made.take(kept))


def _by_day(temperatures: Floats | None, rows: Ints, place: Ints, day: Ints, meters: int) -> Floats | None:
    """(WINDOW_DAYS, meters) temperatures of these rows, which are a meter's (place) and a day's."""
    if temperatures is None:
        return None
    out = np.full((WINDOW_DAYS, meters), np.nan)
    out[day, place] = temperatures[rows]
    return out


class _Latest:
    """The interval length which each meter had last before a date."""

    def __init__(self, meter: Ints, ordinal: Ints, minutes: Ints) -> None:
        self._meter, self._ordinal, self._minutes = meter, ordinal, minutes

    def of(self, which: Ints, before: int) -> Ints:
        known = (self._ordinal < before) & (self._minutes > 0)
        order = np.lexsort((self._ordinal[known], self._meter[known]))
        meter, minutes = self._meter[known][order], self._minutes[known][order]
        last = np.searchsorted(meter, which, side="right") - 1
        return np.asarray(minutes[last], dtype=np.int64)


def _latest_length(batch: pa.RecordBatch, meter: Ints, ordinal: Ints) -> _Latest:
    minutes = batch.column("interval_minutes").fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return _Latest(meter, ordinal, minutes)


def _on_clock(rows: Ints, curve: Floats, minutes: int, ordinal: Ints, time_zone: str) -> Iterator[tuple[Ints, Floats]]:
    """The curves by time of the clock, (slots, rows); those of dates of 24 hours as they are."""
    dates, of_date = np.unique(ordinal[rows], return_inverse=True)
    points = curve.shape[1]
    regular = np.array([day_minutes(int(day), time_zone) == MINUTES_A_DAY for day in dates])
    whole = points * minutes == MINUTES_A_DAY
    plain = np.flatnonzero(regular[of_date] & whole)
    if plain.size:
        yield rows[plain], np.ascontiguousarray(curve[plain].T)
    for number in np.flatnonzero(~(regular & whole)):
        mine = np.flatnonzero(of_date == number)
        clock = day_clock(int(dates[number]), points, minutes, time_zone)
        yield rows[mine], on_clock(np.ascontiguousarray(curve[mine].T), clock)


def _rows(meters: pa.Array, monday: int, minutes: int, made: MeterProfiles) -> pa.RecordBatch:
    count = len(meters)
    columns: dict[str, pa.Array] = {
        "meter_id": meters.cast(pa.string()),
        "week_start": pa.array(np.full(count, monday - EPOCH, np.int32)).cast(pa.date32()),
        "interval_minutes": pa.array(np.full(count, minutes, np.int32)),
    }
    for name in CURVES:
        curve = np.ascontiguousarray(getattr(made, name).T)
        offsets = pa.array(np.arange(count + 1, dtype=np.int32) * curve.shape[1])
        columns[name] = pa.ListArray.from_arrays(offsets, pa.array(curve.ravel(), mask=np.isnan(curve.ravel())))
    for name in _COUNTS:
        columns[name] = pa.array(getattr(made, name).astype(np.int32))
    for name in _NUMBERS:
        values = getattr(made, name).astype(np.float64)
        columns[name] = pa.array(values, mask=np.isnan(values))
    return pa.RecordBatch.from_arrays([columns[field.name] for field in PROFILES], schema=PROFILES)
