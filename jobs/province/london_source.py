"""The published files of Low Carbon London: opened safely, and what they say about households and prices."""

import csv
import lzma
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from jobs.province.draws import Bools, Floats, Ints
from jobs.province.profiles import ProvinceError

YEAR = 2013
FIRST = date(YEAR, 1, 1)
DAYS = 365
SLOTS = 48
READINGS = "halfhourly_2013_wide48.tar.xz"
DAILY = "daily_56_blocks.tar.xz"
HOUSEHOLDS = "informations_households_nonheldout.csv"
PRICES = "dtou_tariff_2013_halfhourly.csv.xz"
WEATHER = "processed_2000_2022.tar.xz"
# levels of the price signal, as the time-of-use periods which they become
LEVELS = {"High": 0, "Normal": 1, "Low": 2}
POINTS = tuple(f"{slot // 2:02d}:{slot % 2 * 30:02d}:00" for slot in range(SLOTS))

_BLOCK = re.compile(r"(?:\./)?(block([0-9]{1,4})sep)\.csv")
_DAILY_BLOCK = re.compile(r"(?:\./)?(block_[0-9]{1,4})\.csv")
_WEATHER_YEAR = re.compile(rf"(?:\./)?[A-Za-z _/]*/(bedford)/{YEAR}\.csv")
# far above what is published: an archive that unpacks to more is not that file
_MOST_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Household:
    """A household as the trial describes it. `number` counts them in the order of their ids, from 0."""

    number: int
    household_id: str
    has_dynamic_price: bool
    acorn: str
    acorn_group: str
    daily_block: str

    @property
    def tariff_code(self) -> str:
        """Code of its tariff: Std, or ToU for the dynamic price."""
        return "ToU" if self.has_dynamic_price else "Std"


@dataclass(frozen=True)
class BlockFile:
    """One published file of half-hourly readings, byte by byte."""

    name: str
    number: int
    content: bytes

    @property
    def rows(self) -> int:
        """Data rows, without the header."""
        return self.content.count(b"\n") + (not self.content.endswith(b"\n")) - 1


@dataclass(frozen=True)
class Readings:
    """Rows of a block file: household ids, days of the year from 0 (-1 outside it), kWh (rows, 48), NaN = not read."""

    ids: list[str]
    days: Ints
    kwh: Floats


def block_files(source: Path) -> Iterator[BlockFile]:
    """The files of half-hourly readings, one after another, in the archive's order."""
    for match, content in _members(source / READINGS, _BLOCK):
        yield BlockFile(match[1], int(match[2]), content)


def block_readings(block: BlockFile) -> Readings:
    """What a block file says. ProvinceError where it has not the published columns."""
    types = {"LCLid": pa.string(), "Date": pa.date32(), **dict.fromkeys(POINTS, pa.float64())}
    try:
        table = arrow_csv.read_csv(
            BytesIO(block.content),
            convert_options=arrow_csv.ConvertOptions(column_types=types, include_columns=list(types)),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ProvinceError(f"{block.name}.csv in {READINGS} cannot be read: {error}") from None
    days = table["Date"].combine_chunks().cast(pa.int32()).to_numpy().astype(np.int64) - _EPOCH_DAY
    kwh = np.column_stack([table[point].to_numpy() for point in POINTS])
    return Readings(table["LCLid"].to_pylist(), np.where((days >= 0) & (days < DAYS), days, -1), kwh)


def daily_totals(source: Path, daily_blocks: set[str]) -> Iterator[pa.Table]:
    """Daily totals of some blocks (LCLid, day, energy_count, energy_sum; all text as written), a block at a time."""
    columns = dict.fromkeys(("LCLid", "day", "energy_count", "energy_sum"), pa.string())
    wanted = set(daily_blocks)
    for match, content in _members(source / DAILY, _DAILY_BLOCK):
        if match[1] in wanted:
            wanted.discard(match[1])
            options = arrow_csv.ConvertOptions(column_types=columns, include_columns=list(columns))
            yield arrow_csv.read_csv(BytesIO(content), convert_options=options)
        if not wanted:
            return


def households(source: Path) -> dict[str, Household]:
    """All households of the trial's open part by id."""
    path = source / HOUSEHOLDS
    with _existing(path).open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["LCLid"])
    return {
        row["LCLid"]: Household(
            number, row["LCLid"], row["stdorToU"] == "ToU", row["Acorn"], row["Acorn_grouped"], row["file"]
        )
        for number, row in enumerate(rows)
    }


def price_levels(source: Path) -> npt.NDArray[np.int8]:
    """(365, 48) level of the dynamic price in each half hour, index of LEVELS. ProvinceError where one is missing."""
    levels = np.full((DAYS, SLOTS), -1, dtype=np.int8)
    with lzma.open(_existing(source / PRICES), "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            # the published values end in a carriage return
            at, level = datetime.fromisoformat(row["TariffDateTime"].strip()), row["Tariff"].strip()
            if at.year == YEAR and level in LEVELS:
                levels[at.timetuple().tm_yday - 1, at.hour * 2 + at.minute // 30] = LEVELS[level]
    if (levels < 0).any():
        raise ProvinceError(f"{PRICES}: {int((levels < 0).sum())} half hours of {YEAR} have no price level.")
    return levels


def weather_rows(folder: Path) -> list[tuple[str, str, str]] | None:
    """Hours of the year (UTC time, temperature, relative humidity) as written; None where there is no weather."""
    if not (folder / WEATHER).exists():
        return None
    for _, content in _members(folder / WEATHER, _WEATHER_YEAR):
        lines = csv.reader(content.decode("utf-8").splitlines())
        next(lines)
        return [(row[0], row[1], row[2]) for row in lines]
    return None


def year_days() -> list[date]:
    """All dates of the year."""
    return [date.fromordinal(FIRST.toordinal() + day) for day in range(DAYS)]


def known(kwh: Floats) -> Bools:
    """Which half hours were read."""
    return ~np.isnan(kwh)


_EPOCH_DAY = FIRST.toordinal() - date(1970, 1, 1).toordinal()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ProvinceError(
            f"{path} is not there. The readings of Low Carbon London are not part of this project: put the files that "
            "docs/real-data.md names into one folder and give it with --key source=FOLDER."
        )
    return path


def _members(archive: Path, wanted: re.Pattern[str]) -> Iterator[tuple[re.Match[str], bytes]]:
    """Plain files of an archive whose whole name is a wanted one, with their bytes.

    Nothing is written under a name which the archive states. ProvinceError for an archive that is damaged, that holds a
    name leading elsewhere or something that is no plain file or folder, or that unpacks to more than it should.
    """
    _existing(archive)
    try:
        with tarfile.open(archive, "r|xz") as tar:
            for member in tar:
                tarfile.data_filter(member, str(archive.parent))
                match = wanted.fullmatch(member.name)
                if match is None or not member.isreg():
                    continue
                if member.size > _MOST_BYTES:
                    raise ProvinceError(f"{archive.name}: {match[1]} has {member.size:,} bytes, more than it should.")
                file = tar.extractfile(member)
                assert file is not None
                yield match, file.read()
    except tarfile.FilterError as error:
        raise ProvinceError(f"{archive.name} is not used, it holds what no archive of data should: {error}") from None
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise ProvinceError(f"{archive.name} is damaged ({error}): fetch it again.") from None
