"""Delimited text as both readers meet it: encoding, header, columns, and rows of one width.

Nothing that a data row holds gets into a message: it may be personal.
"""

import codecs
import csv as text_csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import csv

from jobs.kernels.files import BadFile
from schemas.feed import Feed

_CHINESE = {"gbk", "gb2312", "gb18030"}
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_MOST_NAMED = 12
# a row must fit into a block
_BLOCK_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Header:
    """The names of a file's columns: their positions, from 1, where the file has no header line."""

    file: str
    header: tuple[str, ...]
    has_header: bool


@dataclass(frozen=True)
class Delimited(Header):
    """A delimited file whose header has been read. `body` is UTF-8 without byte-order mark and header line."""

    body: pa.Buffer
    delimiter: str

    @property
    def ends_with_line(self) -> bool:
        """Whether the last line is ended, as far as can be seen."""
        return self.body.size == 0 or self.body[self.body.size - 1] in b"\r\n"


def open_delimited(data: bytes, name: str, feed: Feed) -> Delimited:
    """Decode and read the header. BadFile for another encoding or delimiter, an empty file, duplicate names."""
    if not data:
        raise BadFile(name, "the file is empty (0 bytes)", "deliver the file again")
    text = _as_utf8(data, name, feed)
    line, begin = _header_line(text, name)
    header = _split(line, feed.delimiter, name)
    _check_delimiter(header, line, name, feed)
    header = _by_position(header, feed)
    repeated = sorted(column for column, count in Counter(header).items() if count > 1 and column)
    if repeated:
        raise BadFile(name, f"the header names {_list(repeated)} more than once", "give each column a name of its own")
    if _ends_in_quotes(text, feed.delimiter):
        raise BadFile(
            name, "the file is cut: its last value has no closing quotation mark", "deliver the whole file again"
        )
    body = pa.py_buffer(text).slice(begin if feed.has_header else 0)
    return Delimited(name, header, feed.has_header, body, feed.delimiter)


def pieces(body: pa.Buffer, size: int) -> Iterator[pa.Buffer]:
    """Whole lines, so many bytes at a time; one empty piece for no lines."""
    view = memoryview(body)
    begin = 0
    while True:
        end = min(begin + size, body.size)
        if end < body.size:
            end = _line_end(view, end)
        yield body.slice(begin, end - begin)
        begin = end
        if begin >= body.size:
            return


def _line_end(view: memoryview, place: int) -> int:
    """Where the line that `place` stands in ends, with its line end."""
    step = 64 * 1024
    while place < len(view):
        found = bytes(view[place : place + step]).find(b"\n")
        if found >= 0:
            return place + found + 1
        place += step
    return len(view)


def missing_columns(file: Header, wanted: Sequence[str]) -> BadFile | None:
    """What to say when wanted columns are not in the header, all of them named; None when all are there."""
    missing = [column for column in wanted if column not in file.header]
    if not missing:
        return None
    if not file.has_header:
        return BadFile(
            file.file,
            f"its first row has {len(file.header)} columns, the feed declares column {_list(missing)}",
            "deliver these columns, or declare what the source sends in the feed's file",
        )
    if len(missing) == len(wanted):
        # what stands in the first line may be a person's data
        return BadFile(
            file.file,
            f"the first line names none of the columns {_list(missing)}",
            "deliver the file with its header line, or declare what the source sends in the feed's file",
        )
    extra = [column for column in file.header if column not in wanted]
    hint = f" (the header has {_list(extra)} instead)" if extra else ""
    return BadFile(
        file.file,
        f"the header lacks {_list(missing)}{hint}",
        "deliver these columns, or declare what the source sends in the feed's file",
    )


def extra_columns(file: Header, declared: Sequence[str]) -> list[str]:
    """Columns of the header which are not declared, in its order; one without a name by its place."""
    return [name or f"(column {n} without a name)" for n, name in enumerate(file.header, 1) if name not in declared]


def read_columns(
    file: Delimited,
    body: pa.Buffer,
    types: dict[str, pa.DataType],
    *,
    first_row: int = 1,
    null_values: Sequence[str] = (),
    newlines_in_values: bool = False,
    block_bytes: int = _BLOCK_BYTES,
) -> pa.Table:
    """The columns named in `types`, from lines `body` of the file which begin with data row `first_row`.

    Strings are as written, null where nothing is. BadFile with its number for a row of another width; ArrowInvalid
    where a value does not fit its type. No line is longer than `block_bytes`.
    """
    places = {name: str(n) for n, name in enumerate(file.header) if name in types}
    if body.size == 0:
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    ragged: list[csv.InvalidRow] = []

    def skip(row: csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = csv.read_csv(
            pa.BufferReader(body),
            csv.ReadOptions(
                # with threads the rows of an error are not numbered; the workers are parallel already
                use_threads=False,
                block_size=min(body.size, block_bytes),
                column_names=[str(n) for n in range(len(file.header))],
            ),
            csv.ParseOptions(delimiter=file.delimiter, newlines_in_values=newlines_in_values, invalid_row_handler=skip),
            csv.ConvertOptions(
                check_utf8=False,
                column_types={place: types[name] for name, place in places.items()},
                include_columns=list(places.values()),
                null_values=["", *null_values],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            raise _ragged(file, body, ragged[0], first_row) from None
        if "conversion error" in str(error):
            raise
        # the text of a parse error quotes the line
        raise BadFile(
            file.file,
            "its lines cannot be told apart (a quotation mark that is not closed, or a line without an end)",
            "deliver the file again",
        ) from None
    if ragged:
        raise _ragged(file, body, ragged[0], first_row)
    return table.rename_columns(list(places))


def _ragged(file: Delimited, body: pa.Buffer, row: csv.InvalidRow, first_row: int) -> BadFile:
    number = first_row + row.number - 1 if row.number is not None else None
    found, wanted = row.actual_columns, row.expected_columns
    text = row.text.encode()
    tail = body.slice(max(body.size - len(text) - 2, 0)).to_pybytes().rstrip(b"\r\n")
    is_last = body.address + body.size == file.body.address + file.body.size and tail.endswith(text)
    if found < wanted and is_last:
        cut = " and the line has no end" if not file.ends_with_line else ""
        return BadFile(
            file.file,
            f"the file is cut: its last row has {found} of {wanted} columns{cut}",
            "deliver the whole file again",
            row=number,
        )
    return BadFile(
        file.file,
        f"the row has {found} columns, the {'header' if file.has_header else 'first one'} {wanted}",
        "put values that hold the delimiter into quotation marks, and deliver the file again",
        row=number,
    )


# -- encoding ---------------------------------------------------------------------------------------------------------


def _as_utf8(data: bytes, name: str, feed: Feed) -> bytes:
    """The file in UTF-8 without byte-order mark. BadFile when it is not in the declared encoding."""
    try:
        codec = codecs.lookup(feed.encoding).name
    except LookupError:
        raise BadFile(name, f"the declared encoding {feed.encoding!r} is not known", "mend the feed's file") from None
    for mark, found in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark) and not codec.startswith("utf-16"):
            raise _wrong_encoding(name, feed, found)
    if codec in {"utf-8", "utf-8-sig", "ascii"}:
        if not _is_utf8(data):
            raise _not_utf8(data, name, feed)
        return data.removeprefix(codecs.BOM_UTF8)
    if codec in _CHINESE:
        # the superset: what systems call GBK holds the characters which were added to it later
        codec = "gb18030"
        if data.startswith(codecs.BOM_UTF8) or (
            not data.isascii() and _is_utf8(data) and not _has_header(data, codec, feed)
        ):
            raise _wrong_encoding(name, feed, "UTF-8")
    try:
        return data.decode(codec).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise BadFile(
            name,
            f"it is not in the declared encoding {feed.encoding}: byte {error.start + 1} does not exist in it",
            "set the feed's encoding to the file's",
            row=_row_of(data, error.start, feed),
        ) from None


def _is_utf8(data: bytes) -> bool:
    """Checked by Arrow over the whole file at once, without making a text of it."""
    ends = pa.array([0, len(data)], pa.int64())
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends.buffers()[1], pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _not_utf8(data: bytes, name: str, feed: Feed) -> BadFile:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        try:
            data.decode("gb18030")
        except UnicodeDecodeError:
            return BadFile(
                name,
                f"it is not in the declared encoding {feed.encoding}: byte {error.start + 1} does not exist in it",
                "deliver the file again, or set the feed's encoding to the file's",
                row=_row_of(data, error.start, feed),
            )
    return _wrong_encoding(name, feed, "GBK")


def _wrong_encoding(name: str, feed: Feed, found: str) -> BadFile:
    return BadFile(
        name,
        f"it is declared as {feed.encoding} and looks like {found}",
        f"deliver it in {feed.encoding}, or set the feed's encoding to {found.lower()}",
    )


def _has_header(data: bytes, codec: str, feed: Feed) -> bool:
    """Whether the first line, read so, names a declared column beyond ASCII: then the encoding is right after all."""
    line = data.partition(b"\n")[0].decode(codec, errors="replace")
    return any(column.source in line for column in feed.columns if column.source and not column.source.isascii())


def _row_of(data: bytes, place: int, feed: Feed) -> int | None:
    line = data.count(b"\n", 0, place) + (0 if feed.has_header else 1)
    return line or None


def _ends_in_quotes(text: bytes, delimiter: str) -> bool:
    """Whether the last quotation mark opens a value: a mark within a value, as of inches, opens none."""
    if text.count(b'"') % 2 == 0:
        return False
    before = text[: text.rfind(b'"')]
    return before.endswith((delimiter.encode(), b"\n", b"\r"))


# -- header -----------------------------------------------------------------------------------------------------------


def _header_line(text: bytes, name: str) -> tuple[str, int]:
    """The first line and where the next one begins."""
    ends = [place for place in (text.find(b"\n"), text.find(b"\r")) if place >= 0]
    end = min(ends, default=len(text))
    begin = end + (2 if text[end : end + 2] == b"\r\n" else 1)
    line = text[:end].decode()
    if "\x00" in line:
        raise BadFile(name, "it holds no text (a zero byte in its first line)", "deliver a delimited text file")
    if not line.strip():
        raise BadFile(name, "its first line is empty: there is no header", "deliver the file with a header line")
    return line, min(begin, len(text))


def _split(line: str, delimiter: str, name: str) -> tuple[str, ...]:
    try:
        (fields,) = text_csv.reader([line], delimiter=delimiter, strict=True)
    except (text_csv.Error, ValueError):
        raise BadFile(
            name, "the header line has a quotation mark that is not closed", "deliver the file again"
        ) from None
    return tuple(field.strip() for field in fields)


def _by_position(header: tuple[str, ...], feed: Feed) -> tuple[str, ...]:
    """The header as columns are looked up by: positions without a header line or where points go by position.

    A point then keeps its header as name where it is one of its own.
    """
    if not feed.has_header:
        return tuple(str(n) for n in range(1, len(header) + 1))
    first = feed.curve.first_point
    if feed.reader != "curve_wide" or first is None:
        return header
    counts = Counter(header)
    declared = {column.source for column in feed.columns}
    return tuple(
        unnamed(n) if n >= first and (not column or counts[column] > 1) and column not in declared else column
        for n, column in enumerate(header, 1)
    )


def unnamed(position: int) -> str:
    """What a point column without a name of its own is called."""
    return f"column {position}"


def _check_delimiter(header: tuple[str, ...], line: str, name: str, feed: Feed) -> None:
    declared = {column.source for column in feed.columns if column.source}
    found = len(declared.intersection(header))
    what = "the header is" if feed.has_header else "its lines are"
    declared_words = _DELIMITERS.get(feed.delimiter, repr(feed.delimiter))
    for other, words in _DELIMITERS.items():
        if other == feed.delimiter or other not in line:
            continue
        columns = {field.strip(' "') for field in line.split(other)}
        # data may hold another delimiter in a value, and a number that is a column's position
        if (feed.has_header and len(declared & columns) > found) or len(header) == 1:
            raise BadFile(
                name,
                f"{what} divided by {words}, the feed declares {declared_words}",
                "deliver it as declared, or set the feed's delimiter",
            )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
