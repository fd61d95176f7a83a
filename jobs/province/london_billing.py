"""Bills and payments on top of London's real readings: generated, by the trial's real prices.

A bill charges the half hours which were read; nothing is estimated for one that was not. There is no standing charge
and no tax, because none is published.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import numpy.typing as npt

from jobs.province.draws import Bools, Ints, draw
from jobs.province.london_reference import LEVEL_PERIODS, LEVEL_PRICES, STANDARD_PRICE
from jobs.province.london_source import DAYS, FIRST, LEVELS, SLOTS, Household, Readings, known, year_days

Row = tuple[object, ...]
ISSUE_DAY = 3
DAYS_TO_PAY = 21
_MICRO = 1_000_000
_KWH, _GBP = Decimal("0.001"), Decimal("0.01")
_MONTH_OF: Ints = np.array([day.month - 1 for day in year_days()], dtype=np.int64)
_CHANNELS = ("银行代扣", "网上国网", "营业厅", "其他")
_CHANNEL_SHARES = np.cumsum([0.62, 0.25, 0.05])


@dataclass(frozen=True)
class Line:
    """One line of a bill."""

    period: str
    kwh: Decimal
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """GBP, rounded half up to the penny."""
        return (self.kwh * self.price).quantize(_GBP, ROUND_HALF_UP)


@dataclass(frozen=True)
class Bill:
    """A household's bill of a month."""

    home: Household
    month: int
    first: date
    last: date
    lines: tuple[Line, ...]

    @property
    def bill_id(self) -> str:
        """Number of the bill."""
        return f"LB{FIRST.year}{self.month:02d}{self.home.number + 1:05d}"

    @property
    def issued(self) -> date:
        """Early in the month after."""
        return (date(FIRST.year, self.month, 1) + timedelta(days=32)).replace(day=ISSUE_DAY)

    @property
    def due(self) -> date:
        """Payable until."""
        return self.issued + timedelta(days=DAYS_TO_PAY)

    @property
    def kwh(self) -> Decimal:
        """Energy of all lines."""
        return sum((line.kwh for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """GBP of all lines."""
        return sum((line.amount for line in self.lines), Decimal(0))

    def row(self) -> Row:
        """Row of the feed."""
        return (
            self.bill_id, self.home.household_id, f"{FIRST.year}-{self.month:02d}", 1, "正常", self.first.isoformat(),
            self.last.isoformat(), "实抄", self.kwh, self.total, self.due.isoformat(),
            f"{self.issued.isoformat()} 06:00:00",
        )  # fmt: skip

    def line_rows(self) -> Iterator[Row]:
        """Rows of the feed of lines."""
        for number, line in enumerate(self.lines, start=1):
            yield (self.bill_id, 1, number, "电度电费", line.period, None, line.kwh, line.price, line.amount)


class MeterBook:
    """What was read, added up by household, month and price level while block files go by. Small: no readings kept."""

    def __init__(self, homes: dict[str, Household], levels: npt.NDArray[np.int8]) -> None:
        """Empty."""
        self._homes, self._levels = homes, levels
        # millionths of a kWh are whole numbers: the order of the files does not matter
        self._energy = np.zeros((len(homes), 12, len(LEVELS)), dtype=np.int64)
        # half hours read on each date; -1 = the household has no row for it
        self.read = np.full((len(homes), DAYS), -1, dtype=np.int8)

    def add(self, readings: Readings) -> int:
        """Take up a block's rows; returns how many were new. A household-day that was met before is left out."""
        homes = np.array([self._homes[name].number for name in readings.ids], dtype=np.int64)
        keys = np.where(readings.days < 0, -1, homes * DAYS + readings.days)
        _, first = np.unique(keys, return_index=True)
        is_first = np.isin(np.arange(len(homes)), first)
        fresh = is_first & (readings.days >= 0) & (self.read[homes, readings.days] < 0)
        homes, days, kwh = homes[fresh], readings.days[fresh], readings.kwh[fresh]
        micro = np.rint(np.nan_to_num(kwh) * _MICRO).astype(np.int64)
        for level in range(len(LEVELS)):
            energy = np.where(self._levels[days] == level, micro, 0).sum(axis=1)
            np.add.at(self._energy[:, :, level], (homes, _MONTH_OF[days]), energy)
        self.read[homes, days] = known(kwh).sum(axis=1)
        return int(fresh.sum())

    @property
    def present(self) -> list[Household]:
        """Households with at least one row."""
        seen: Bools = np.any(self.read >= 0, axis=1)
        return [home for home in self._homes.values() if seen[home.number]]

    def bills(self, until: date) -> Iterator[Bill]:
        """Bills issued up to a date, household by household, months in order; none for a month without a reading."""
        for home in self.present:
            days = np.flatnonzero(self.read[home.number] > 0)
            for month in range(12):
                billed = days[_MONTH_OF[days] == month]
                if not billed.size:
                    continue
                first, last = (FIRST + timedelta(days=int(day)) for day in (billed[0], billed[-1]))
                bill = Bill(home, month + 1, first, last, tuple(self._lines(home, month)))
                if bill.issued <= until:
                    yield bill

    def _lines(self, home: Household, month: int) -> Iterator[Line]:
        energy = self._energy[home.number, month]
        if not home.has_dynamic_price:
            yield Line("全", _kwh(int(energy.sum())), Decimal(STANDARD_PRICE))
            return
        for level, code in LEVELS.items():
            # a bill without use still has a line
            if energy[code] or (level == "Normal" and not energy.any()):
                yield Line(LEVEL_PERIODS[level], _kwh(int(energy[code])), Decimal(LEVEL_PRICES[level]))


def _kwh(micro: int) -> Decimal:
    return (Decimal(micro) / _MICRO).quantize(_KWH, ROUND_HALF_UP)


def slots_missing(read: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Half hours not read on dates with a row; 0 where there is no row."""
    return np.where(read >= 0, SLOTS - read.astype(np.int64), 0)


def payment_rows(bill: Bill, seed: int, until: date) -> Iterator[Row]:
    """The payment of a bill if made up to a date; whether in time is the household's way more than the month's."""
    way = draw(seed, "london_payer", bill.home.number).random()
    mood, wait, clock, by = draw(seed, "london_payment", bill.home.number, bill.month).random(4)
    mood = 0.8 * way + 0.2 * mood
    # in time, late, or not at all
    days = 2 + wait * 17 if mood < 0.84 else DAYS_TO_PAY + 3 + wait * 40 if mood < 0.93 else None
    if days is None or bill.total <= 0:
        return
    paid = bill.issued + timedelta(days=int(days))
    if paid <= until:
        minute = 7 * 60 + int(clock * 900)
        channel = _CHANNELS[int(np.searchsorted(_CHANNEL_SHARES, by))]
        at = f"{paid.isoformat()} {minute // 60:02d}:{minute % 60:02d}:00"
        yield (f"LY{bill.bill_id[2:]}", bill.bill_id, bill.home.household_id, at, bill.total, channel)
