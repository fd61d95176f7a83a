"""Green Button files (NAESB ESPI, alone or in Atom) taken apart in one pass: entries with their links, and readings.

The parser is expat, fed piece by piece: no tree is built, and of a reading only its numbers are kept. A document type
is refused before anything in it is read, and with it every entity, whatever it would grow to or fetch.
"""

import re
from collections.abc import Callable
from xml.parsers import expat

from jobs.kernels.espi_file import KEPT, MEND, UNSTATED, Block, Entry, Espi, Resource, address
from jobs.kernels.files import BadFile

_ATOM = "http://www.w3.org/2005/Atom "
_ESPI = "http://naesb.org/espi "
_ENTRY, _LINK, _ID = f"{_ATOM}entry", f"{_ATOM}link", f"{_ATOM}id"
_BLOCK, _READING = f"{_ESPI}IntervalBlock", f"{_ESPI}IntervalReading"
_PERIOD, _INTERVAL, _QUALITY = f"{_ESPI}timePeriod", f"{_ESPI}interval", f"{_ESPI}ReadingQuality"
_SERVICE = f"{_ESPI}ServiceCategory"
_FIELDS = (
    "accumulationBehaviour",
    "commodity",
    "dataQualifier",
    "defaultQuality",
    "dstOffset",
    "flowDirection",
    "intervalLength",
    "kind",
    "phase",
    "powerOfTenMultiplier",
    "tzOffset",
    "uom",
)

_PIECE_BYTES = 256 * 1024
# a real file has some ten; expat keeps the names of all that are open
_DEEPEST = 64
# of one tag or comment, which expat holds until it ends and looks through again with each piece
_LONGEST_TOKEN = 1024**2
_LONGEST_TEXT = 64
_ENCODINGS = frozenset({"utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252"})
# whole numbers of 48 bits by the standard; some senders write decimals
_NUMBER = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)


def read_espi(data: bytes, name: str) -> Espi:
    """The file taken apart. BadFile, with its line, for what is not well-formed, has a DTD, or no number in place."""
    return _Parser(name).read(data)


class _Parser:
    def __init__(self, name: str) -> None:
        self._name, self._espi = name, Espi()
        self._path: list[str] = []
        self._text: list[str] = []
        self._is_wanted = self._is_alive = False
        self._entry: Entry | None = None
        # depth at which the resource stands that is being read
        self._resource_at = 0
        self._resource: Resource | None = None
        self._block: Block | None = None
        self._in_reading = False
        self._start = self._duration = UNSTATED
        self._value: str | None = None
        self._codes: list[str] = []
        self._quality_places: dict[tuple[str, ...], int] = {}
        self._begins: dict[str, Callable[[dict[str, str]], None]] = {
            _ENTRY: self._begin_entry,
            _LINK: self._link,
            _READING: self._begin_reading,
        }
        self._ends: dict[str, Callable[[str], None]] = {
            _ID: self._atom_id,
            f"{_ESPI}value": self._reading_value,
            f"{_ESPI}quality": self._reading_quality,
            f"{_ESPI}start": self._begin_of_time,
            f"{_ESPI}duration": self._length_of_time,
            **{f"{_ESPI}{name}": self._field_of(name) for name in _FIELDS},
        }

    def read(self, data: bytes) -> Espi:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        silent = 0
        try:
            for begin in range(0, len(data), _PIECE_BYTES):
                self._is_alive = False
                self._parser.Parse(data[begin : begin + _PIECE_BYTES], False)
                silent = 0 if self._is_alive else silent + _PIECE_BYTES
                if silent > _LONGEST_TOKEN:
                    raise self._bad(f"a tag or a comment is longer than {_LONGEST_TOKEN // 1024} KiB")
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise BadFile(
                self._name,
                f"the XML is not well-formed ({what})",
                "the file is empty or cut: deliver it again" if "no element found" in what else MEND,
                line=error.lineno,
            ) from None
        return self._espi

    def _bad(self, problem: str, remedy: str = MEND) -> BadFile:
        return BadFile(self._name, problem, remedy, line=self._parser.CurrentLineNumber)

    # -- what expat calls ---------------------------------------------------------------------------------------------

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG002
        if encoding and encoding.lower() not in _ENCODINGS:
            raise self._bad("its encoding is not read", f"deliver it in one of {', '.join(sorted(_ENCODINGS))}")

    def _document_type(self, *_: object) -> None:
        raise self._bad(
            "it declares a document type, by which entities grow or fetch other files: Green Button needs none",
            "deliver the file without <!DOCTYPE>, and ask who made it why it has one",
        )

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._is_alive = True
        if self._is_wanted:
            raise self._bad("an element stands inside a number")
        path = self._path
        path.append(name)
        if len(path) > _DEEPEST:
            raise self._bad(f"elements stand more than {_DEEPEST} deep in each other")
        if not self._resource_at and name.startswith(_ESPI):
            self._begin_resource(name[len(_ESPI) :])
        begin = self._begins.get(name)
        if begin:
            begin(attributes)
        elif name in self._ends:
            self._is_wanted = True

    def _characters(self, text: str) -> None:
        self._is_alive = True
        if self._is_wanted:
            self._text.append(text)
            if len(self._text) > _LONGEST_TEXT:
                # many short pieces come of references to single characters
                self._text = ["".join(self._text)[: _LONGEST_TEXT + 1]]

    def _end(self, name: str) -> None:
        self._is_alive = True
        path = self._path
        path.pop()
        if self._is_wanted:
            self._is_wanted = False
            text = "".join(self._text).strip()
            self._text.clear()
            self._ends[name](text)
        elif name == _READING:
            self._end_reading()
        elif name == _ENTRY:
            self._entry = None
        if len(path) < self._resource_at:
            self._resource_at, self._resource, self._block = 0, None, None

    # -- Atom ---------------------------------------------------------------------------------------------------------

    def _begin_entry(self, _: dict[str, str]) -> None:
        self._entry = Entry(self._parser.CurrentLineNumber)

    def _link(self, attributes: dict[str, str]) -> None:
        if self._entry is None or self._path[-2] != _ENTRY:
            return
        entry = self._entry
        links = {"self": entry.own, "up": entry.up, "related": entry.related}.get(attributes.get("rel", ""))
        if links is not None and "href" in attributes:
            try:
                links.append(address(attributes["href"]))
            except ValueError:
                raise self._bad("a link is no address") from None

    def _atom_id(self, text: str) -> None:
        if self._entry is not None and self._path[-1] == _ENTRY:
            self._entry.atom_id = text or None

    # -- resources ----------------------------------------------------------------------------------------------------

    def _begin_resource(self, kind: str) -> None:
        self._resource_at = len(self._path)
        self._espi.kinds[kind[:_LONGEST_TEXT]] += 1
        entry, line = self._entry or Entry(self._parser.CurrentLineNumber), self._parser.CurrentLineNumber
        if kind == "IntervalBlock":
            self._block = Block(entry, line, len(self._espi.start))
            self._espi.blocks.append(self._block)
        elif kind in KEPT:
            self._resource = Resource(kind, entry, line)
            self._espi.resources.append(self._resource)

    def _field_of(self, name: str) -> Callable[[str], None]:
        def keep(text: str) -> None:
            if self._resource is None:
                return
            depth = len(self._path) - self._resource_at
            if depth == 0 or (depth == 1 and self._path[-1] == _SERVICE):
                self._resource.fields[name] = text[:_LONGEST_TEXT]

        return keep

    # -- readings -----------------------------------------------------------------------------------------------------

    def _begin_reading(self, _: dict[str, str]) -> None:
        if self._block is None or self._path[-2] != _BLOCK:
            raise self._bad("an interval reading stands outside an interval block")
        self._in_reading = True
        self._start = self._duration = UNSTATED
        self._value = None
        self._espi.line.append(self._parser.CurrentLineNumber)

    def _reading_value(self, text: str) -> None:
        if self._in_reading and self._path[-1] == _READING:
            self._value = text

    def _reading_quality(self, text: str) -> None:
        if self._in_reading and self._path[-1] == _QUALITY:
            self._codes.append(text[:_LONGEST_TEXT])

    def _begin_of_time(self, text: str) -> None:
        if self._in_reading and self._path[-1] == _PERIOD:
            self._start = self._seconds(text, "start")
        elif self._block is not None and self._path[-1] == _INTERVAL:
            self._block.start = self._seconds(text, "start")

    def _length_of_time(self, text: str) -> None:
        if self._in_reading and self._path[-1] == _PERIOD:
            self._duration = self._seconds(text, "duration")

    def _seconds(self, text: str, what: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise self._bad(f"the {what} is no whole number of seconds")
        return int(text)

    def _end_reading(self) -> None:
        espi = self._espi
        value = float("nan")
        if self._value:
            if _NUMBER.fullmatch(self._value):
                value = float(self._value)
            else:
                espi.bad_values[len(espi.start)] = self._value[:_LONGEST_TEXT]
        place = UNSTATED
        if self._codes:
            codes = tuple(self._codes)
            place = self._quality_places.setdefault(codes, len(espi.qualities))
            if place == len(espi.qualities):
                espi.qualities.append(codes)
            self._codes.clear()
        espi.start.append(self._start)
        espi.duration.append(self._duration)
        espi.value.append(value)
        espi.quality.append(place)
        espi.block.append(len(espi.blocks) - 1)
        self._in_reading = False
