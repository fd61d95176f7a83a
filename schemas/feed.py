"""What a feed is: how the files of one source system look and what their columns mean.

A feed is declared in `conf/feeds/<feed>.yaml`. A new source system of a known shape is a new file there and no code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FieldType = Literal["string", "date", "timestamp", "double", "decimal", "integer", "boolean"]
PersonalKind = Literal["customer_no", "name", "phone", "address", "free_text"]

# read by the settings' validation: an unknown key in a feed file is an error
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class FeedColumn:
    """One column of a source file.

    `source` is its header, `target` our column. `values` maps the source's codes to ours; a value not listed is an
    error of the row. `constant` stands in for a column which the source does not send. `personal` marks what must not
    get past the vault: `customer_no` becomes `customer_key`, `free_text` is masked, the rest goes to the vault alone.
    A date is a local calendar date; a stamp "24:00" belongs to the day which it ends. An integer has 32 bits.

    Targets of curve readers with a meaning of their own: `interval_at` and `value`, the time and the value of an
    interval where each has a row; `quality`, what the source says of the value, or of all values of the row: its
    `values` map to missing, measured, estimated or edited.
    """

    __pydantic_config__ = _STRICT

    target: str
    source: str | None = None
    type: FieldType = "string"
    values: Mapping[str, str] | None = None
    constant: str | None = None
    optional: bool = False
    personal: PersonalKind | None = None


@dataclass(frozen=True)
class Curve:
    """How interval readings are written.

    `label` says whether a time names the start or the end of its interval. `unit` kW is average power over the
    interval: kWh = kW x minutes / 60. `scale` multiplies what is written to give `unit`. `day` says which intervals a
    date has: `clock`, 24 hours on every date, named by what the clock shows; `elapsed`, 23 or 25 hours on the dates on
    which the clock changes.

    Reader curve_wide, one column an interval. `point_format` is the strptime format of a header such as `0015`
    (`%H%M`) or `00:30:00` (`%H:%M:%S`), "24:00" is understood; or it holds `{n}`, the number of the interval from 1
    (`P{n}`). With `first_point`, a position in the row from 1, the intervals are that column and those after it up to
    the next declared one, whatever their headers say. With `day: elapsed` they are counted from local midnight, and a
    file has as many as the longest or the shortest of its dates needs.

    Reader curve_long and curve_parquet, one row an interval. `stamps` says what the time in the column `interval_at`
    is: `utc`, `local` time of the feed's time zone, or `offset`, each with its own offset; `stamp_format` is its
    strptime format, null for ISO 8601. Of local stamps with `day: elapsed`, those of the hour which the clock repeats
    are told apart by the order in which a meter's stand in the file.
    """

    __pydantic_config__ = _STRICT

    interval_minutes: int = 15
    label: Literal["start", "end"] = "end"
    unit: Literal["kWh", "kW"] = "kWh"
    scale: float = 1.0
    day: Literal["clock", "elapsed"] = "clock"
    point_format: str = "%H%M"
    first_point: int | None = None
    stamps: Literal["utc", "local", "offset"] = "local"
    stamp_format: str | None = None


Reader = Literal[
    "curve_wide", "curve_long", "curve_parquet", "nem12", "nem13", "green_button", "table_csv", "table_parquet"
]
# one row an interval
LONG_READERS = frozenset({"curve_long", "curve_parquet"})
# targets of curve readers which go into the arrays and are no columns
CURVE_TARGETS = frozenset({"interval_at", "value", "quality"})
# rows of these are meter days with arrays
CURVE_READERS = frozenset({"curve_wide", "curve_long", "curve_parquet", "nem12", "green_button"})


# target column -> values: rows which have one of them in each of these columns
Selection = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Feed:
    """One feed: reader, files, encoding, columns. Landing folder, feed file and this name are the same word.

    `pattern` is what its files are called, as a shell would match it (`*.parquet` of a Parquet reader that declares
    none); a packed file also by its name without `.gz`, `.xz`, `.zst` or `.zip`. Of a delivery without manifest the
    others are not read; a manifest which lists another one is refused.

    A feed may read the deliveries of another one (`deliveries_of`) and take the rows which `takes` names. That one
    leaves exactly these and keeps all others, also those of which nobody could read what they are: each row of a file
    is one feed's.
    """

    __pydantic_config__ = _STRICT

    name: str
    table: str
    reader: Reader
    columns: tuple[FeedColumn, ...]
    description: str = ""
    pattern: str = "*.csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    # without a header line, a column's source is its position in the row, from 1
    has_header: bool = True
    time_zone: str | None = None
    curve: Curve = field(default_factory=Curve)
    # one source row -> several rows of the table: source column -> value of `unpivot_key`
    unpivot: Mapping[str, str] | None = None
    unpivot_key: str | None = None
    unpivot_value: str | None = None
    # the feed whose deliveries it reads, and as which it is declared but for its table and for what it takes
    deliveries_of: str | None = None
    # of the rows of those deliveries it takes the ones which have one of these values in each of these columns
    takes: Selection | None = None
    # found and not declared: what the feeds take which read the deliveries of this one
    leaves: tuple[Selection, ...] = ()

    @property
    def landing(self) -> str:
        """Name of the landing folder."""
        return self.deliveries_of or self.name

    @property
    def shares_rows(self) -> bool:
        """Whether rows of its files are those of another feed."""
        return bool(self.takes or self.leaves)
