"""A Green Button file taken apart: entries and their links, reading types, blocks, and readings as columns."""

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MEND = "ask the sender to mend the file"

# what a number which is not given stands as
UNSTATED = -1

# of these the numbers directly in them are kept, of a usage point also which service it is of
KEPT = frozenset({"ReadingType", "MeterReading", "UsagePoint", "LocalTimeParameters"})

_API_ROOT = re.compile(r"^.*/resource/")


@dataclass(eq=False)
class Entry:
    """What an Atom entry says around its content; empty around content that stands alone. Links as addresses."""

    line: int
    atom_id: str | None = None
    own: list[str] = field(default_factory=list)
    up: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Resource:
    """A resource of `KEPT` with the texts of its fields."""

    kind: str
    entry: Entry
    line: int
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Block:
    """An interval block: number of its first reading, from 0, and seconds at which it starts, UNSTATED if not said."""

    entry: Entry
    line: int
    first_reading: int
    start: int = UNSTATED


@dataclass(eq=False)
class Espi:
    """A file taken apart. Of readings one entry each, in the order of the file."""

    # how many of each resource, by name
    kinds: Counter[str] = field(default_factory=Counter)
    resources: list[Resource] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    # seconds since 1970 and seconds, UNSTATED where left out
    start: "array[int]" = field(default_factory=lambda: array("q"))
    duration: "array[int]" = field(default_factory=lambda: array("q"))
    # as written; NaN where there is none, or none that can be read
    value: "array[float]" = field(default_factory=lambda: array("d"))
    # place in `qualities`, UNSTATED without any
    quality: "array[int]" = field(default_factory=lambda: array("i"))
    block: "array[int]" = field(default_factory=lambda: array("i"))
    line: "array[int]" = field(default_factory=lambda: array("q"))
    # codes which readings have, one or several together
    qualities: list[tuple[str, ...]] = field(default_factory=list)
    # texts in the place of a value, by reading
    bad_values: dict[int, str] = field(default_factory=dict)


def address(link: str) -> str:
    """A link as a name: without host, the path to the interface, and parameters, so that relative ones are alike."""
    path = re.sub("/{2,}", "/", urlsplit(link.strip()).path)
    return _API_ROOT.sub("", path).strip("/")
