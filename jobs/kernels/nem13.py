"""Reader `nem13`: register readings as the Australian market sends them (AEMO, meter data file format NEM13).

A 250 record holds a register with two readings and what was used between them: the previous reading and the current
one, each becomes a row. 550 records say why a meter was read; they are checked and not kept. What breaks the structure
refuses the whole file, with the line.

What a feed may name as `source` of a column; `meter_id`, `read_date` and `register_code` must be among its targets:

- of the 250 record NMI, NMIConfiguration, RegisterID, NMISuffix, MDMDataStreamIdentifier, MeterSerialNumber,
  DirectionIndicator, UOM, NextScheduledReadDate, UpdateDateTime, MSATSLoadDateTime
- of each of its two readings RegisterRead (in kWh or kvarh), RegisterReadDateTime, QualityMethod, ReasonCode
- ReadDate: the date which the reading ends
- DayQuantity: the record's Quantity in kWh or kvarh where its two readings begin and end one date, else nothing
- DataStream: NMI and suffix as one name, `NEM1315082-41`
- Channel: import, export, reactive_import or reactive_export by direction and unit. (The market looks from its own
  side: E, for export, is what a customer draws.)

`core.register_readings` holds what the dial showed at midnight. A reading within a minute of midnight, market time, is
that of the date which ends there: 00:00:00 and 00:00:01 on 1 October that of 30 September. Most meters of this kind are
read by a person during the day; such a reading belongs to no midnight and none is made up for it: the row has no
read_date, its `unreadable` names ReadDate, and so it is kept in quarantine with its value and its time.
The quality null (N) leaves no reading, whatever number stands there.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.mdff import END, HEADER, Records, open_records
from jobs.kernels.mdff_fields import (
    QUALITY,
    STAMPS,
    check_columns,
    clean,
    is_null,
    iso_stamps,
    joined,
    matches,
    stamps,
    typed_columns,
    units,
)
from jobs.kernels.typed_values import parse
from schemas.feed import Feed

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# columns beside the declared ones, as for curves: over a file they add up to its 250 records
METRIC_COLUMNS = (("source_rows", "int"),)

# record -> what it may come after
_AFTER = {250: (HEADER, 250, 550), 550: (250, 550), END: (250, 550)}

_REGISTER = (
    "NMI",
    "NMIConfiguration",
    "RegisterID",
    "NMISuffix",
    "MDMDataStreamIdentifier",
    "MeterSerialNumber",
    "DirectionIndicator",
)
_READING = ("RegisterRead", "RegisterReadDateTime", "QualityMethod", "ReasonCode", "ReasonDescription")
_WHICH = ("Previous", "Current")
_RECORD = (
    "RecordIndicator",
    *_REGISTER,
    *(f"{which}{field}" for which in _WHICH for field in _READING),
    "Quantity",
    "UOM",
    "NextScheduledReadDate",
    *STAMPS,
)
_SERVICE = (
    "RecordIndicator",
    "PreviousTransCode",
    "PreviousRetServiceOrder",
    "CurrentTransCode",
    "CurrentRetServiceOrder",
)
# a reason's description is free text and stays where it is
SOURCES = (
    *_REGISTER, "UOM", "NextScheduledReadDate", *STAMPS, *_READING[:4],
    "ReadDate", "DayQuantity", "DataStream", "Channel",
)  # fmt: skip
_TARGETS = ("meter_id", "read_date", "register_code")

_DAY_SECONDS = 86_400
_MIDNIGHT_SECONDS = 60
_NO_DATE = -1


def iter_nem13(data: bytes, name: str, feed: Feed) -> Iterator[tuple[pa.Table, list[str]]]:
    """Register readings of the file, the previous one of a record before its current one; columns not declared: none.

    Columns: the declared targets; source_rows (1 for a current reading, 0 for a previous one); unreadable, raw_values,
    source_file, source_row (the line of the 250 record).
    """
    check_columns(feed, SOURCES, _TARGETS)
    records = open_records(data, name, "NEM13", _AFTER)
    _check_services(records)
    places = records.places(250)
    texts = clean(records.fields(places, _RECORD))
    factor = _check_registers(records, places, texts)
    readings = [_reading(records, places, texts, which, factor) for which in _WHICH]
    (before, previous, earlier), (after, current, later) = readings
    records.check(places, after < before, "the current reading is older than the previous one")
    quantity = _numbers(records, places, texts["Quantity"], "Quantity") * factor
    is_one_date = (previous != _NO_DATE) & (current == previous + 1)
    texts["DayQuantity"] = _as_text(np.where(is_one_date, quantity, np.nan))
    shared = {field: texts[field] for field in texts if not field.startswith(_WHICH)}
    shared |= {field: iso_stamps(shared[field]) for field in STAMPS}
    shared["DataStream"] = joined(shared["NMI"], shared["NMISuffix"])
    nothing = pa.nulls(len(places), pa.string())
    # one record after another, its previous reading first
    order = pa.array(np.arange(2 * len(places)).reshape(2, -1).T.ravel())
    rows = {field: pa.concat_arrays([text, text]).take(order) for field, text in shared.items()}
    rows["DayQuantity"] = pa.concat_arrays([nothing, shared["DayQuantity"]]).take(order)
    for field in earlier:
        rows[field] = pa.concat_arrays([earlier[field], later[field]]).take(order)
    columns, origin = typed_columns(feed, name, rows, np.repeat(records.line[places], 2))
    counted = {"source_rows": pa.array(np.tile([0, 1], len(places)))}
    yield pa.table(columns | counted | origin), []


def _check_services(records: Records) -> None:
    places = records.places(550)
    texts = clean(records.fields(places, _SERVICE))
    for field in ("PreviousTransCode", "CurrentTransCode"):
        bad = ~is_null(texts[field]) & ~matches(texts[field], "^[A-Z]$")
        records.check(places, bad, f"{field} of the 550 record is not a capital letter")


def _check_registers(records: Records, places: Ints, texts: dict[str, pa.Array]) -> Floats:
    """Adds Channel; what is written x the result = kWh or kvarh. BadFile for a record which is no register's."""
    for field in ("NMI", "NMISuffix"):
        records.check(places, is_null(texts[field]), f"the 250 record has no {field}")
    drawn = matches(texts["DirectionIndicator"], "^[Ee]$")
    fed = matches(texts["DirectionIndicator"], "^[Ii]$")
    records.check(places, ~drawn & ~fed, "DirectionIndicator is neither E (export) nor I (import)")
    kind, factor, is_power = units(texts["UOM"])
    bad = (kind == "") | is_power
    records.check(places, bad, "UOM is not Wh, kWh, MWh, varh, kvarh or Mvarh")
    way = pc.if_else(pa.array(drawn), "import", "export")
    reactive = pc.binary_join_element_wise("reactive_", way, "")
    texts["Channel"] = pc.if_else(pa.array(kind == "reactive"), reactive, way)
    return factor


def _reading(
    records: Records, places: Ints, texts: dict[str, pa.Array], which: str, factor: Floats
) -> tuple[Ints, Ints, dict[str, pa.Array]]:
    """Of the previous or the current reading: its time, the date it ends, what a feed may ask for.

    Time: seconds since 1970-01-01 on the market's clock. Date: days since then; _NO_DATE for a reading by day.
    """
    mine = {field: texts[f"{which}{field}"] for field in _READING[:4]}
    at = mine["RegisterReadDateTime"]
    day, seconds, bad = stamps(at)
    records.check(places, bad, f"{which}RegisterReadDateTime is no time (CCYYMMDDhhmmss)")
    bad = ~matches(mine["QualityMethod"], QUALITY) | matches(mine["QualityMethod"], "^V")
    records.check(places, bad, f"{which}QualityMethod is none of A, E, F, S and N with their methods")
    is_none = matches(mine["QualityMethod"], "^N")
    written = mine["RegisterRead"]
    records.check(places, is_null(written) & ~is_none, f"{which}RegisterRead is missing")
    value = _numbers(records, places, written, f"{which}RegisterRead") * factor
    mine["RegisterRead"] = _as_text(np.where(is_none, np.nan, value))
    begins, ends = seconds < _MIDNIGHT_SECONDS, seconds >= _DAY_SECONDS - _MIDNIGHT_SECONDS
    date = np.where(begins, day - 1, np.where(ends, day, _NO_DATE))
    shown = pa.array(date, pa.int32()).cast(pa.date32()).cast(pa.string())
    # a time is no date: so a reading by day is told from one without a time
    mine["ReadDate"] = pc.if_else(pa.array(begins | ends), shown, at)
    mine["RegisterReadDateTime"] = iso_stamps(at)
    return day * _DAY_SECONDS + seconds, date, mine


def _numbers(records: Records, places: Ints, texts: pa.Array, field: str) -> Floats:
    """NaN where there is nothing."""
    values, bad = parse(texts, "double")
    records.check(places, bad, f"{field} is no number")
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _as_text(values: Floats) -> pa.Array:
    """The shortest text which is this number; null for NaN."""
    return pa.array(values, mask=np.isnan(values)).cast(pa.string())
