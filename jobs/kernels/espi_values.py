"""Values of Green Button readings as kWh or kvarh, and their quality in our codes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.kernels.espi_codes import UNKNOWN, Meaning, quality_of
from jobs.kernels.espi_file import UNSTATED, Espi
from schemas.feed import Feed, FeedColumn
from schemas.quality_codes import MEASURED, MISSING, NAMES

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

# what is written is in watt-hours, what is kept in thousands of them
_KILO = 3


@dataclass(frozen=True, eq=False)
class Values:
    """Of all readings of a file. kwh: NaN where there is no value. bad: which values and qualities cannot be read."""

    kwh: npt.NDArray[np.float64]
    quality: Codes
    bad: dict[str, Bools]


def read_values(espi: Espi, block: Ints, meanings: Sequence[Meaning | None], minutes: Ints, feed: Feed) -> Values:
    """Of readings in these blocks with interval lengths in minutes.

    meanings: what the reading type of each block says; where there is none the feed's curve does.
    """
    power = np.array([m.power_of_ten - _KILO if m else 0 for m in meanings], np.float64)[block]
    scale = np.array([1.0 if m else feed.curve.scale for m in meanings])[block]
    is_power = np.array([m.is_power if m else feed.curve.unit == "kW" for m in meanings])[block]
    # divided by a power of ten a decimal stays what it is, times its inverse it does not
    kwh = np.frombuffer(espi.value, np.float64) * scale
    kwh = kwh * 10.0 ** np.maximum(power, 0) / 10.0 ** np.maximum(-power, 0)
    kwh = np.where(is_power, kwh * minutes / 60, kwh)
    quality = _qualities(espi, block, [m.quality if m else None for m in meanings], feed)
    bad_quality = np.asarray(quality == UNKNOWN)
    # an estimate must not look measured: without its quality a value is none
    kwh[bad_quality | (quality == MISSING)] = np.nan
    bad_value = np.zeros(block.size, np.bool_)
    bad_value[list(espi.bad_values)] = True
    return Values(kwh, quality, {"value": bad_value, "quality": bad_quality})


def _qualities(espi: Espi, block: Ints, usual: Sequence[str | None], feed: Feed) -> Codes:
    """Our codes: of the reading, its reading type, or the feed's constant; UNKNOWN for what is none of ESPI's."""
    column = next((column for column in feed.columns if column.target == "quality"), FeedColumn("quality", "quality"))
    unsaid = NAMES[column.constant] if column.constant else MEASURED
    if column.source is None:
        return np.full(block.size, unsaid, np.int8)
    own = {code: NAMES[quality] for code, quality in (column.values or {}).items()}
    of_type = np.array([unsaid if code is None else quality_of([code], own) for code in usual], np.int8)
    of_codes = np.array([*(quality_of(codes, own) for codes in espi.qualities), UNKNOWN], np.int8)
    place = np.frombuffer(espi.quality, np.int32)
    return np.where(place == UNSTATED, of_type[block], of_codes[place])


def text_of(espi: Espi, what: str, reading: int) -> str:
    """What is written where a value or a quality cannot be read."""
    if what == "value":
        return espi.bad_values[reading]
    place = espi.quality[reading]
    return " ".join(espi.qualities[place]) if place != UNSTATED else ""
