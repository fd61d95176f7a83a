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
    """How an interval curve is written in a row: one column an interval, named by its clock time.

    `point_format` is the strptime format of a header such as `0015` (`%H%M`) or `00:30:00` (`%H:%M:%S`); "24:00"
    is understood. `label` says whether that time is the start or the end of its interval. `unit` kW is average power
    over the interval: kWh = kW x minutes / 60. `scale` multiplies what is written to give `unit`.
    """

    __pydantic_config__ = _STRICT

    interval_minutes: int = 15
    label: Literal["start", "end"] = "end"
    unit: Literal["kWh", "kW"] = "kWh"
    scale: float = 1.0
    point_format: str = "%H%M"


@dataclass(frozen=True)
class Feed:
    """One feed: reader, files, encoding, columns. Landing folder, feed file and this name are the same word.

    `pattern` is what its files are called, as a shell would match it; a packed file also by its name without `.gz`. Of
    a delivery without manifest the others are not read; a manifest which lists another one is refused.
    """

    __pydantic_config__ = _STRICT

    name: str
    table: str
    reader: Literal["curve_wide", "table_csv"]
    columns: tuple[FeedColumn, ...]
    description: str = ""
    pattern: str = "*.csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    time_zone: str | None = None
    curve: Curve = field(default_factory=Curve)
    # one source row -> several rows of the table: source column -> value of `unpivot_key`
    unpivot: Mapping[str, str] | None = None
    unpivot_key: str | None = None
    unpivot_value: str | None = None
