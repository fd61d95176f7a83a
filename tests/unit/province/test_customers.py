import re
from collections import Counter, defaultdict
from datetime import date

import numpy as np
import pytest

from jobs.province.calendar_days import PERIODS, holiday_name, profile_day, season, slot_periods
from jobs.province.population import HOUSEHOLD, MAIN, build_chunk
from jobs.province.weather import day_weather

START = date(2025, 3, 1).toordinal()


def test_a_full_chunk_has_the_mix_of_the_province():
    chunk = build_chunk(11, 0, 5000, START)
    shares = Counter(chunk.customers.usage_class.tolist())
    assert [shares[usage] for usage in range(4)] == [10, 90, 20, 880]
    assert len({tuple(row) for row in chunk.points.profile.tolist()}) > 40


def test_numbers_and_phones_look_like_real_ones_and_are_no_ones(clean_quarter):
    customers = clean_quarter.rows("customers")
    assert all(re.fullmatch(r"\d{10}", row["户号"]) for row in customers)
    assert all(re.fullmatch(r"1[3-9]\d{9}", row["联系电话"]) for row in customers)
    assert len({row["户号"] for row in customers}) == len({row["用电地址"] for row in customers})
    assert {row["用电类别"] for row in customers} == {"大工业", "一般工商业", "农业", "居民"}


def test_districts_have_tens_of_customers_and_hang_in_one_hierarchy():
    chunks = [build_chunk(11, index, 3000, START) for index in range(3)]
    sizes = Counter(np.concatenate([chunk.customers.district for chunk in chunks]).tolist())
    assert 40 < np.median(list(sizes.values())) < 110
    for chunk in chunks:
        for district in np.unique(chunk.customers.district):
            assert len(np.unique(chunk.customers.prefecture[chunk.customers.district == district])) == 1


def test_only_meters_behind_transformers_have_a_multiplier():
    chunk = build_chunk(11, 0, 1000, START)
    at_home = (chunk.customers.usage_class[chunk.points.customer] == HOUSEHOLD) & (chunk.points.kind == MAIN)
    assert set(chunk.points.multiplier[at_home].tolist()) == {1}
    assert (chunk.points.multiplier > 1).sum() > 10
    # a meter behind transformers sees no more than 5 A: its quarter hour stays below 0.9 kWh on average
    behind = chunk.points.multiplier > 1
    assert (chunk.points.mean_kw / chunk.points.multiplier * 0.25)[behind].max() < 0.9


def test_a_holiday_is_like_a_sunday_and_a_worked_sunday_is_not():
    assert holiday_name(date(2025, 10, 1)) == "国庆节"
    assert holiday_name(date(2025, 6, 29)) is None
    first_of_2016_is_friday = 4
    weekday = {day: (profile_day(day, 0) + first_of_2016_is_friday) % 7 for day in (
        date(2025, 10, 1), date(2025, 9, 28), date(2025, 6, 28), date(2025, 6, 27),
    )}  # fmt: skip
    assert list(weekday.values()) == [6, 2, 5, 4]


def test_a_profile_day_is_of_the_same_season():
    for month in range(1, 13):
        day = date(2024, month, 29)
        apart = abs(profile_day(day, 0) - (day.timetuple().tm_yday - 1))
        assert min(apart, 366 - apart) <= 11


@pytest.mark.parametrize(
    ("day", "clock", "period"),
    [
        (date(2025, 7, 15), 19, "sharp"),
        (date(2025, 6, 15), 19, "peak"),
        (date(2025, 1, 15), 18, "sharp"),
        (date(2025, 6, 15), 3, "valley"),
        (date(2025, 6, 15), 13, "flat"),
    ],
)
def test_periods_of_the_day_follow_the_season(day, clock, period):
    assert PERIODS[slot_periods(season(day))[clock * 4]] == period


def test_summer_is_hot_winter_cold_and_noon_warmer_than_night():
    july = np.mean([day_weather(11, 0, date(2025, 7, day))["temperature_c"] for day in range(1, 31)], axis=0)
    january = np.mean([day_weather(11, 0, date(2025, 1, day))["temperature_c"] for day in range(1, 31)], axis=0)
    assert july.mean() > 25
    assert january.mean() < 8
    assert july[14] > july[4] + 4


def test_households_use_more_on_hot_days(new_province):
    province = new_province(150)
    province.load("2025-05-20", "2025-08-10", {})
    homes = {row["户号"] for row in province.rows("customers") if row["用电类别"] == "居民"}
    use, heat = defaultdict(float), defaultdict(list)
    for (customer, day), row in province.truth().items():
        if customer in homes:
            use[day.isoformat()] += row["kwh"]
    for row in province.rows("weather_hours"):
        heat[row["时间"][:10]].append(float(row["气温(℃)"]))
    days = sorted(use)
    assert np.corrcoef([use[day] for day in days], [np.mean(heat[day]) for day in days])[0, 1] > 0.6


def test_work_orders_follow_events_and_hold_personal_data(new_province):
    province = new_province(1000)
    province.load("2025-05-28", "2025-06-22", {"wrong_multiplier": 1.0})
    orders = province.rows("complaints")
    assert len({order["工单编号"] for order in orders}) == len(orders) > 20
    estimated = {bill["户号"] for bill in province.rows("bills") if bill["抄表方式"] == "估抄"}
    about_bills = [order for order in orders if order["原因"] == "电费异常"]
    assert about_bills
    assert {order["户号"] for order in about_bills} <= estimated
    names = {row["户号"]: (row["户名"], row["联系电话"], row["用电地址"]) for row in province.rows("customers")}
    assert any(order["来电电话"] in order["受理内容"] for order in orders)
    assert any(names[order["户号"]][2] in order["受理内容"] for order in orders)
    for order in orders:
        times = [order[name] for name in ("受理时间", "回复时间", "办结时间") if order[name]]
        assert times == sorted(times)
        assert bool(order["满意度"]) <= bool(order["办结时间"])


def test_a_work_order_comes_again_when_it_is_replied_to_or_closed(new_province):
    province = new_province(1000)
    province.load("2025-06-18", "2025-06-20", {})
    states = defaultdict(list)
    for day in range(21, 29):
        province.day(f"2025-06-{day}", {})
        for order in province.rows("complaints", f"2025-06-{day}"):
            states[order["工单编号"]].append(order)
    changed = [rows for rows in states.values() if len(rows) > 1]
    assert changed
    for rows in changed:
        assert len({row["受理内容"] for row in rows}) == 1
        assert rows[-1]["办结时间"] >= rows[0]["办结时间"]
        assert [row["办结时间"] for row in rows[:-1]] == [""] * (len(rows) - 1)
