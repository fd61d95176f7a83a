"""Work orders of the service line (95598): what customers call about, when, and what the agent writes down."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from jobs.province.billing import Month
from jobs.province.calendar_days import SLOTS
from jobs.province.draws import Bools, Floats, Ints, draw
from jobs.province.load import outages
from jobs.province.people import People
from jobs.province.plan import Plan
from jobs.province.population import CHUNK, Chunk

HEADER = (
    "工单编号", "户号", "来电姓名", "来电电话", "业务类型", "原因", "受理渠道", "受理时间", "回复时间", "办结时间",
    "满意度", "受理内容",
)  # fmt: skip
Row = tuple[object, ...]
# days an order can stay open
LONGEST_OPEN = 9
_CHANNELS = ("95598", "网上国网", "微信", "营业厅", "现场")
_CHANNEL_SHARES = np.cumsum([0.62, 0.2, 0.1, 0.06])
# category, cause, share of customers a day, texts
_EVERYDAY = (
    ("咨询", "电价政策", 0.00030, ("客户咨询{tariff}电价标准,已解释。", "{name}来电咨询峰谷时段,联系电话{phone}。")),
    (
        "咨询",
        "业务办理",
        0.00022,
        ("客户要求办理过户,新户主联系电话{phone}。", "咨询充电桩报装流程,用电地址{address}。"),
    ),
    ("报修", "表后故障", 0.00018, ("{address}家中无电,邻居有电,疑似表后开关跳闸。", "客户{name}反映漏电保护器跳闸。")),
    ("意见", "抄表收费", 0.00006, ("客户反映催费短信发送过于频繁,户号{no}。", "{name}反映未收到电费账单。")),
    ("建议", "服务渠道", 0.00004, ("建议网上国网增加用电分析功能。", "建议营业厅延长营业时间,回电{phone}。")),
    ("举报", "违约用电", 0.00004, ("举报{address}附近有人私拉电线。", "匿名举报邻居绕表用电。")),
    ("表扬", "服务态度", 0.00006, ("{name}表扬抢修人员响应迅速。", "客户对台区经理服务表示感谢。")),
    ("投诉", "停电影响", 0.00004, ("客户投诉频繁停电影响生活,地址{address},要求答复。",)),
)
_OUTAGE = ("报修", "客户停电", ("{address}停电,客户{name},电话{phone},请尽快处理。", "整栋楼停电,报修人电话{phone}。"))
_ESTIMATE = (
    "电费异常",
    (
        "{name}(户号{no})反映本月电费比往常高很多,怀疑未实际抄表,要求核实,联系电话{phone}。",
        "客户质疑电量偏大,账单显示估抄,要求重新抄表。",
    ),
)
_MULTIPLIER = (
    "倍率差错",
    ("{name}反映本月电量突变,怀疑互感器倍率有误,联系人电话{phone}。", "客户要求核对户号{no}综合倍率。"),
)
_NEW_METER = ("换表争议", ("{address}换表后电量增加,客户要求校验电表。", "{name}对旧表表底有疑问,电话{phone}。"))


@dataclass(frozen=True)
class WorkOrder:
    """One contact. Minutes count from local midnight of the day of acceptance."""

    row: int
    ordinal: int
    source: int
    category: str
    cause: str
    texts: tuple[str, ...]
    minute: int


def work_orders(chunk: Chunk, plan: Plan, months: list[Month], first: int, last: int) -> Iterator[WorkOrder]:
    """Contacts accepted on a date of the span. `months`: billing months whose bills came out in the 20 days before."""
    for ordinal in range(max(first, plan.start), last + 1):
        yield from _everyday(chunk, ordinal)
        yield from _about_outages(chunk, ordinal)
    for month in months:
        yield from _about_bills(chunk, plan, month, first, last)
    yield from _about_meters(chunk, plan, first, last)


def _everyday(chunk: Chunk, ordinal: int) -> Iterator[WorkOrder]:
    luck = draw(chunk.seed, "calls", chunk.index, ordinal)
    size = len(chunk.customers.number)
    calls, minutes = luck.random(CHUNK)[:size], luck.random(CHUNK)[:size]
    served = chunk.customers.supply_start <= ordinal
    low = 0.0
    for source, (category, cause, share, texts) in enumerate(_EVERYDAY):
        for row in np.flatnonzero(served & (calls >= low) & (calls < low + share)).tolist():
            yield WorkOrder(row, ordinal, source, category, cause, texts, int(7 * 60 + minutes[row] * 900))
        low += share


def _about_outages(chunk: Chunk, ordinal: int) -> Iterator[WorkOrder]:
    for rows, begin, end in outages(chunk, ordinal):
        luck = draw(chunk.seed, "outage_calls", chunk.index, ordinal).random((2, CHUNK))
        size = len(chunk.customers.number)
        served = chunk.customers.supply_start <= ordinal
        for row in np.flatnonzero(rows[:size] & served & (luck[0, :size] < 0.06)).tolist():
            minute = int((begin + luck[1, row] * (min(end, SLOTS) - begin)) * 15)
            yield WorkOrder(row, ordinal, 20, *_OUTAGE, minute)


def _about_bills(chunk: Chunk, plan: Plan, month: Month, first: int, last: int) -> Iterator[WorkOrder]:
    """High bills on estimated readings, and bills after transformers were changed and the books were not."""
    luck = draw(chunk.seed, "bill_calls", chunk.index, month.last.toordinal())
    size = len(chunk.customers.number)
    mood, wait, minute = (luck.random(CHUNK)[:size] for _ in range(3))
    day = month.issued + 1 + (wait * 9).astype(np.int64)
    due = month.billed & (day >= first) & (day <= last)
    wrong = _in_month(chunk, plan, month)
    for row in np.flatnonzero(due & month.estimated & (month.factor > 1.15) & (mood < 0.6)).tolist():
        category = "投诉" if mood[row] < 0.35 else "咨询"
        yield WorkOrder(row, int(day[row]), 30, category, *_ESTIMATE, int(480 + minute[row] * 720))
    for row in np.flatnonzero(due & wrong & (mood < 0.7)).tolist():
        yield WorkOrder(row, int(day[row]), 31, "投诉", *_MULTIPLIER, int(480 + minute[row] * 600))


def _in_month(chunk: Chunk, plan: Plan, month: Month) -> Bools:
    begins = plan.begins["wrong_multiplier"]
    hit = ((begins >= month.first.toordinal()) & (begins <= month.last.toordinal())).any(axis=0) & plan.too_high
    return np.bincount(chunk.points.customer, weights=hit, minlength=len(chunk.customers.number)) > 0


def _about_meters(chunk: Chunk, plan: Plan, first: int, last: int) -> Iterator[WorkOrder]:
    for quarter, begins in enumerate(plan.begins["swapped_meter"]):
        luck = draw(chunk.seed, "meter_calls", chunk.index, quarter).random((3, 2 * CHUNK))[:, chunk.point_address]
        day: Ints = begins + 3 + (luck[0] * 17).astype(np.int64)
        called = (begins > 0) & (day >= first) & (day <= last) & (luck[1] < 0.15)
        for point in np.flatnonzero(called).tolist():
            row = int(chunk.points.customer[point])
            yield WorkOrder(row, int(day[point]), 40, "咨询", *_NEW_METER, int(480 + luck[2, point] * 600))


def order_row(chunk: Chunk, plan: Plan, people: People, order: WorkOrder, ordinal: int) -> Row:
    """The row as it stands at the end of a date: not yet replied to or closed, it has no such times."""
    luck = draw(chunk.seed, "order", int(chunk.customers.number[order.row]), order.ordinal, order.source).random(7)
    accepted, replied, closed = _times(order, luck)
    now = datetime.combine(date.fromordinal(ordinal + 1), datetime.min.time())
    is_closed = closed < now
    # the longer it takes, the less content
    slow = (closed - accepted).total_seconds() / 86_400 / LONGEST_OPEN
    score = int(np.clip(np.rint(5.3 - 2.5 * slow - 2.2 * luck[5]), 1, 5))
    changes = int(((plan.phone_changes[:, order.row] > 0) & (plan.phone_changes[:, order.row] <= order.ordinal)).sum())
    number, phone = int(chunk.customers.customer_no[order.row]), people.phone(order.row, changes)
    text = order.texts[int(luck[0] * len(order.texts))].format(
        name=people.person(order.row), phone=phone, address=people.address(order.row), no=number, tariff="居民阶梯"
    )
    return (
        f"GD{date.fromordinal(order.ordinal):%Y%m%d}{int(chunk.customers.number[order.row]):08d}{order.source:02d}",
        number,
        people.person(order.row),
        phone,
        order.category,
        order.cause,
        _CHANNELS[int(np.searchsorted(_CHANNEL_SHARES, luck[1]))],
        accepted.isoformat(sep=" "),
        replied.isoformat(sep=" ") if replied < now else None,
        closed.isoformat(sep=" ") if is_closed else None,
        score if is_closed and luck[6] < 0.7 else None,
        text,
    )


def changes_on(chunk: Chunk, order: WorkOrder, ordinal: int) -> bool:
    """Whether an order is accepted, replied to or closed on a date."""
    luck = draw(chunk.seed, "order", int(chunk.customers.number[order.row]), order.ordinal, order.source).random(7)
    return any(moment.date().toordinal() == ordinal for moment in _times(order, luck))


def _times(order: WorkOrder, luck: Floats) -> tuple[datetime, datetime, datetime]:
    start = datetime.combine(date.fromordinal(order.ordinal), datetime.min.time())
    accepted = start + timedelta(minutes=order.minute, seconds=int(luck[2] * 60))
    hours = {"投诉": (24, 110), "举报": (30, 140), "报修": (2, 8)}.get(order.category, (6, 40))
    replied = accepted + timedelta(seconds=int((0.1 + luck[3] ** 2) * hours[0] * 3600))
    return accepted, replied, replied + timedelta(seconds=int((0.05 + luck[4]) * hours[1] * 3600))
