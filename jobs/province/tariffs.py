"""Tariffs of the province: illustrative, built as such tariffs are, and no company's price list."""

from datetime import date

from jobs.province.calendar_days import PERIOD_HOURS, SEASON_MONTHS
from jobs.province.population import COMMERCE, FARM, HOUSEHOLD, INDUSTRY, TARIFF_CODES, USAGE_CLASSES

HEADER = (
    "电价代码", "生效日期", "失效日期", "行号", "用电类别", "计费方式", "月份", "时段", "时间", "阶梯起",
    "单价(元/kWh)", "容量单价(元/kVA·月)",
)  # fmt: skip
PERIOD_WORDS = {"sharp": "尖", "peak": "峰", "flat": "平", "valley": "谷", "all": "全"}
# prices in 1e-4 yuan per kWh
TIER_FROM_KWH = (0, 2160, 4200)
TIER_PRICES = (5380, 5880, 8380)
FARM_PRICE = 4980
PERIOD_PRICES = {
    COMMERCE: {"sharp": 13210, "peak": 11020, "flat": 6890, "valley": 3120},
    INDUSTRY: {"sharp": 11640, "peak": 9710, "flat": 6120, "valley": 2790},
}
# fen per kVA and month
CAPACITY_FEN = 2300


def tariff_rows(start: date) -> list[tuple[object, ...]]:
    """Rows of the feed: all four tariffs, valid since the year before the province's first."""
    since = date(start.year - 1, 1, 1).isoformat()
    rows: list[tuple[object, ...]] = []

    def add(usage: int, line: int, kind: str, *rest: object) -> None:
        rows.append((TARIFF_CODES[usage], since, None, line, USAGE_CLASSES[usage], kind, *rest))

    for line, (kwh, price) in enumerate(zip(TIER_FROM_KWH, TIER_PRICES, strict=True), start=1):
        add(HOUSEHOLD, line, "阶梯", None, "全", None, kwh or None, _yuan(price), None)
    add(FARM, 1, "单一", None, "全", None, None, _yuan(FARM_PRICE), None)
    for usage, prices in PERIOD_PRICES.items():
        capacity = f"{CAPACITY_FEN / 100:.2f}" if usage == INDUSTRY else None
        line = 0
        for season, hours in PERIOD_HOURS.items():
            months = ",".join(map(str, sorted(SEASON_MONTHS[season])))
            for period, clock in hours.items():
                line += 1
                add(usage, line, "分时", months, PERIOD_WORDS[period], clock, None, _yuan(prices[period]), capacity)
    return rows


def _yuan(price: int) -> str:
    return f"{price / 10_000:.4f}"
