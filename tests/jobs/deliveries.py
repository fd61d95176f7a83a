"""Deliveries written by hand, as a source system would write them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from tests.province import FIRST_DAY

BILL_HEADER = "账单编号,户号,电费年月,版本号,状态,起始日期,截止日期,抄表方式,电量(kWh),电费(元),应缴日期,发行时间"
BILL = "B1,0100000001,2025-05,1,正常,2025-05-01,2025-05-31,实抄,210.5,110.25,2025-06-20,2025-06-01 08:00:00"
POINT_HEADER = "计量点编号,户号,电表编号,综合倍率,安装日期,拆除日期,台区编号,线路编号,县,地市,电压等级"
POINT = "P1,0100000001,M1,1,2020-01-01,,T1,F1,县一,市一,交流220V"
CURVE_HEADER = "电表编号,数据日期,数据类型," + ",".join(
    f"{(15 * i) // 60:02d}{(15 * i) % 60:02d}" for i in range(1, 97)
)


def curve(meter: str = "M1", day: str = "2025-06-26", value: str = "0.25", **points: str) -> str:
    """A row of a curve file; single points by their clock time, as p0015='x'."""
    values = [points.get(f"p{(15 * i) // 60:02d}{(15 * i) % 60:02d}", value) for i in range(1, 97)]
    return ",".join([meter, day, "正向有功", *values])


def text(header: str, *rows: str) -> bytes:
    """A file in UTF-8 with line ends."""
    return ("\n".join([header, *rows]) + "\n").encode()


def deliver(
    landing: Path,
    feed: str,
    files: Mapping[str, bytes],
    *,
    delivery_id: str = "d1",
    day: date = FIRST_DAY,
    received_at: str = "2025-06-28T02:10:00+08:00",
    rows: Mapping[str, int] | None = None,
    sha256: str | None = None,
    cancels: Sequence[str] = (),
) -> Path:
    """Write a delivery with its manifest; `rows` and `sha256` let the manifest state something else."""
    folder = landing / feed / day.isoformat() / delivery_id
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    stated = [
        {
            "name": name,
            "rows": (rows or {}).get(name, max(0, data.count(b"\n") - 1)),
            "sha256": sha256 or hashlib.sha256(data).hexdigest(),
        }
        for name, data in files.items()
    ]
    manifest = {
        "delivery_id": delivery_id,
        "feed": feed,
        "business_date": day.isoformat(),
        "received_at": received_at,
        "files": stated,
        **({"cancels": list(cancels)} if cancels else {}),
    }
    (folder / "_manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
