"""Text as sources write it -> typed Arrow values, a whole column at a time, saying which could not be read."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.feed import FieldType

Bools = npt.NDArray[np.bool_]
Microseconds = npt.NDArray[np.int64]
Parsed = tuple[pa.Array, Bools]

ARROW_TYPES: dict[FieldType, pa.DataType] = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "double": pa.float64(),
    "decimal": pa.decimal128(18, 6),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}

# a decimal comma, a thousands comma and words such as NaN or inf are no numbers
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_INTEGER = r"^[+-]?[0-9]{1,18}(\.0*)?$"
_LARGEST = 2**31 - 1
_DAY = r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})|/(?P<month2>[0-9]{1,2})/(?P<day2>[0-9]{1,2})"
_DAY += r"|(?P<month3>[0-9]{2})(?P<day3>[0-9]{2}))"
_TIME = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6})[0-9]*)?)?"
_STAMP = rf"^{_DAY}(?:[ T]+{_TIME} ?(?P<offset>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?$"
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_DAY_US = 86_400_000_000


def trimmed(texts: pa.ChunkedArray) -> pa.Array:
    """Without blanks around (also those of Chinese texts), null where nothing is left; in one piece."""
    stripped = pc.utf8_trim_whitespace(texts.combine_chunks())
    return pc.if_else(pc.equal(stripped, ""), None, stripped)


def parse(texts: pa.Array, kind: FieldType, time_zone: str = "UTC") -> Parsed:
    """Values of the type, and which texts (trimmed, null where empty) could not be read; those become null.

    date: YYYY-MM-DD, YYYY/MM/DD or YYYYMMDD, a time after it is left out, and 24:00 belongs to the day it ends.
    timestamp: a date with HH:MM, HH:MM:SS or a fraction, on the clock of `time_zone` unless it states its offset; an
    ambiguous time is the earlier one, one which the clock skips is not read. decimal: rounded half up to 6 places.
    integer: within 32 bits.
    """
    if kind == "string":
        return texts, np.zeros(len(texts), dtype=np.bool_)
    if kind == "timestamp":
        values = _timestamps(texts, time_zone)
    elif kind == "date":
        distinct = texts.dictionary_encode()
        values = _dates(distinct.dictionary).take(distinct.indices)
    else:
        values = _PARSERS[kind](texts)
    return values, _to_bools(pc.and_(values.is_null(), texts.is_valid()))


def clock_times(texts: pa.Array) -> tuple[Microseconds, Microseconds, Bools, Bools]:
    """What stamps of a date with a time show: clock, offset, whether an offset is stated, whether there is such a time.

    The clock in microseconds since 1970-01-01 as if it were UTC, the offset in microseconds ahead of UTC; 24:00 is the
    next midnight.
    """
    stamps = _Stamps(texts)
    offset, is_stated = stamps.offset()
    return stamps.days * _DAY_US + stamps.microseconds, offset, is_stated, stamps.exists & stamps.has_time


def _to_bools(flags: pa.Array) -> Bools:
    return np.asarray(flags.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _only(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(texts, pattern), texts, None)


# -- numbers ----------------------------------------------------------------------------------------------------------


def _doubles(texts: pa.Array) -> pa.Array:
    values = pc.cast(pc.utf8_ltrim(_only(texts, _NUMBER), "+"), pa.float64())
    return pc.if_else(pc.is_finite(values), values, None)


def _integers(texts: pa.Array) -> pa.Array:
    whole = pc.replace_substring_regex(_only(texts, _INTEGER), r"\.0*$", "")
    values = pc.cast(pc.utf8_ltrim(whole, "+"), pa.int64())
    # what the tables hold has 32 bits: a number beyond them, such as a phone number in the wrong column, is none
    fits = pc.and_(pc.less_equal(values, _LARGEST), pc.greater_equal(values, -_LARGEST - 1))
    return pc.if_else(fits, values, None)


def _decimals(texts: pa.Array) -> pa.Array:
    # the exponent and the digits are bounded first, so that no text can overflow the wide type
    plain = _only(texts, r"^[+-]?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})([eE]-0?[0-9])?$")
    wide = pc.cast(pc.utf8_ltrim(plain, "+"), pa.decimal256(60, 30))
    rounded = pc.round(wide, ndigits=6, round_mode="half_towards_infinity")
    fits = pc.less(pc.abs(rounded), pa.scalar(10**12, rounded.type))
    return pc.cast(pc.if_else(fits, rounded, None), pa.decimal128(18, 6))


def _booleans(texts: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(texts)
    is_true, is_false = (pc.is_in(lower, pa.array(words)) for words in (_TRUE, _FALSE))
    return pc.if_else(is_true, True, pc.if_else(is_false, False, None))


_PARSERS: dict[FieldType, Callable[[pa.Array], pa.Array]] = {
    "double": _doubles,
    "decimal": _decimals,
    "integer": _integers,
    "boolean": _booleans,
}


# -- dates and times --------------------------------------------------------------------------------------------------


class _Stamps:
    """Dates and clock times taken apart, one entry a text."""

    def __init__(self, texts: pa.Array) -> None:
        self._parts = pc.extract_regex(texts, _STAMP)
        year, month, day = self._number("year"), self._first("month"), self._first("day")
        begins = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
        days = (begins + 1).astype("datetime64[D]") - begins.astype("datetime64[D]")
        # days since 1970-01-01; of no meaning where not exists
        self.days = begins.astype("datetime64[D]").astype(np.int64) + day - 1
        self.hour, minute, second = self._number("hour"), self._number("minute"), self._number("second")
        fraction = pc.utf8_rpad(pc.fill_null(self._field("fraction"), ""), 6, "0")
        self.microseconds = ((self.hour * 60 + minute) * 60 + second) * 1_000_000 + _ints(fraction)
        self.has_time = ~_is_empty(self._field("hour"))
        self.exists = (
            _to_bools(self._parts.is_valid())
            & (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= days.astype(np.int64))
            & (minute < 60) & (second < 60) & (self.microseconds <= _DAY_US)
        )  # fmt: skip

    def offset(self) -> tuple[npt.NDArray[np.int64], Bools]:
        """Microseconds by which the clock is ahead of UTC, and whether the text states it."""
        text = pc.fill_null(self._field("offset"), "")
        hours, minutes = _ints(pc.utf8_slice_codeunits(text, 1, 3)), _ints(pc.utf8_slice_codeunits(text, -2))
        sign = np.where(_to_bools(pc.starts_with(text, "-")), -1, 1)
        return sign * (hours * 60 + minutes) * 60_000_000, ~_is_empty(text)

    def _field(self, name: str) -> pa.Array:
        return pc.struct_field(self._parts, name)

    def _number(self, name: str) -> npt.NDArray[np.int64]:
        return _ints(self._field(name))

    def _first(self, name: str) -> npt.NDArray[np.int64]:
        """The number from whichever way of writing matched; the others are empty."""
        return self._number(name) + self._number(f"{name}2") + self._number(f"{name}3")


def _ints(digits: pa.Array) -> npt.NDArray[np.int64]:
    """0 for null, empty, and the letters of an offset Z."""
    only = pc.if_else(pc.match_substring_regex(digits, "^[0-9]+$"), digits, "0")
    return np.asarray(pc.fill_null(pc.cast(only, pa.int64()), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _is_empty(texts: pa.Array) -> Bools:
    return _to_bools(pc.equal(pc.fill_null(texts, ""), ""))


def _dates(texts: pa.Array) -> pa.Array:
    stamps = _Stamps(texts)
    return pa.array(stamps.days.astype(np.int32), pa.int32(), mask=~stamps.exists).cast(pa.date32())


def _timestamps(texts: pa.Array, time_zone: str) -> pa.Array:
    # a date alone is no instant
    clock, offset, is_stated, exists = clock_times(texts)
    local = pa.array(clock, mask=~exists).cast(pa.timestamp("us"))
    early, late = (
        pc.assume_timezone(local, time_zone, ambiguous="earliest", nonexistent=which)
        for which in ("earliest", "latest")
    )
    # a time which the clock skips has two neighbours and no instant
    instants = pc.if_else(pc.equal(early, late), early, None).cast(pa.timestamp("us", "UTC"))
    if not is_stated.any():
        return instants
    stated = pa.array(clock - offset, mask=~exists).cast(pa.timestamp("us", "UTC"))
    return pc.if_else(pa.array(is_stated), stated, instants)
