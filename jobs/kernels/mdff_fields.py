"""What stands in the fields of the meter data file format (mdff.py): dates and times, qualities, units, columns."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.kernels.provenance import provenance
from jobs.kernels.table_csv import shown_raw, typed_column
from jobs.kernels.typed_values import parse, trimmed
from schemas.feed import Feed, FeedColumn

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# market time: UTC+10 all year
MARKET_OFFSET_SECONDS = 10 * 3600
# the market began in 1998; a year far from now is a slip
_YEARS = (1990, 2100)

STAMPS = ("UpdateDateTime", "MSATSLoadDateTime")

# quality flag with its method: actual, estimated, final substitute, null, substitute, variable
QUALITY = "^(V|[AEFNS]([0-9]{2})?)$"

# what is written x this = kWh or kvarh; power is the average of its interval
_ENERGY = {
    "WH": ("active", 0.001),
    "KWH": ("active", 1.0),
    "MWH": ("active", 1000.0),
    "VARH": ("reactive", 0.001),
    "KVARH": ("reactive", 1.0),
    "MVARH": ("reactive", 1000.0),
}
_POWER = {
    "W": ("active", 0.001),
    "KW": ("active", 1.0),
    "MW": ("active", 1000.0),
    "VAR": ("reactive", 0.001),
    "KVAR": ("reactive", 1.0),
    "MVAR": ("reactive", 1000.0),
}


def check_columns(feed: Feed, sources: Sequence[str], targets: Sequence[str]) -> None:
    """ValueError for a declaration that asks for what the reader does not give, or not for what it must."""
    for column in feed.columns:
        if column.personal:
            raise ValueError(f"feed {feed.name}: the reader {feed.reader} takes no personal columns")
        if column.source and column.source not in sources:
            raise ValueError(
                f"feed {feed.name}: {column.source!r} is no source of the reader {feed.reader}: {', '.join(sources)}"
            )
    for target in targets:
        column_of(feed, target)


def column_of(feed: Feed, target: str) -> FeedColumn:
    """The declared column with that target. ValueError where there is none."""
    for column in feed.columns:
        if column.target == target:
            return column
    raise ValueError(f"feed {feed.name}: the reader {feed.reader} needs a column with the target {target}")


def typed_columns(
    feed: Feed, name: str, texts: Mapping[str, pa.Array], line: Ints
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """The declared columns of rows with these texts, and the columns which say where they come from."""
    columns: dict[str, pa.Array] = {}
    unreadable: dict[str, Bools] = {}
    for column in feed.columns:
        columns[column.target], bad = typed_column(column, texts, len(line), feed.time_zone or "UTC")
        if column.source:
            unreadable[column.source] = unreadable.get(column.source, False) | bad
    raw = pa.table({source: texts[source] for source in unreadable})
    origin = provenance(name, line, unreadable, lambda rows: shown_raw(raw.take(pa.array(rows)).combine_chunks(), feed))
    return columns, origin


def matches(texts: pa.Array, pattern: str) -> Bools:
    """Which texts look so; a null does not."""
    flags = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    return np.asarray(flags.to_numpy(zero_copy_only=False), dtype=np.bool_)


def is_null(texts: pa.Array) -> Bools:
    """Where there is nothing."""
    return np.asarray(texts.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)


def dates(texts: pa.Array) -> tuple[Ints, Bools]:
    """CCYYMMDD -> days since 1970-01-01, and which texts are no date of these times (nothing is none)."""
    shaped = pc.if_else(pa.array(matches(texts, "^[0-9]{8}$")), texts, None)
    values, _ = parse(shaped, "date")
    years = pc.fill_null(pc.year(values), 0).to_numpy(zero_copy_only=False)
    bad = (years < _YEARS[0]) | (years > _YEARS[1])
    days = pc.fill_null(values.cast(pa.int32()), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return days, np.asarray(bad, np.bool_)


def stamps(texts: pa.Array) -> tuple[Ints, Ints, Bools]:
    """CCYYMMDDhhmmss -> days since 1970-01-01, seconds of that day, and which texts are no time (nothing is none)."""
    bad = bad_stamps(texts, "^[0-9]{14}$")
    good = pc.if_else(pa.array(bad), "19900101000000", texts)
    days, _ = dates(pc.utf8_slice_codeunits(good, 0, 8))
    hours, minutes, seconds = (
        pc.utf8_slice_codeunits(good, at, at + 2).cast(pa.int64()).to_numpy(zero_copy_only=False) for at in (8, 10, 12)
    )
    return days, (hours * 60 + minutes) * 60 + seconds, bad


def bad_stamps(texts: pa.Array, pattern: str) -> Bools:
    """Which texts are no time that begins with CCYYMMDDhhmm and looks so."""
    clock = matches(pc.utf8_slice_codeunits(texts, 8, 14), "^([01][0-9]|2[0-3])([0-5][0-9]){1,2}$")
    return ~matches(texts, pattern) | ~clock | dates(pc.utf8_slice_codeunits(texts, 0, 8))[1]


def iso_stamps(texts: pa.Array) -> pa.Array:
    """CCYYMMDDhhmm[ss] in market time -> a time with its offset, which `typed_values` reads; others as they are."""
    whole = pc.replace_substring_regex(texts, "^([0-9]{12})$", r"\100")
    parts = "^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})$"
    return pc.replace_substring_regex(whole, parts, r"\1-\2-\3 \4:\5:\6+10:00")


def joined(first: pa.Array, second: pa.Array) -> pa.Array:
    """Two fields as one name."""
    return pc.binary_join_element_wise(first, second, "-")


def clean(table: pa.Table) -> dict[str, pa.Array]:
    """The texts of a table without blanks around, null where nothing is left."""
    return {name: trimmed(table.column(name)) for name in table.column_names}


# -- units ------------------------------------------------------------------------------------------------------------


def units(texts: pa.Array) -> tuple[npt.NDArray[np.str_], Floats, Bools]:
    """By unit, whatever its case: what it measures ("active", "reactive", "" else), its factor, whether it is power.

    What is written x factor = kWh, kvarh, kW or kvar; NaN for what is neither energy nor power, as volts are.
    """
    distinct = pc.fill_null(texts, "").dictionary_encode()
    known = _ENERGY | _POWER
    names = [str(unit).upper() for unit in distinct.dictionary.to_pylist()]
    place = distinct.indices.to_numpy()
    kind, factor = zip(*(known.get(name, ("", np.nan)) for name in names), strict=True)
    return np.array(kind)[place], np.array(factor)[place], np.array([name in _POWER for name in names])[place]
