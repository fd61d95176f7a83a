"""The records of a NEM12 file as numbers: data streams (200), days of readings (300), qualities of intervals (400)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.mdff import END, HEADER, MEND, Records
from jobs.kernels.mdff_fields import QUALITY, clean, dates, is_null, matches, stamps, units
from jobs.kernels.typed_values import parse, trimmed
from schemas.quality_codes import ESTIMATED_BY_SOURCE, MEASURED, MISSING

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# record -> what it may come after
AFTER = {
    200: (HEADER, 300, 400, 500),
    300: (200, 300, 400, 500),
    400: (300, 400),
    500: (300, 400, 500),
    END: (300, 400, 500),
}

STREAM_FIELDS = (
    "NMI",
    "NMIConfiguration",
    "RegisterID",
    "NMISuffix",
    "MDMDataStreamIdentifier",
    "MeterSerialNumber",
    "UOM",
    "IntervalLength",
    "NextScheduledReadDate",
)
_DAY_END = ("QualityMethod", "ReasonCode", "ReasonDescription", "UpdateDateTime", "MSATSLoadDateTime")
_EVENT = ("RecordIndicator", "StartInterval", "EndInterval", "QualityMethod", "ReasonCode", "ReasonDescription")
_SERVICE = ("RecordIndicator", "TransCode", "RetServiceOrder", "ReadDateTime", "IndexRead")

CHANNELS = {"E": "import", "B": "export", "Q": "reactive_import", "K": "reactive_export"}
OTHER_CHANNEL = "other"
_ENERGY = {"import": "active", "export": "active", "reactive_import": "reactive", "reactive_export": "reactive"}
_UNITS = {"active": "Wh, kWh, MWh, W, kW or MW", "reactive": "varh, kvarh, Mvarh, var, kvar or Mvar"}

MINUTES_A_DAY = 1440
# a value has 15 digits at most
_TOO_LARGE = 1e15
_CODES = {"A": MEASURED, "E": ESTIMATED_BY_SOURCE, "F": ESTIMATED_BY_SOURCE, "S": ESTIMATED_BY_SOURCE, "N": MISSING}


# -- data streams -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Streams:
    """The 200 records, one entry each."""

    places: Ints
    # the fields, and Channel
    texts: dict[str, pa.Array]
    minutes: Ints
    # what is written x this = kWh or kvarh; NaN where it is no energy
    factor: Floats

    def of(self, places: Ints) -> Ints:
        """Which of the streams each of these records belongs to."""
        return np.searchsorted(self.places, places) - 1


def read_streams(records: Records) -> Streams:
    """The data streams of a file. BadFile for one without name, unit or interval length."""
    places = records.places(200)
    texts = clean(records.fields(places, ("RecordIndicator", *STREAM_FIELDS)))
    for field in ("NMI", "NMISuffix", "IntervalLength"):
        records.check(places, is_null(texts[field]), f"the 200 record has no {field}")
    shaped = matches(texts["NMISuffix"], "^[A-Za-z][0-9A-Za-z]$")
    records.check(places, ~shaped, "NMISuffix is not a letter and a number")
    lengths, bad = parse(texts["IntervalLength"], "integer")
    minutes = np.asarray(pc.fill_null(lengths, 0), np.int64)
    divides = (minutes > 0) & (MINUTES_A_DAY % np.maximum(minutes, 1) == 0)
    records.check(places, bad | ~divides, "IntervalLength is not a number of minutes which divides a day")
    letter = pc.utf8_upper(pc.utf8_slice_codeunits(texts["NMISuffix"], 0, 1))
    place = pc.fill_null(pc.index_in(letter, pa.array(list(CHANNELS))), len(CHANNELS))
    texts["Channel"] = pa.array([*CHANNELS.values(), OTHER_CHANNEL]).take(place)
    kind, factor, is_power = units(texts["UOM"])
    due = np.array([*_ENERGY.values(), ""])[np.asarray(place)]
    for what, allowed in _UNITS.items():
        wrong = (due == what) & (kind != what)
        records.check(places, wrong, f"the suffix says {what} energy, and UOM is not {allowed}")
    return Streams(places, texts, minutes, np.where(is_power, factor * minutes / 60, factor))


def check_services(records: Records) -> None:
    """500 records say why a meter was read; nothing of them is kept. BadFile for one that is none."""
    places = records.places(500)
    texts = clean(records.fields(places, _SERVICE))
    coded = matches(texts["TransCode"], "^[A-Z]$")
    records.check(places, ~coded, "TransCode of the 500 record is not a capital letter")
    bad = stamps(texts["ReadDateTime"])[2] & ~is_null(texts["ReadDateTime"])
    records.check(places, bad, "ReadDateTime of the 500 record is no time (CCYYMMDDhhmmss)")


# -- days -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Block:
    """300 records of one interval length. kwh (NaN: no value), quality: (records, points)."""

    places: Ints
    # QualityMethod and what follows it
    texts: dict[str, pa.Array]
    # entry of its 200 record in Streams
    stream: Ints
    # days since 1970-01-01
    day: Ints
    kwh: Floats
    quality: Codes


class DayReader:
    """Reads 300 records with the 400 records under them."""

    def __init__(self, records: Records, streams: Streams) -> None:
        """Find out which 300 record each record stands under."""
        self._records, self._streams = records, streams
        self._is_event = records.kind == 400
        self._day_of = np.maximum.accumulate(np.where(records.kind == 300, np.arange(len(records.kind)), 0))

    def read(self, places: Ints, minutes: int) -> Block:
        """The 300 records at these places, whose streams all have this interval length."""
        records, points = self._records, MINUTES_A_DAY // minutes
        values = [f"IntervalValue{n + 1}" for n in range(points)]
        names = ["RecordIndicator", "IntervalDate", *values, *_DAY_END]
        width = records.width[places]
        self._check_width(places, (width <= points + 2) | (width > len(names)), minutes)
        try:
            table = records.fields(places, names, dict.fromkeys(values, pa.float64()))
        except pa.ArrowInvalid:
            table = records.fields(places, names)
        texts = clean(table.select(["IntervalDate", *_DAY_END]))
        self._check_width(places, ~matches(texts["QualityMethod"], QUALITY), minutes)
        day, bad = dates(texts.pop("IntervalDate"))
        records.check(places, bad, "IntervalDate is no date (CCYYMMDD) of this market")
        kwh = self._numbers(places, table.select(values))
        quality = self._quality(places, texts["QualityMethod"], points)
        kwh[quality == MISSING] = np.nan
        stream = self._streams.of(places)
        kwh *= self._streams.factor[stream][:, np.newaxis]
        return Block(places, texts, stream, day, kwh, quality)

    def _check_width(self, places: Ints, bad: Bools, minutes: int) -> None:
        """BadFile for a record whose quality does not stand behind as many values as the interval length makes."""
        if bad.any():
            place = places[np.argmax(bad)]
            problem = _width_problem(self._records.text[int(place)].as_py().split(","), minutes)
            raise self._records.bad(place, problem, MEND)

    def _numbers(self, places: Ints, values: pa.Table) -> Floats:
        if values.schema.types[0] == pa.float64():
            kwh = np.stack([_filled(column) for column in values.columns], axis=1)
            # Arrow reads the words nan and inf as numbers
            bad = ~np.isfinite(kwh) & (np.stack([~is_null(c.combine_chunks()) for c in values.columns], axis=1))
        else:
            parsed = [parse(trimmed(column), "double") for column in values.columns]
            kwh = np.stack([_filled(value) for value, _ in parsed], axis=1)
            bad = np.stack([bad for _, bad in parsed], axis=1)
        bad |= np.abs(kwh) >= _TOO_LARGE
        for row in np.flatnonzero(bad.any(axis=1))[:1]:
            raise self._records.bad(places[row], f"IntervalValue{np.argmax(bad[row]) + 1} is no number", MEND)
        return kwh

    # -- quality ------------------------------------------------------------------------------------------------------

    def _quality(self, places: Ints, methods: pa.Array, points: int) -> Codes:
        """Quality of each interval: of its day, or of the 400 records where the day says that it varies."""
        codes, is_variable = _codes(methods)
        quality = np.repeat(codes[:, np.newaxis], points, axis=1)
        is_mine = np.zeros(len(self._day_of), np.bool_)
        is_mine[places] = True
        events = np.flatnonzero(self._is_event & is_mine[self._day_of])
        day = np.searchsorted(places, self._day_of[events])
        records = self._records
        records.check(events, ~is_variable[day], "a 400 record stands under a 300 record whose quality is not V")
        bare = is_variable.copy()
        bare[day] = False
        records.check(places, bare, "the quality is V, and no 400 record says of which interval it is which")
        quality[is_variable] = self._by_interval(events, day, points).reshape(-1, points)
        return quality

    def _by_interval(self, events: Ints, day: Ints, points: int) -> Codes:
        """Qualities of the intervals which the 400 records name, one after another: all of each day, in its order."""
        records = self._records
        texts = clean(records.fields(events, _EVENT))
        good = matches(texts["QualityMethod"], QUALITY) & ~matches(texts["QualityMethod"], "^V")
        records.check(events, ~good, "QualityMethod of the 400 record is none of A, E, F, S and N with their methods")
        start, end = (self._numbers_of(events, texts[name], name) for name in ("StartInterval", "EndInterval"))
        records.check(events, start > end, "the 400 record ends before it starts")
        is_first = np.diff(day, prepend=-1) != 0
        due = np.where(is_first, 1, np.concatenate([[0], end[:-1]]) + 1)
        for row in np.flatnonzero(start != due)[:1]:
            raise records.bad(
                events[row],
                f"the 400 record starts with interval {start[row]} where {due[row]} is due: "
                f"a gap or an overlap in the quality of the day's {points} intervals",
                MEND,
            )
        is_last = np.diff(day, append=-1) != 0
        for row in np.flatnonzero(is_last & (end != points))[:1]:
            raise records.bad(events[row], f"the 400 records end with interval {end[row]}, the day has {points}", MEND)
        return np.repeat(_codes(texts["QualityMethod"])[0], end - start + 1)

    def _numbers_of(self, events: Ints, texts: pa.Array, name: str) -> Ints:
        values, bad = parse(texts, "integer")
        numbers = np.asarray(pc.fill_null(values, 0), np.int64)
        self._records.check(
            events,
            bad | (numbers < 1) | (numbers > MINUTES_A_DAY),
            f"{name} of the 400 record is not the number of an interval",
        )
        return numbers


def _codes(methods: pa.Array) -> tuple[Codes, Bools]:
    """Quality by its first letter, and which are V."""
    letters = pa.array([*_CODES, "V"])
    place = np.asarray(pc.index_in(pc.utf8_slice_codeunits(methods, 0, 1), letters), np.int64)
    return np.array([*_CODES.values(), MISSING], np.int8)[place], place == len(_CODES)


def _width_problem(fields: Sequence[str], minutes: int) -> str:
    """What is wrong with a 300 record whose quality is not where it should be."""
    points = MINUTES_A_DAY // minutes
    shown = pa.array([field.strip() for field in fields[2:]], pa.string())
    place = np.flatnonzero(matches(shown, QUALITY))
    if not place.size:
        return f"the 300 record has no quality (A, E, F, S, N or V) behind its {points} values"
    if place[0] == points:
        return f"the 300 record has {len(fields)} fields where it can have {points + 2 + len(_DAY_END)}"
    return f"the 300 record has {place[0]} values where intervals of {minutes} minutes make {points}"


def _filled(column: pa.Array | pa.ChunkedArray) -> Floats:
    """The values with NaN for null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
