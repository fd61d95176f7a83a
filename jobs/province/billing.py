"""Bills of a month, their lines and payments: in whole fen, from readings as they were taken or estimated."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from jobs.province.calendar_days import PERIODS
from jobs.province.dials import Books
from jobs.province.draws import Bools, Floats, Ints, draw
from jobs.province.population import CHUNK, COMMERCE, FARM, HOUSEHOLD, INDUSTRY, Chunk
from jobs.province.tariffs import (
    CAPACITY_FEN,
    FARM_PRICE,
    PERIOD_PRICES,
    PERIOD_WORDS,
    TIER_FROM_KWH,
    TIER_PRICES,
)

BILL_HEADER = (
    "账单编号", "户号", "电费年月", "版本号", "状态", "起始日期", "截止日期", "抄表方式", "电量(kWh)", "电费(元)",
    "应缴日期", "发行时间",
)  # fmt: skip
LINE_HEADER = ("账单编号", "版本号", "行号", "项目", "时段", "阶梯", "电量(kWh)", "单价(元)", "金额(元)")
PAYMENT_HEADER = ("缴费编号", "账单编号", "户号", "缴费时间", "金额(元)", "缴费渠道")
Row = tuple[object, ...]
_ESTIMATED_SHARE = 0.02
_DAYS_TO_PAY = 20
_LONGEST_WAIT = 75
_CHANNELS = ("网上国网", "微信", "银行代扣", "支付宝", "营业厅", "其他")
_CHANNEL_SHARES = np.cumsum([0.34, 0.24, 0.2, 0.14, 0.06])


@dataclass(frozen=True)
class Line:
    """One kind of line on the bills of a chunk; arrays over customers. kWh in hundredths, amounts in fen."""

    component: str
    period: str
    tier: int | None
    kwh: Ints | None
    price: str | None
    fen: Ints
    on: Bools


@dataclass(frozen=True)
class Month:
    """A billing month of a chunk: who is billed when, which readings are estimated, and when that is put right."""

    first: date
    last: date
    billed: Bools
    issued: Ints  # ordinal date
    issue_minute: Ints
    estimated: Bools
    factor: Floats  # estimate / truth
    corrected: Ints  # ordinal date of cancellation and reissue, 0 = never

    @property
    def text(self) -> str:
        """YYYY-MM."""
        return self.first.isoformat()[:7]


def billing_month(chunk: Chunk, first: date, start: int) -> Month:
    """The month which begins on `first`, for customers supplied in it."""
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    size = len(chunk.customers.number)
    luck = draw(chunk.seed, "bill", chunk.index, first.toordinal())
    minute, estimate, spread, repair, when = (luck.random(CHUNK)[:size] for _ in range(5))
    billed = chunk.customers.supply_start <= last.toordinal()
    # the first month after moving in is read at the meter
    estimated = billed & (estimate < _ESTIMATED_SHARE)
    estimated &= chunk.customers.supply_start < max(first.toordinal(), start)
    issued = last.toordinal() + 1 + chunk.customers.number % 5
    return Month(
        first=max(first, date.fromordinal(start)),
        last=last,
        billed=billed,
        issued=issued,
        issue_minute=(8 * 60 + minute * 600).astype(np.int64),
        estimated=estimated,
        # estimators err on the safe side
        factor=np.exp(0.12 + 0.3 * (spread * 2 - 1)) * np.where(spread > 0.85, 1.5, 1.0),
        corrected=np.where(estimated & (repair < 0.9), issued + 9 + (when * 15).astype(np.int64), 0),
    )


@dataclass(frozen=True)
class MonthBills:
    """The bills of a month with their amounts: as issued first, and as they should have been."""

    chunk: Chunk
    month: Month
    lines: list[Line]
    true_lines: list[Line]
    kwh: Ints
    true_kwh: Ints

    @property
    def fen(self) -> Ints:
        """Totals of the first versions."""
        return _total(self.lines)

    @property
    def true_fen(self) -> Ints:
        """Totals on true readings."""
        return _total(self.true_lines)

    def bill_id(self, row: int) -> str:
        """Number of a customer's bill."""
        return f"ZD{self.month.text.replace('-', '')}{int(self.chunk.customers.number[row]):08d}"

    def versions(self, first: int, last: int) -> Iterator[tuple[list[Row], list[Row]]]:
        """(rows of bills, rows of bill lines) for each customer who gets a version issued on a date of the span."""
        month = self.month
        new = month.billed & (month.issued >= first) & (month.issued <= last)
        put_right = (month.corrected >= first) & (month.corrected <= last)
        for row in np.flatnonzero(new | put_right).tolist():
            bills: list[Row] = []
            lines: list[Row] = []
            if new[row]:
                bills.append(self._bill(row, 1))
                lines += self._lines(row, 1)
            if put_right[row]:
                bills += [self._bill(row, 2), self._bill(row, 3)]
                lines += [*self._lines(row, 2), *self._lines(row, 3)]
            yield bills, lines

    def _bill(self, row: int, version: int) -> Row:
        """The cancellation (version 2) repeats what it cancels; version 3 is issued an hour later."""
        month, customers = self.month, self.chunk.customers
        is_true = version == 3 or not month.estimated[row]
        issued = int(month.issued[row] if version == 1 else month.corrected[row])
        minute = int(month.issue_minute[row]) + (60 if version == 3 else 0)
        begin = max(month.first, date.fromordinal(int(customers.supply_start[row])))
        return (
            self.bill_id(row),
            int(customers.customer_no[row]),
            month.text,
            version,
            "冲红" if version == 2 else "正常",
            begin.isoformat(),
            month.last.isoformat(),
            "实抄" if is_true else "估抄",
            _hundredths(int((self.true_kwh if is_true else self.kwh)[row])),
            _hundredths(int((self.true_fen if is_true else self.fen)[row])),
            date.fromordinal(issued + _DAYS_TO_PAY).isoformat(),
            f"{date.fromordinal(issued).isoformat()} {minute // 60:02d}:{minute % 60:02d}:00",
        )

    def _lines(self, row: int, version: int) -> list[Row]:
        is_true = version == 3 or not self.month.estimated[row]
        present = [line for line in (self.true_lines if is_true else self.lines) if line.on[row]]
        return [
            (
                self.bill_id(row),
                version,
                number,
                line.component,
                PERIOD_WORDS[line.period],
                line.tier,
                None if line.kwh is None else _hundredths(int(line.kwh[row])),
                line.price,
                _hundredths(int(line.fen[row])),
            )
            for number, line in enumerate(present, start=1)
        ]

    def payments(self, first: int, last: int) -> list[Row]:
        """Rows of payments made on a date of the span."""
        month, chunk = self.month, self.chunk
        size = len(chunk.customers.number)
        luck = draw(chunk.seed, "payment", chunk.index, month.first.toordinal())
        mood, wait, rest, channel, minute = (luck.random(CHUNK)[:size] for _ in range(5))
        # whether a bill is paid in time is the customer's way more than the month's
        way = 0.8 * chunk.customers.payer + 0.2 * mood
        part = (way > 0.955) & (way <= 0.97)
        days = np.select(
            [way < 0.55, way < 0.9, way < 0.955, part],
            [1 + wait * 9, 8 + wait * 12, _DAYS_TO_PAY + 1 + wait * 34, 10 + wait * 8],
            0,
        ).astype(np.int64)
        paid = np.where(days > 0, month.issued + days, 0)
        holds_true = ~month.estimated | ((month.corrected > 0) & (paid >= month.corrected))
        owed = np.where(holds_true, self.true_fen, self.fen)
        amount = np.where(part, owed * 6 // 10, owed)
        late_rest = part & (rest < 0.5)
        more = ~holds_true & (month.corrected > 0) & (self.true_fen > self.fen) & (paid > 0) & ~part
        again = np.where(late_rest, paid + 15 + (rest * 60).astype(np.int64), np.where(more, month.corrected + 6, 0))
        again_amount = np.where(late_rest, owed - amount, self.true_fen - self.fen)
        by = np.searchsorted(_CHANNEL_SHARES, channel)
        rows: list[Row] = []
        for number, dates, fen in ((1, paid, amount), (2, again, again_amount)):
            hit = month.billed & (dates >= first) & (dates <= last) & (dates > 0) & (fen > 0)
            for row in np.flatnonzero(hit).tolist():
                clock = 7 * 60 + int(minute[row] * 900)
                rows.append(
                    (
                        f"JF{self.bill_id(row)[2:]}{number}",
                        self.bill_id(row),
                        int(chunk.customers.customer_no[row]),
                        f"{date.fromordinal(int(dates[row])).isoformat()} {clock // 60:02d}:{clock % 60:02d}:00",
                        _hundredths(int(fen[row])),
                        _CHANNELS[int(by[row])],
                    )
                )
        return rows


def month_bills(chunk: Chunk, month: Month, year_begin: Books, begin: Books, end: Books) -> MonthBills:
    """Bills from the books at the midnights before the year, before the month, and at its end."""
    true = _by_customer(chunk, end.billed - begin.billed)
    before = _by_customer(chunk, begin.billed - year_begin.billed).sum(axis=1)
    factor = np.where(month.estimated, month.factor, 1.0)
    stated = np.where(month.estimated[:, None], np.rint(true * factor[:, None]).astype(np.int64), true)
    return MonthBills(
        chunk=chunk,
        month=month,
        lines=_price(chunk, stated, before),
        true_lines=_price(chunk, true, before),
        kwh=stated.sum(axis=1),
        true_kwh=true.sum(axis=1),
    )


def months_paid_in(ordinal: int) -> Iterator[date]:
    """First dates of the months whose bills can see an event (issue, correction, payment) on a date, oldest first."""
    first = date.fromordinal(ordinal - _LONGEST_WAIT - 5 - 31).replace(day=1)
    while first.toordinal() < ordinal:
        following = (first + timedelta(days=32)).replace(day=1)
        if following.toordinal() <= ordinal:
            yield first
        first = following


def _by_customer(chunk: Chunk, by_point: Ints) -> Ints:
    total = np.zeros((len(chunk.customers.number), 4), dtype=np.int64)
    np.add.at(total, chunk.points.customer, by_point)
    return total


def _price(chunk: Chunk, kwh: Ints, before: Ints) -> list[Line]:
    """Lines of all tariffs. kWh (customers, 4) in hundredths by period; `before` is the year's use up to the month."""
    usage = chunk.customers.usage_class
    total = kwh.sum(axis=1)
    lines: list[Line] = []
    home = usage == HOUSEHOLD
    edges = (*(edge * 100 for edge in TIER_FROM_KWH), np.iinfo(np.int64).max)
    for tier, price in enumerate(TIER_PRICES, start=1):
        low, high = edges[tier - 1], edges[tier]
        part = np.clip(before + total, low, high) - np.clip(before, low, high)
        # a bill without use still has a line
        on = home & ((part > 0) | ((tier == 1) & (total == 0)))
        lines.append(Line("电度电费", "all", tier, part, _price_text(price), _fen(part, price), on))
    lines.append(Line("电度电费", "all", None, total, _price_text(FARM_PRICE), _fen(total, FARM_PRICE), usage == FARM))
    for trade, prices in PERIOD_PRICES.items():
        for column, period in enumerate(PERIODS):
            part, price = kwh[:, column], prices[period]
            on = (usage == trade) & ((part > 0) | ((period == "flat") & (total == 0)))
            lines.append(Line("电度电费", period, None, part, _price_text(price), _fen(part, price), on))
    basic = chunk.customers.capacity_kva * CAPACITY_FEN
    lines.append(Line("基本电费", "all", None, None, f"{CAPACITY_FEN / 100:.2f}", basic, usage == INDUSTRY))
    adjusted = ((usage == INDUSTRY) | (usage == COMMERCE)) & (chunk.customers.capacity_kva >= 100)
    base = _total([line for line in lines if line.component != "力调电费"])
    lines.append(Line("力调电费", "all", None, None, None, _adjustment(base, chunk.customers.power_factor), adjusted))
    return lines


def _adjustment(base: Ints, power_factor: Floats) -> Ints:
    """Surcharge or rebate in fen: half a percent for each hundredth below 0.90, a rebate above it up to 0.75 %."""
    per_mille = np.where(power_factor < 0.9, np.ceil((0.9 - power_factor) * 100) * 5, 0)
    rebate = np.minimum(np.floor((power_factor - 0.9) * 100) * 1.5, 7.5)
    # ten-thousandths are whole numbers again
    share = np.rint(np.where(power_factor < 0.9, per_mille, -rebate) * 10).astype(np.int64)
    return np.asarray(np.where(share < 0, -((base * -share + 5_000) // 10_000), (base * share + 5_000) // 10_000))


def _fen(hundredths: Ints, price: int) -> Ints:
    """Hundredths of a kWh at 1e-4 yuan give 1e-6 yuan: rounded half up to the fen."""
    return np.asarray((hundredths * price + 5_000) // 10_000, dtype=np.int64)


def _total(lines: list[Line]) -> Ints:
    return np.asarray(sum(np.where(line.on, line.fen, 0) for line in lines), dtype=np.int64)


def _price_text(price: int) -> str:
    return f"{price / 10_000:.4f}"


def _hundredths(value: int) -> str:
    sign, value = ("-" if value < 0 else ""), abs(value)
    return f"{sign}{value // 100}.{value % 100:02d}"
