"""Deliveries as a source system leaves them: folders of CSV files, and a manifest written last."""

import csv as text_csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from pyarrow import csv

from jobs.province.draws import Dials
from jobs.province.faults import MISSING, TEXT_DASHES, TEXT_NA

TIME_ZONE = ZoneInfo("Asia/Shanghai")
MANIFEST = "_manifest.json"
# minutes past the delivery hour at which each source system sends
_MINUTES = {
    "meter_days": 10,
    "register_readings": 20,
    "customers": 0,
    "metering_points": 2,
    "bills": 30,
    "bill_lines": 32,
    "payments": 40,
    "complaints": 45,
    "weather_hours": 5,
    "calendar": 1,
    "tariffs": 3,
    "class_profiles": 4,
}
FEEDS = tuple(_MINUTES)
# values below 20 kWh are looked up: the text of a curve is then a gather, which is ten times faster than formatting
_LOOKED_UP = 200_000
_WORDS = {MISSING: None, TEXT_DASHES: "--", TEXT_NA: "N/A"}


@dataclass
class Delivery:
    """One delivery being written."""

    root: Path
    feed: str
    business_date: date
    number: int = 1
    files: list[dict[str, str | int]] = field(default_factory=list)

    @property
    def delivery_id(self) -> str:
        """Id as the source system counts: feed, date, number of the day."""
        return f"{self.feed}-{self.business_date:%Y%m%d}-{self.number:02d}"

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.root / self.feed / self.business_date.isoformat() / self.delivery_id

    @property
    def rows(self) -> int:
        """Data rows of all files."""
        return sum(int(file["rows"]) for file in self.files)

    def begin(self) -> None:
        """Take back the manifest of an earlier run: files of two runs are never one complete delivery."""
        (self.folder / MANIFEST).unlink(missing_ok=True)

    def add(self, name: str, content: bytes, rows: int) -> None:
        """Write one file."""
        self.files.append(write_file(self.folder / name, content, rows))

    def finish(self, received_at: datetime) -> None:
        """Write the manifest: from now on the delivery is complete."""
        self.files.sort(key=lambda file: str(file["name"]))
        stated = {
            "delivery_id": self.delivery_id,
            "feed": self.feed,
            "business_date": self.business_date.isoformat(),
            "received_at": received_at.isoformat(),
            "files": self.files,
        }
        named = {str(file["name"]) for file in self.files} | {MANIFEST}
        for path in self.folder.iterdir():
            # left by an earlier run that was stopped
            if path.name not in named:
                path.unlink()
        text = json.dumps(stated, ensure_ascii=False, indent=1)
        unfinished = self.folder / f"{MANIFEST}.tmp"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self.folder / MANIFEST)

    def again(self, number: int) -> "Delivery":
        """The same files in a delivery of another number, not finished yet."""
        other = Delivery(self.root, self.feed, self.business_date, number)
        other.begin()
        for file in self.files:
            other.add(str(file["name"]), (self.folder / str(file["name"])).read_bytes(), int(file["rows"]))
        return other


def write_file(path: Path, content: bytes, rows: int) -> dict[str, str | int]:
    """Write a file and return its line of the manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    digest = hashlib.sha256(content).hexdigest()
    return {"name": path.name, "rows": rows, "bytes": len(content), "sha256": digest}


def received_at(feed: str, business_date: date, lag_hours: float, number: int = 1) -> datetime:
    """When a delivery comes in: some hours after the midnight that ends its date, local time with offset."""
    midnight = datetime.combine(business_date + timedelta(days=1), time(), TIME_ZONE)
    return midnight + timedelta(hours=lag_hours + 2 * (number - 1), minutes=_MINUTES[feed])


def csv_columns(header: Sequence[str], columns: Sequence[pa.Array]) -> bytes:
    """CSV of columns which hold no comma, quote or line break; null is empty."""
    buffer = BytesIO()
    buffer.write((",".join(header) + "\n").encode())
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    # columns may share a header in no source file, but a table wants distinct names
    csv.write_csv(pa.table(list(columns), names=[str(n) for n in range(len(columns))]), buffer, options)
    return buffer.getvalue()


def csv_rows(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """CSV of rows of any text; None is empty."""
    buffer = StringIO()
    writer = text_csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def curve_columns(curves: Dials) -> list[pa.Array]:
    """One array of text a column for curves (rows, columns) in 1e-4 kWh; missing is null."""
    outside = (curves < 0) | (curves >= _LOOKED_UP)
    special, place = np.unique(curves[outside], return_inverse=True)
    words = [_WORDS[value] if value in _WORDS else _kwh(value) for value in special.tolist()]
    texts = pa.concat_arrays([_looked_up(), pa.array(words, pa.string())])
    codes = curves.copy()
    codes[outside] = _LOOKED_UP + place
    return [texts.take(pa.array(column)) for column in np.ascontiguousarray(codes.T)]


@cache
def _looked_up() -> pa.StringArray:
    return pa.array([_kwh(value) for value in range(_LOOKED_UP)], pa.string())


def _kwh(value: int) -> str:
    text = f"{value / 10_000:.4f}".rstrip("0").rstrip(".")
    return text or "0"
