"""Work orders of London's households: generated; most follow something that did happen in the real readings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

from jobs.province.draws import draw
from jobs.province.london_billing import Bill, slots_missing
from jobs.province.london_source import DAYS, FIRST, Household

Row = tuple[object, ...]
# a bill is high when it is so many times the mean of the ones before it, and dearer by so many GBP
_HIGH, _DEARER = 1.5, 10.0
_BILLS_BEFORE = 3
_GAP_SLOTS = 4
_CHANNELS = ("95598", "网上国网", "微信", "营业厅")
_CHANNEL_SHARES = np.cumsum([0.6, 0.25, 0.1])
# category, cause, share of households a day, text; what happens without any event in the readings
_EVERYDAY = (
    ("咨询", "业务办理", 0.00016, "Customer asks how to move the contract to a new flat."),
    ("咨询", "电价政策", 0.00010, "Customer asks which tariff suits the household."),
    ("建议", "服务渠道", 0.00004, "Customer suggests daily use in the app."),
    ("表扬", "服务态度", 0.00004, "Customer thanks for the quick answer."),
)


@dataclass(frozen=True)
class WorkOrder:
    """One contact. `source` numbers what it is about, so that two on one date stay apart."""

    home: Household
    day: date
    source: int
    category: str
    cause: str
    text: str


def work_orders(
    bills: Sequence[Bill], home: Household, read: npt.NDArray[np.int8], seed: int, until: date
) -> Iterator[WorkOrder]:
    """Contacts of a household up to a date, from its bills in order and the half hours read on each date (365,)."""
    found = [*_about_bills(bills, seed), *_about_gaps(home, read, seed), *_everyday(home, seed)]
    yield from (order for order in sorted(found, key=lambda o: (o.day, o.source)) if order.day <= until)


def _about_bills(bills: Sequence[Bill], seed: int) -> Iterator[WorkOrder]:
    """High bills, and bills with use while the dynamic price was high."""
    for place, bill in enumerate(bills):
        mood, wait, kind = draw(seed, "london_bill_calls", bill.home.number, bill.month).random(3)
        day = bill.issued + timedelta(days=1 + int(wait * 9))
        earlier = [float(other.total) for other in bills[max(place - _BILLS_BEFORE, 0) : place]]
        usual = sum(earlier) / len(earlier) if earlier else float("inf")
        if float(bill.total) > max(_HIGH * usual, usual + _DEARER) and mood < 0.3:
            category = "投诉" if kind < 0.4 else "咨询"
            text = (
                f"Bill {bill.bill_id} of {bill.total} GBP is much higher than the {usual:.2f} GBP before: customer "
                "asks for the readings to be checked."
            )
            yield WorkOrder(bill.home, day, 1, category, "电费异常", text)
        dear = sum(float(line.amount) for line in bill.lines if line.period == "峰")
        if dear > 0.25 * float(bill.total) and mood > 0.97:
            text = (
                f"{dear:.2f} GBP of bill {bill.bill_id} are for hours of the high price: customer asks when they are."
            )
            yield WorkOrder(bill.home, day, 2, "咨询", "电价政策", text)


def _about_gaps(home: Household, read: npt.NDArray[np.int8], seed: int) -> Iterator[WorkOrder]:
    """The display at home shows nothing on a date of which two hours or more were not read."""
    missing = slots_missing(read)
    for day in np.flatnonzero(missing >= _GAP_SLOTS).tolist():
        if draw(seed, "london_gap_calls", home.number, day).random() < 0.15:
            text = (
                f"In-home display shows no reading for {int(missing[day]) / 2:g} hours: meter or radio link suspected."
            )
            yield WorkOrder(home, FIRST + timedelta(days=day), 3, "报修", "电表无读数", text)


def _everyday(home: Household, seed: int) -> Iterator[WorkOrder]:
    luck = draw(seed, "london_calls", home.number).random(DAYS)
    low = 0.0
    for source, (category, cause, share, text) in enumerate(_EVERYDAY, start=4):
        for day in np.flatnonzero((luck >= low) & (luck < low + share)).tolist():
            yield WorkOrder(home, FIRST + timedelta(days=day), source, category, cause, text)
        low += share


def order_row(order: WorkOrder, seed: int, until: date) -> Row:
    """Row of the feed as it stands at the end of a date: not yet replied to or closed, it has no such times."""
    ordinal = order.day.toordinal()
    clock, reply, close, by, score, is_scored = draw(
        seed, "london_order", order.home.number, ordinal, order.source
    ).random(6)
    reply_hours, close_hours = {"投诉": (24, 110), "报修": (3, 30)}.get(order.category, (6, 40))
    start = datetime.combine(order.day, time(), UTC)
    accepted = start + timedelta(minutes=8 * 60 + int(clock * 720))
    replied = accepted + timedelta(minutes=int((0.1 + reply**2) * reply_hours * 60))
    closed = replied + timedelta(minutes=int((0.05 + close) * close_hours * 60))
    end = datetime.combine(until + timedelta(days=1), time(), UTC)
    # the longer it takes, the less content
    slow = (closed - accepted) / timedelta(days=6)
    satisfaction = int(np.clip(np.rint(5.3 - 2.5 * slow - 2.2 * score), 1, 5))
    return (
        f"LO{order.day:%Y%m%d}{order.home.number + 1:05d}{order.source:02d}",
        order.home.household_id,
        None,
        None,
        order.category,
        order.cause,
        _CHANNELS[int(np.searchsorted(_CHANNEL_SHARES, by))],
        _stamp(accepted),
        _stamp(replied) if replied < end else None,
        _stamp(closed) if closed < end else None,
        satisfaction if closed < end and is_scored < 0.7 else None,
        order.text,
    )


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
