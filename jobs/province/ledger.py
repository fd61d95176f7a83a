"""What only the generator knows: the faults it put in, and the truth. The jobs never read it; tests and reports do.

Three kinds of files: `faults`, a note of each fault as it was delivered; `truth`, a customer and a date; and
`district_days`, a transformer district and a date.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType, TracebackType

import pyarrow as pa
from pyarrow import parquet

from jobs.province.districts import DISTRICT_SCHEMA

FAULT_SCHEMA = pa.schema(
    [
        ("fault", pa.string()),
        ("feed", pa.string()),
        ("delivery_id", pa.string()),
        ("file", pa.string()),
        ("meter_id", pa.string()),
        ("customer_no", pa.string()),
        ("read_date", pa.date32()),
        # slots 0 to 95 from local midnight, the last one excluded; null where a whole row or file is meant
        ("slot_from", pa.int32()),
        ("slot_to", pa.int32()),
        # dial kWh of those slots, multiplier not applied; of a reading the five true dials: total, sharp … valley
        ("true_kwh", pa.list_(pa.float64())),
        ("detail", pa.string()),
        ("received_at", pa.string()),
    ]
)
TRUTH_SCHEMA = pa.schema(
    [
        ("customer_no", pa.string()),
        ("usage_date", pa.date32()),
        # primary kWh drawn over all points of the customer, theft included, with the multiplier which is really there
        ("kwh", pa.float64()),
        ("kwh_sharp", pa.float64()),
        ("kwh_peak", pa.float64()),
        ("kwh_flat", pa.float64()),
        ("kwh_valley", pa.float64()),
    ]
)

SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {"faults": FAULT_SCHEMA, "truth": TRUTH_SCHEMA, "district_days": DISTRICT_SCHEMA}
)


@dataclass
class FaultNotes:
    """Faults noted while one group of customers is written."""

    received_at: dict[str, str]
    rows: list[dict[str, object]] = field(default_factory=list)

    def note(
        self,
        fault: str,
        feed: str,
        delivery_id: str,
        *,
        file: str | None = None,
        meter_id: int | None = None,
        customer_no: int | None = None,
        ordinal: int | None = None,
        slots: tuple[int, int] | None = None,
        true_kwh: list[float] | None = None,
        detail: str = "",
    ) -> None:
        """Note one fault as it was delivered."""
        self.rows.append(
            {
                "fault": fault,
                "feed": feed,
                "delivery_id": delivery_id,
                "file": file,
                "meter_id": None if meter_id is None else str(meter_id),
                "customer_no": None if customer_no is None else str(customer_no),
                "read_date": None if ordinal is None else date.fromordinal(ordinal),
                "slot_from": None if slots is None else slots[0],
                "slot_to": None if slots is None else slots[1],
                "true_kwh": true_kwh,
                "detail": detail,
                "received_at": self.received_at[feed],
            }
        )

    def table(self) -> pa.Table:
        """All notes."""
        return pa.Table.from_pylist(self.rows, schema=FAULT_SCHEMA)


class Ledger:
    """Parquet files of one run, `<kind>/<name>.parquet`, which appear when it ends."""

    def __init__(self, root: Path, name: str) -> None:
        """Name the run's files under the ledger's root."""
        self._paths = {kind: root / kind / f"{name}.parquet" for kind in SCHEMAS}
        self._writers: dict[str, parquet.ParquetWriter] = {}
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "Ledger":
        """Open the files under unfinished names."""
        for kind, schema in SCHEMAS.items():
            path = self._paths[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[kind] = parquet.ParquetWriter(path.with_suffix(".tmp"), schema)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the files their names, or remove them where the run failed."""
        for writer in self._writers.values():
            writer.close()
        for path in self._paths.values():
            if error is None:
                path.with_suffix(".tmp").replace(path)
            else:
                path.with_suffix(".tmp").unlink()

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Append rows by kind of file, as one group of customers noted them."""
        for kind, table in tables.items():
            if kind == "faults":
                self.counts.update(table["fault"].to_pylist())
            if table.num_rows:
                self._writers[kind].write_table(table)
