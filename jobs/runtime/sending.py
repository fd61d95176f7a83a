"""Deliveries which a job makes itself, in the form which their feed declares."""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from jobs.runtime.errors import DataError, UserError
from jobs.runtime.landing import MANIFEST, write_manifest
from schemas.feed import Feed


def send(
    root: Path, feed: Feed, delivery_id: str, day: date, received_at: datetime, rows: Iterable[Mapping[str, Any]]
) -> bool:
    """Write a delivery of these rows (by our column names) below the landing root; whether it was not there yet.

    UserError where the feed is no delimited table with a header. DataError where a delivery of this id is there and
    says something else: what has landed is never changed.
    """
    content, count = _delimited(feed, rows)
    name = feed.pattern.replace("*", "derived")
    folder = root / feed.name / day.isoformat() / delivery_id
    stated = {
        "delivery_id": delivery_id,
        "feed": feed.name,
        "business_date": day.isoformat(),
        "received_at": received_at.isoformat(),
        "files": [{"name": name, "rows": count, "sha256": hashlib.sha256(content).hexdigest()}],
    }
    manifest = folder / MANIFEST
    if manifest.exists():
        if json.loads(manifest.read_text(encoding="utf-8"))["files"] != stated["files"]:
            raise DataError(
                f"{folder} is there already, and what it was made from has changed since: run the job for a later date."
            )
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    write_manifest(folder, stated)
    return True


def _delimited(feed: Feed, rows: Iterable[Mapping[str, Any]]) -> tuple[bytes, int]:
    if feed.reader != "table_csv" or not feed.has_header or feed.unpivot:
        raise UserError(
            f"The feed {feed.name} is declared as {feed.reader}: a delivery can be made for table_csv with a header."
        )
    columns = [column for column in feed.columns if column.source]
    written = {column.target: {ours: theirs for theirs, ours in (column.values or {}).items()} for column in columns}
    buffer = StringIO()
    lines = csv.writer(buffer, delimiter=feed.delimiter, lineterminator="\n")
    lines.writerow([column.source for column in columns])
    count = 0
    for row in rows:
        texts = {name: str(value) for name, value in row.items()}
        lines.writerow([written[column.target].get(texts[column.target], texts[column.target]) for column in columns])
        count += 1
    return buffer.getvalue().encode(feed.encoding), count
