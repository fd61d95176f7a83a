"""Deliveries in the landing area: which are there, which are new, and whether they are what their manifest says."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from jobs.runtime.errors import DataError

MANIFEST = "_manifest.json"

# a file which is sent packed is called like the plain one, with one of these at the end
_PACKED = {".gz", ".xz", ".zst", ".zip"}


@dataclass(frozen=True)
class DeliveredFile:
    """A file as its manifest states it. `rows` and `sha256` are None where the source sends no manifest."""

    name: str
    rows: int | None
    sha256: str | None


@dataclass(frozen=True)
class Delivery:
    """One file set of one feed; complete when its manifest is there."""

    feed: str
    delivery_id: str
    business_date: date
    received_at: datetime
    folder: Path
    files: tuple[DeliveredFile, ...]
    manifest_sha256: str
    # why it is refused before a file of it is read
    problem: str | None = None
    # ids of deliveries of its feed which no longer hold
    cancels: tuple[str, ...] = ()

    @property
    def content_sha256(self) -> str:
        """Checksum of what is delivered, whatever the delivery and its files are called."""
        sums = sorted(file.sha256 or f"{self.delivery_id}/{file.name}" for file in self.files)
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

    @property
    def rows_stated(self) -> int:
        """Rows which the manifest states."""
        return sum(file.rows or 0 for file in self.files)

    @property
    def order(self) -> tuple[datetime, str]:
        """The later one wins: received_at, ties broken by delivery id."""
        return self.received_at, self.delivery_id


def complete_deliveries(
    root: Path, feed: str, until: date, age_minutes: int | None = None, pattern: str = "*"
) -> list[Delivery]:
    """Complete deliveries of a feed with a business date up to `until`, in the order in which they came.

    Files whose name does not match the feed's pattern are none of a delivery without a manifest; one whose manifest
    lists them has a `problem`. A manifest that cannot be used raises DataError: nothing can be said of such a delivery.
    """
    place = _Feed(root / feed, feed, pattern, age_minutes)
    found = [delivery for folder in place.folders(until) if (delivery := place.read(folder)) is not None]
    return sorted(found, key=lambda delivery: delivery.order)


def delivery_of(
    root: Path, feed: str, business_date: date, delivery_id: str, age_minutes: int | None = None, pattern: str = "*"
) -> Delivery | None:
    """One delivery, as it lies there now; None where it is not there, or not complete."""
    folder = root / feed / business_date.isoformat() / _plain(delivery_id)
    return _Feed(root / feed, feed, pattern, age_minutes).read(folder) if folder.is_dir() else None


def _plain(name: str) -> str:
    if name != Path(name).name or name in {"", ".", ".."}:
        raise DataError(f"{name!r} is no name of a folder.")
    return name


def _matches(name: str, pattern: str) -> bool:
    plain = Path(name).stem if Path(name).suffix.lower() in _PACKED else name
    return fnmatchcase(name, pattern) or fnmatchcase(plain, pattern)


@dataclass(frozen=True)
class _Feed:
    """The folder of one feed, and how its files are called."""

    root: Path
    name: str
    pattern: str
    age_minutes: int | None

    def folders(self, until: date) -> Iterator[Path]:
        """Folders of deliveries, by business date."""
        if not self.root.is_dir():
            return
        for day in sorted(self.root.iterdir()):
            try:
                business_date = date.fromisoformat(day.name)
            except ValueError:
                continue
            if business_date <= until:
                yield from sorted(folder for folder in day.iterdir() if folder.is_dir())

    def read(self, folder: Path) -> Delivery | None:
        """The delivery in a folder; None where it is not complete."""
        manifest = folder / MANIFEST
        if manifest.exists():
            return _with_manifest(manifest, self.name, self.pattern)
        return self._by_age(folder, self.age_minutes) if self.age_minutes is not None else None

    @cached_property
    def _latest(self) -> float:
        """When the feed's newest file was written. Looks at every file, so once and only where a folder needs it."""
        return max(path.stat().st_mtime for path in self.root.rglob("*") if path.is_file())

    def _by_age(self, folder: Path, age_minutes: int) -> Delivery | None:
        """A folder without manifest is complete when its newest file is `age_minutes` older than the newest in landing.

        Compared with the feed's newest file and not with a clock, so that a rerun sees the same deliveries.
        """
        files = sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(("_", ".")) and _matches(path.name, self.pattern)
        )
        if not files:
            return None
        newest = max(path.stat().st_mtime for path in files)
        if self._latest - newest < age_minutes * 60:
            return None
        facts = [(path.name, path.stat().st_size, int(path.stat().st_mtime)) for path in files]
        return Delivery(
            feed=self.name,
            delivery_id=folder.name,
            business_date=date.fromisoformat(folder.parent.name),
            received_at=datetime.fromtimestamp(newest, UTC),
            folder=folder,
            files=tuple(DeliveredFile(path.name, None, None) for path in files),
            manifest_sha256=hashlib.sha256(repr(facts).encode()).hexdigest(),
        )


def _with_manifest(manifest: Path, feed: str, pattern: str) -> Delivery:
    raw = manifest.read_bytes()
    try:
        stated: dict[str, Any] = json.loads(raw)
        cancels = _cancelled_ids(stated)
        # a cancellation may come alone
        listed = stated.get("files", []) if cancels else stated["files"]
        files = tuple(
            DeliveredFile(_inside(manifest.parent, str(file["name"])), int(file["rows"]), str(file["sha256"]))
            for file in listed
        )
        received_at = datetime.fromisoformat(str(stated["received_at"]))
        if received_at.tzinfo is None:
            raise ValueError("received_at has no offset from UTC")
        delivery = Delivery(
            feed=feed,
            delivery_id=str(stated["delivery_id"]),
            business_date=date.fromisoformat(str(stated["business_date"])),
            received_at=received_at.astimezone(UTC),
            folder=manifest.parent,
            files=files,
            manifest_sha256=hashlib.sha256(raw).hexdigest(),
            problem=_unmatched([file.name for file in files], feed, pattern),
            cancels=cancels,
        )
        if (delivery.delivery_id, delivery.business_date.isoformat()) != (folder_id(manifest), manifest.parts[-3]):
            raise ValueError("delivery_id or business_date differ from the folder's")
        return delivery
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{manifest}: the manifest cannot be used ({error}). "
            "It needs delivery_id, business_date, received_at with offset, and files with name, rows, sha256."
        ) from None


def _cancelled_ids(stated: dict[str, Any]) -> tuple[str, ...]:
    """Ids in `cancels`, each once. ValueError where they cannot be meant."""
    given = stated.get("cancels", [])
    if not isinstance(given, list) or not all(isinstance(name, str) and name for name in given):
        raise ValueError("cancels is not a list of delivery ids")
    if str(stated["delivery_id"]) in given:
        raise ValueError("it cancels itself")
    return tuple(sorted(set(given)))


def folder_id(manifest: Path) -> str:
    """The delivery id which a manifest's folder states."""
    return manifest.parent.name


def _inside(folder: Path, name: str) -> str:
    # a manifest comes from outside: a name must not lead out of its folder
    if name != Path(name).name or name in {"", ".", ".."} or (folder / name).is_symlink():
        raise ValueError(f"file name {name!r} is not a plain name")
    return name


def _unmatched(names: list[str], feed: str, pattern: str) -> str | None:
    others = [name for name in names if not _matches(name, pattern)]
    if not others:
        return None
    return (
        f"{', '.join(others)}: the manifest lists what is no file of the feed {feed}, whose pattern is {pattern}: "
        "deliver it without, or set pattern in the feed's file."
    )


def is_as_stated(delivery: Delivery) -> bool:
    """Whether every file has the checksum which the manifest states."""
    return all(
        (delivery.folder / file.name).is_file() and file_sha256(delivery.folder / file.name) == file.sha256
        for file in delivery.files
    )


def file_sha256(path: Path) -> str:
    """Checksum of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, delivery: dict[str, Any]) -> None:
    """Write a manifest as the last step of a delivery: complete on disk before its name appears."""
    unfinished = folder / f"{MANIFEST}.tmp"
    unfinished.write_text(json.dumps(delivery, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.replace(folder / MANIFEST)
