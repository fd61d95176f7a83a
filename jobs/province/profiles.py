"""A year of measured-like 15-minute load profiles: the SimBench data set.

Contains information from SimBench (Meinecke et al., University of Kassel, Fraunhofer IEE, RWTH Aachen University, TU
Dortmund; https://simbench.de), which is made available under the Open Database License (ODbL) 1.0. The profiles come
with the PyPI package `simbench`; its code is not imported, because it needs a power-flow engine which is of no use
here.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyarrow import csv

HOUSEHOLD = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
SHOP = ("G3-A", "G4-A", "G4-B", "G5-A", "G6-A", "H0-H")
OFFICE = ("G1-A", "G1-B", "G1-C", "G4-H", "WB-H")
RESTAURANT = ("G2-A", "G0-A", "G4-M")
AROUND_THE_CLOCK = ("G0-M", "G3-M", "G3-H")
FARM = ("L0-A", "L1-A", "L2-A", "L2-M")
FACTORY = ("BL-H", *(f"HS{number}" for number in (0, 1, 2, 4, 5, 7, 11, 12, 13, 14, 16, 17, 18, 20, 21, 24, 25, 27)))
CAR = ("HLS_A_3.7", "HLS_B_3.7", "HLS_C_3.7", "HLS_A_11.0", "HLS_B_11.0")
HEAT_PUMP = ("Air_Parallel_1", "Air_Parallel_2", "Air_Semi-Parallel_1", "Soil_Alternative_1")
SUN = ("PV1", "PV2", "PV3", "PV4")
_LOADS = (*HOUSEHOLD, *SHOP, *OFFICE, *RESTAURANT, *AROUND_THE_CLOCK, *FARM, *FACTORY, *CAR, *HEAT_PUMP)
_NETWORK = "1-complete_data-mixed-all-0-sw"
POINTS = 366 * 96


class ProvinceError(ValueError):
    """The province cannot be generated as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Profiles:
    """`values` (profile, 35136): average power of each quarter hour of 2016, divided by the year's mean."""

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]

    def numbers(self, names: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Row numbers of the named profiles."""
        return np.array([self.names.index(name) for name in names], dtype=np.int64)


@cache
def load_profiles() -> Profiles:
    """The profiles used here. Reads some 60 MB of CSV in about a third of a second, once a process."""
    folder = _folder()
    loads = _read(folder / "LoadProfile.csv", [f"{name}_pload" for name in _LOADS])
    suns = _read(folder / "RESProfile.csv", list(SUN))
    values = np.concatenate([loads, suns])
    return Profiles((values / values.mean(axis=1, keepdims=True)).astype(np.float32), (*_LOADS, *SUN))


def _folder() -> Path:
    spec = find_spec("simbench")
    if spec is None or spec.origin is None:
        raise ProvinceError("the package simbench is not installed: install wattlake with its extra 'province'")
    return Path(spec.origin).parent / "networks" / _NETWORK


def _read(path: Path, columns: list[str]) -> npt.NDArray[np.float64]:
    try:
        table = csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=";"),
            convert_options=csv.ConvertOptions(include_columns=columns),
        )
    except (OSError, KeyError) as error:
        raise ProvinceError(f"{path}: these are not the SimBench profiles expected ({error})") from None
    values = np.stack([column.to_numpy() for column in table.columns]).astype(np.float64)
    if values.shape[1] != POINTS:
        raise ProvinceError(f"{path}: {values.shape[1]} points instead of the {POINTS} of 2016")
    return np.clip(values, 0.0, None)
