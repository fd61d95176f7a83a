"""Master data of a chunk: customers and metering points, all of them or those that changed on a date."""

from collections.abc import Iterator
from datetime import date

import numpy as np

from jobs.province.dials import meter_ids
from jobs.province.districts import district_id
from jobs.province.people import People
from jobs.province.plan import Plan
from jobs.province.population import (
    COUNTIES,
    INDUSTRY,
    MAIN,
    TARIFF_CODES,
    USAGE_CLASSES,
    Chunk,
    county,
    feeder,
)
from jobs.province.weather import PREFECTURES

CUSTOMER_HEADER = (
    "户号", "户名", "联系电话", "用电地址", "用电类别", "行业", "电价代码", "合同容量(kVA)", "立户日期", "联系渠道",
    "营销同意", "生效日期",
)  # fmt: skip
POINT_HEADER = (
    "计量点编号", "户号", "电表编号", "综合倍率", "安装日期", "拆除日期", "台区编号", "线路编号", "县", "地市",
    "电压等级",
)  # fmt: skip
# this province's source also says what a point is for
KIND_HEADER = "计量点类别"
_CUSTOMER, _DISTRICT = "客户", "台区总表"
Row = tuple[object, ...]


def customer_rows(chunk: Chunk, plan: Plan, first: int | None, last: int) -> Iterator[Row]:
    """Versions of customers which begin on a date of the span; `first` None = all there are."""
    people, customers = People(chunk), chunk.customers
    changed = (plan.phone_changes > 0) & (plan.phone_changes <= last)
    touched = changed.any(axis=0) | (customers.supply_start <= last)
    for row in np.flatnonzero(touched & (customers.supply_start <= last)).tolist():
        usage, since = int(customers.usage_class[row]), int(customers.supply_start[row])
        starts = [since, *sorted(plan.phone_changes[changed[:, row], row].tolist())]
        for changes, start in enumerate(starts):
            if first is not None and start < first:
                continue
            yield (
                int(customers.customer_no[row]),
                people.name(row),
                people.phone(row, changes),
                people.address(row),
                USAGE_CLASSES[usage],
                people.industry(row),
                TARIFF_CODES[usage],
                int(customers.capacity_kva[row]),
                date.fromordinal(since).isoformat(),
                people.channel(row),
                # who changes the number is asked again
                "是" if people.has_consent(row) != (changes % 2 == 1) else "否",
                date.fromordinal(start).isoformat(),
            )


def point_rows(chunk: Chunk, plan: Plan, first: int | None, last: int) -> Iterator[Row]:
    """Rows of customers' metering points which began or ended on a date of the span, as known on its last date."""
    customers, points = chunk.customers, chunk.points
    events = np.concatenate([plan.begins["swapped_meter"], plan.begins["multiplier_change"]])
    happened = (events > 0) & (events <= last)
    since = customers.supply_start[points.customer]
    latest = np.maximum(np.where(happened, events, 0).max(axis=0), since)
    wanted = (since <= last) & (latest >= (first if first is not None else 0))
    lines = feeder(customers.district)
    for point in np.flatnonzero(wanted).tolist():
        row = int(points.customer[point])
        starts = [int(since[point]), *sorted(set(events[happened[:, point], point].tolist()))]
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            if first is not None and max(start, end or 0) < first:
                continue
            yield (
                f"JLD{int(chunk.point_number[point]):09d}",
                int(customers.customer_no[row]),
                int(meter_ids(chunk, plan, start)[point]),
                int(plan.known_multiplier(points.multiplier, start)[point]),
                date.fromordinal(start).isoformat(),
                None if end is None else date.fromordinal(end).isoformat(),
                _district(chunk, row),
                f"XL{int(lines[row]):06d}",
                COUNTIES[int(customers.county[row])][1],
                PREFECTURES[int(customers.prefecture[row])][0],
                _voltage(chunk, point),
                _CUSTOMER,
            )


def district_rows(chunk: Chunk) -> Iterator[Row]:
    """Rows of the meters of transformer districts, which are there from the beginning and are never exchanged."""
    districts = chunk.districts
    counties, lines = county(districts.number), feeder(districts.number)
    for place, number in enumerate(districts.number.tolist()):
        prefecture, name = COUNTIES[int(counties[place])]
        yield (
            f"JLT{number:09d}",
            None,
            int(districts.meter_id[place]),
            int(districts.multiplier[place]),
            date.fromordinal(int(districts.installed[place])).isoformat(),
            None,
            district_id(number),
            f"XL{int(lines[place]):06d}",
            name,
            PREFECTURES[prefecture][0],
            "交流380V",
            _DISTRICT,
        )


def _district(chunk: Chunk, row: int) -> str:
    # a factory has a transformer of its own (专变)
    if chunk.customers.usage_class[row] == INDUSTRY:
        return f"ZB{int(chunk.customers.number[row]):08d}"
    return district_id(int(chunk.customers.district[row]))


def _voltage(chunk: Chunk, point: int) -> str:
    if chunk.points.high_voltage[point]:
        return "交流10kV" if chunk.points.mean_kw[point] < 3000 else "交流35kV"
    is_three_phase = chunk.points.has_transformers[point] or chunk.points.kind[point] != MAIN
    return "交流380V" if is_three_phase else "交流220V"
