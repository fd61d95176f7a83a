"""The meter data file format of the Australian electricity market (AEMO, MDFF): lines, records, their order.

A line is a record, told by the number it begins with; nem12.py and nem13.py read what is in them. Fields are divided by
commas and never quoted. Empty fields at the end of a line may be left out, or be more than the record has; empty lines
say nothing.
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
from jobs.kernels.mdff_fields import bad_stamps

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

AGAIN = "ask the sender for the whole file"
MEND = "ask the sender to mend the file"

HEADER, END = 100, 900
_UNKNOWN = 0
# a day of single minutes with long numbers has some 30 KB
_LONGEST_LINE = 256 * 1024
_BLOCK_BYTES = 16 * 1024**2


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a file in its order, one entry a record: in an order which the format allows."""

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
    texts = pc.utf8_ltrim(pc.utf8_rtrim(lines, ", \t\n"), " \t")
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
    if bad_stamps(stamp, "^[0-9]{12}$")[0]:
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
