"""Which usage point, meter reading and reading type an interval block of a Green Button file belongs to.

Atom entries name each other by links: a block's `up` is the collection of its meter reading, which is `related` to
that collection and to its reading type; the same holds between meter readings and usage points. Paths are formed alike
at all senders, so that a file with blocks alone still says whose they are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.kernels.espi_codes import Meaning, meaning
from jobs.kernels.espi_file import MEND, Block, Entry, Espi, Resource
from jobs.kernels.files import BadFile

_USAGE_POINT = re.compile(r"^(?:.*/)?UsagePoint/[^/]+(?=/|$)")
_METER_READING = re.compile(r"^(?:.*/)?MeterReading/[^/]+(?=/|$)")


@dataclass(frozen=True)
class Stream:
    """What a block's readings are. Links as addresses (`espi_file.address`), None where the file does not say."""

    usage_point: str | None
    # Atom id of the usage point's entry
    usage_point_uuid: str | None
    meter_reading: str | None
    # kind of the usage point's ServiceCategory
    service: str | None
    # None where the file has no reading type
    meaning: Meaning | None


class Links:
    """The entries of one file by the links that lead to them."""

    def __init__(self, espi: Espi, name: str) -> None:
        """Of a file with this name."""
        self._name = name
        self._types: dict[str, Resource] = {}
        for resource in (r for r in espi.resources if r.kind == "ReadingType"):
            for own in resource.entry.own:
                if self._types.setdefault(own, resource).fields != resource.fields:
                    raise self._bad(resource, "two reading types which differ have the same address")
        self._readings = _by_collection(espi.resources, "MeterReading", "IntervalBlock")
        self._points = _by_collection(espi.resources, "UsagePoint", "MeterReading")
        self._meanings: dict[tuple[int, str | None], Meaning] = {}

    def stream(self, block: Block) -> Stream:
        """Of a block. BadFile where its reading type is not usable."""
        entry = block.entry
        reading = _first(self._readings, [*entry.up, *entry.own, *(own.rpartition("/")[0] for own in entry.own)])
        entries = [*([reading.entry] if reading else []), entry]
        paths = [path for e in entries for path in (*e.own, *e.up)]
        point = _first(self._points, paths)
        service = point.fields.get("kind") if point else None
        return Stream(
            usage_point=point.entry.own[0] if point and point.entry.own else _matched(_USAGE_POINT, paths),
            usage_point_uuid=point.entry.atom_id if point else None,
            meter_reading=_matched(_METER_READING, paths),
            service=service,
            meaning=self._meaning(entries, service),
        )

    def _meaning(self, entries: Iterable[Entry], service: str | None) -> Meaning | None:
        found: Meaning | None = None
        for link in [link for entry in entries for link in entry.related]:
            if link not in self._types:
                continue
            of_link = self._of_type(self._types[link], service)
            if found is not None and of_link != found:
                raise self._bad(self._types[link], "a meter reading has two reading types, of which this is one")
            found = of_link
        return found

    def _of_type(self, resource: Resource, service: str | None) -> Meaning:
        key = (id(resource), service)
        if key not in self._meanings:
            try:
                self._meanings[key] = meaning(resource.fields, service)
            except ValueError as error:
                raise self._bad(resource, str(error)) from None
        return self._meanings[key]

    def _bad(self, resource: Resource, problem: str) -> BadFile:
        return BadFile(self._name, problem, MEND, line=resource.line)


def _by_collection(resources: Iterable[Resource], kind: str, below: str) -> Mapping[str, Resource]:
    """Resources of a kind by their own address, by the collection of what is below them, and by what they relate to.

    A link to which several lead tells nothing.
    """
    found: dict[str, Resource | None] = {}
    for resource in (r for r in resources if r.kind == kind):
        entry = resource.entry
        related = (link for link in entry.related if below in link.split("/"))
        for link in {*entry.own, *(f"{own}/{below}" for own in entry.own), *related}:
            found[link] = resource if link not in found else None
    return {link: resource for link, resource in found.items() if resource}


def _first(found: Mapping[str, Resource], links: Iterable[str]) -> Resource | None:
    return next((found[link] for link in links if link in found), None)


def _matched(pattern: re.Pattern[str], paths: Iterable[str]) -> str | None:
    return next((match[0] for path in paths if (match := pattern.match(path))), None)
