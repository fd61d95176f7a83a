"""Which folders of the landing area are deliveries, and which of their files."""

import hashlib
import os
from datetime import date
from pathlib import Path

import pytest

from jobs.runtime.landing import complete_deliveries, write_manifest

DAY = date(2025, 6, 30)


def _landed(root: Path, delivery_id: str, *names: str, written_at: int = 0, day: date = DAY) -> Path:
    folder = root / "bills" / day.isoformat() / delivery_id
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("a\n1\n", encoding="utf-8")
        os.utime(folder / name, (written_at, written_at))
    return folder


def _stated(folder: Path) -> None:
    files = [
        {"name": path.name, "rows": 1, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.iterdir())
    ]
    delivery = {
        "delivery_id": folder.name,
        "business_date": folder.parent.name,
        "received_at": "2025-07-01T02:00:00+08:00",
        "files": files,
    }
    write_manifest(folder, delivery)


def test_files_which_do_not_match_the_pattern_are_none_of_a_delivery_without_manifest(tmp_path: Path) -> None:
    _landed(tmp_path, "d1", "bills.csv", "bills.csv.gz", "readme.txt", "bills.csv.part")
    _landed(tmp_path, "d2", "readme.txt")
    _landed(tmp_path, "d3", "bills.csv", written_at=3600)
    (found,) = complete_deliveries(tmp_path, "bills", DAY, age_minutes=60, pattern="*.csv")
    assert [file.name for file in found.files] == ["bills.csv", "bills.csv.gz"]
    assert found.problem is None


def test_a_manifest_that_lists_a_file_of_another_pattern_is_refused_with_its_name(tmp_path: Path) -> None:
    _stated(_landed(tmp_path, "d1", "bills.csv", "bills_2.csv.zst", "payments.csv"))
    (found,) = complete_deliveries(tmp_path, "bills", DAY, pattern="bills*.csv")
    assert found.problem is not None
    assert found.problem.startswith("payments.csv: the manifest lists")
    assert "bills*.csv" in found.problem
    (found,) = complete_deliveries(tmp_path, "bills", DAY, pattern="*.csv")
    assert found.problem is None


def test_without_a_pattern_every_file_belongs_to_its_delivery(tmp_path: Path) -> None:
    _stated(_landed(tmp_path, "d1", "bills.csv", "readme.txt"))
    (found,) = complete_deliveries(tmp_path, "bills", DAY)
    assert found.problem is None
    assert len(found.files) == 2


def test_the_newest_file_of_a_feed_is_looked_for_once_however_many_folders_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        _landed(tmp_path, f"d{number:02d}", "bills.csv", written_at=number * 600)
    walks = []
    walk = Path.rglob

    def counted(path: Path, pattern: str) -> object:
        walks.append(path)
        return walk(path, pattern)

    monkeypatch.setattr(Path, "rglob", counted)
    found = complete_deliveries(tmp_path, "bills", DAY, age_minutes=30)
    # the newest came in at 19 x 10 minutes: complete is what is half an hour older
    assert [delivery.delivery_id for delivery in found] == [f"d{number:02d}" for number in range(17)]
    assert walks == [tmp_path / "bills"]
