"""The meter data file format of the Australian electricity market (AEMO, MDFF): lines, records, units, channels.

A line is a record, told by the number it begins with; what readers share is here, the records themselves are read by
nem12.py and nem13.py. Fields are divided by commas and never quoted. Empty fields at the end of a line may be left out
or be more than the record has, and empty lines say nothing.
"""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from jobs.kernels.files import BadFile
from jobs.kernels.provenance import provenance
from jobs.kernels.table_csv import shown_raw, typed_column
from jobs.kernels.typed_values import parse, trimmed
from schemas.feed import Feed, FeedColumn

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AGAIN = "ask the sender for the whole file"
MEND = "ask the sender to mend the file"

# market time: UTC+10 all year
MARKET_OFFSET_SECONDS = 10 * 3600

HEADER, END = 100, 900
_UNKNOWN = 0
_BLANK = ", \t"
# a day of single minutes with long numbers has some 30 KB
_LONGEST_LINE = 256 * 1024
_BLOCK_BYTES = 16 * 1024**2
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


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a file in its order, one entry a record: those of `kinds` in an order which the format allows."""

    file: str
    # the number which the record begins with
    kind: Ints
    # of the file, from 1
    line: Ints
    # large_string, without what is empty at its end
    text: pa.Array
    # fields in the text
    width: Ints

    def places(self, kind: int) -> Ints:
        """Where the records of a kind stand."""
        return np.flatnonzero(self.kind == kind)

    def fields(self, places: Ints, names: Sequence[str], types: Mapping[str, pa.DataType] | None = None) -> pa.Table:
        """The fields of these records, strings unless typed, null where nothing is. ArrowInvalid for no such type."""
        kinds = dict.fromkeys(names, pa.string()) | dict(types or {})
        if not places.size:
            return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
        spare = len(names) - self.width[places]
        if (spare < 0).any():
            place = places[np.argmax(spare < 0)]
            raise self.bad(
                place,
                f"the {self.kind[place]} record has {self.width[place]} fields where it can have {len(names)}",
                MEND,
            )
        ends = pa.array(["," * n + "\n" for n in range(spare.max() + 1)], pa.large_string())
        lines = pc.binary_join_element_wise(
            self.text.take(pa.array(places)), ends.take(pa.array(spare)), pa.scalar("", pa.large_string())
        )
        return csv.read_csv(
            pa.BufferReader(_bytes(lines)),
            csv.ReadOptions(use_threads=False, column_names=list(names), block_size=_BLOCK_BYTES),
            csv.ParseOptions(quote_char=False),
            csv.ConvertOptions(check_utf8=False, column_types=kinds, null_values=[""], strings_can_be_null=True),
        ).combine_chunks()

    def bad(self, place: int | np.int64, problem: str, remedy: str) -> BadFile:
        """What to say of one record."""
        return BadFile(self.file, problem, remedy, line=int(self.line[place]))

    def check(self, places: Ints, bad: Bools, problem: str, remedy: str = MEND) -> None:
        """BadFile for the first of these records of which something bad is true."""
        if bad.any():
            raise self.bad(places[np.argmax(bad)], problem, remedy)


def open_records(data: bytes, name: str, version: str, after: Mapping[int, Sequence[int]]) -> Records:
    """Records of a file of that version. `after`: for each kind but the header, what it may come after.

    BadFile for what is no such file: empty, another version, no header, no end record, another order of records.
    """
    text = _text(data, name)
    lines = _lines(text, name)
    texts = pc.utf8_trim(lines, _BLANK + "\n")
    kept = np.flatnonzero(pc.not_equal(texts, "").to_numpy(zero_copy_only=False))
    if not kept.size:
        raise BadFile(name, "the file is empty: it holds no record", AGAIN)
    texts = texts.take(pa.array(kept))
    known = [HEADER, *after]
    numbers = pa.array([f"{n}{end}" for n in known for end in (",", "")], pa.large_string())
    place = pc.index_in(pc.utf8_slice_codeunits(texts, 0, 4), numbers)
    codes = np.repeat(np.array([*known, _UNKNOWN], np.int64), [*[2] * len(known), 1])
    kind = codes[np.asarray(pc.fill_null(place, 2 * len(known)))]
    width = np.asarray(pc.count_substring(texts, ","), np.int64) + 1
    records = Records(name, kind, kept + 1, texts, width)
    _check_header(records, version)
    _check_order(records, version, after)
    return records


def _text(data: bytes, name: str) -> bytes:
    """With one kind of line end, and one at the end."""
    plain = data.removeprefix(codecs.BOM_UTF8)
    if not plain.isascii():
        try:
            plain.decode()
        except UnicodeDecodeError as error:
            raise BadFile(
                name,
                f"it is no text in UTF-8: byte {error.start + 1} does not exist in it",
                "deliver it as plain text in ASCII or UTF-8",
                line=plain.count(b"\n", 0, error.start) + 1,
            ) from None
    plain = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return plain if plain.endswith(b"\n") else plain + b"\n"


def _lines(text: bytes, name: str) -> pa.Array:
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
    begins = np.concatenate([[0], ends])
    lengths = np.diff(begins)
    if lengths.max() > _LONGEST_LINE:
        raise BadFile(
            name, f"the line is longer than {_LONGEST_LINE // 1024} KiB", MEND, line=int(np.argmax(lengths)) + 1
        )
    return pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(begins.astype(np.int64)), pa.py_buffer(text))


def _bytes(texts: pa.LargeStringArray) -> pa.Buffer:
    """All texts one after another."""
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return texts.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))


def _check_header(records: Records, version: str) -> None:
    if records.kind[0] != HEADER:
        raise records.bad(0, "the file does not begin with a 100 record: its header is missing", AGAIN)
    header = records.text[0].as_py().split(",")
    found = header[1].strip().upper() if len(header) > 1 else ""
    if found != version:
        what = f"the header says {found}" if found in {"NEM12", "NEM13"} else "the header does not say which version"
        raise records.bad(0, f"{what}, the feed reads {version}", f"deliver {version} files to this feed")
    stamp = pa.array([header[2] if len(header) > 2 else ""])
    if _bad_stamps(stamp, "^[0-9]{12}$")[0]:
        raise records.bad(0, "the header has no time of its making (CCYYMMDDhhmm)", MEND)


def _check_order(records: Records, version: str, after: Mapping[int, Sequence[int]]) -> None:
    kind = records.kind
    allowed = np.zeros((END + 1, END + 1), np.bool_)
    for what, befores in after.items():
        allowed[list(befores), what] = True
    bad = np.flatnonzero(~allowed[kind[:-1], kind[1:]]) + 1
    last = len(kind) - 1
    if bad.size and not (bad[0] == last and kind[last] == _UNKNOWN):
        place = bad[0]
        raise records.bad(place, *_disorder(int(kind[place - 1]), int(kind[place]), version, after))
    if kind[last] != END:
        raise records.bad(last, "the file is cut: it does not end with a 900 record", AGAIN)


def _disorder(before: int, found: int, version: str, after: Mapping[int, Sequence[int]]) -> tuple[str, str]:
    """What is wrong with a record that comes after another one, and what to do."""
    if before == END:
        return "the file goes on after the 900 record that ends it", "deliver each file by itself"
    if found == _UNKNOWN:
        numbers = ", ".join(str(n) for n in [HEADER, *after])
        return f"the line does not begin with the number of a record of {version} ({numbers}): a broken line?", AGAIN
    if found == END and before == HEADER:
        return "the file holds no readings: its end follows its header", AGAIN
    if found == HEADER:
        return "there is a second header (100 record)", "deliver each file by itself"
    befores = " or ".join(str(n) for n in after[found])
    return f"a {found} record cannot follow a {before} record, only {befores}", MEND


# -- fields -----------------------------------------------------------------------------------------------------------


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
    bad = _bad_stamps(texts, "^[0-9]{14}$")
    good = pc.if_else(pa.array(bad), "19900101000000", texts)
    days, _ = dates(pc.utf8_slice_codeunits(good, 0, 8))
    hours, minutes, seconds = (
        pc.utf8_slice_codeunits(good, at, at + 2).cast(pa.int64()).to_numpy(zero_copy_only=False) for at in (8, 10, 12)
    )
    return days, (hours * 60 + minutes) * 60 + seconds, bad


def _bad_stamps(texts: pa.Array, pattern: str) -> Bools:
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
