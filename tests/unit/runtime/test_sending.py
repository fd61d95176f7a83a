"""A delivery which a job makes has the form which its feed declares, and is never changed."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.kernels.readers import READERS
from jobs.runtime.errors import DataError, UserError
from jobs.runtime.landing import complete_deliveries, is_as_stated
from jobs.runtime.sending import send
from schemas.feed import Feed, FeedColumn

DAY, AT = date(2025, 6, 30), datetime(2025, 6, 30, 16, tzinfo=UTC)
FEED = Feed(
    "class_profiles",
    "core.class_profiles",
    "table_csv",
    (
        FeedColumn("usage_class", "用电类别", values={"居民": "residential"}),
        FeedColumn("valid_from", "生效日期", "date"),
        FeedColumn("day_type", constant="working"),
        FeedColumn("share", "份额", "double"),
    ),
    encoding="gbk",
    delimiter=";",
    pattern="slp_*.txt",
    time_zone="Asia/Shanghai",
)
ROWS = [{"usage_class": "residential", "valid_from": DAY, "day_type": "working", "share": "0.25"}]


def _send(root: Path, feed: Feed = FEED, rows: list[dict[str, Any]] | None = None) -> bool:
    return send(root, feed, "d1", DAY, AT, ROWS if rows is None else rows)


def test_what_is_sent_is_read_as_what_it_was(tmp_path: Path) -> None:
    assert _send(tmp_path)
    (delivery,) = complete_deliveries(tmp_path, FEED.name, DAY, pattern=FEED.pattern)
    assert (delivery.delivery_id, delivery.received_at, delivery.problem) == ("d1", AT, None)
    assert is_as_stated(delivery)
    [file] = delivery.files
    ((rows, extra),) = READERS.read((delivery.folder / file.name).read_bytes(), file.name, FEED, b"", b"")
    assert (rows.num_rows, extra) == (file.rows, [])
    expected = {"usage_class": "residential", "valid_from": DAY, "day_type": "working", "share": 0.25, "unreadable": []}
    assert expected.items() <= rows.to_pylist()[0].items()


def test_what_has_landed_is_never_changed(tmp_path: Path) -> None:
    _send(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not _send(tmp_path)
    with pytest.raises(DataError, match="is there already"):
        _send(tmp_path, rows=[{**ROWS[0], "share": "0.5"}])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_delivery_which_was_left_unfinished_is_written_anew(tmp_path: Path) -> None:
    _send(tmp_path)
    (manifest,) = tmp_path.rglob("_manifest.json")
    stated = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.unlink()
    (manifest.parent / stated["files"][0]["name"]).write_text("cut", encoding="utf-8")
    assert _send(tmp_path)
    assert json.loads(manifest.read_text(encoding="utf-8")) == stated
    assert is_as_stated(complete_deliveries(tmp_path, FEED.name, DAY)[0])


@pytest.mark.parametrize("feed", [replace(FEED, reader="table_parquet"), replace(FEED, has_header=False)])
def test_a_feed_of_another_form_is_said_to_be_none(tmp_path: Path, feed: Feed) -> None:
    with pytest.raises(UserError, match="table_csv with a header"):
        _send(tmp_path, feed)
