"""Intervals, registers, bills, payments and master data of one province tell the same story."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import numpy as np
import pytest

from jobs.province.billing import billing_month, month_bills
from jobs.province.calendar_days import season, slot_periods
from jobs.province.dials import Books
from jobs.province.population import HOUSEHOLD, build_chunk

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def readings(clean_quarter):
    return {
        (row["电表编号"], date.fromisoformat(row["数据日期"])): row for row in clean_quarter.rows("register_readings")
    }


@pytest.fixture(scope="module")
def meters(clean_quarter):
    """Meter of a customer -> rows of metering points."""
    found = defaultdict(list)
    for row in clean_quarter.rows("metering_points"):
        if row["计量点类别"] == "客户":
            found[row["电表编号"]].append(row)
    return found


def dial(row):
    return Decimal(row["总示值"])


def moved(before, after):
    """How far a dial turned, past its highest digit where it did."""
    return (dial(after) - dial(before) + 1_000_000) % 1_000_000


def test_the_intervals_of_a_day_add_up_to_the_difference_of_registers(clean_quarter, readings):
    checked, rolled = 0, 0
    for row in clean_quarter.rows("meter_days"):
        day = date.fromisoformat(row["数据日期"])
        before, after = readings[row["电表编号"], day - timedelta(days=1)], readings[row["电表编号"], day]
        total = sum(Decimal(value) for value in list(row.values())[3:])
        assert abs(total - moved(before, after)) <= CENT
        rolled += dial(after) < dial(before)
        checked += 1
    assert checked > 20_000
    assert rolled > 0


def test_the_intervals_of_a_tariff_period_add_up_to_the_difference_of_its_register(clean_quarter, readings):
    checked = 0
    for row in clean_quarter.rows("meter_days")[::7]:
        day = date.fromisoformat(row["数据日期"])
        before, after = readings[row["电表编号"], day - timedelta(days=1)], readings[row["电表编号"], day]
        values = [Decimal(value) for value in list(row.values())[3:]]
        of_slot = slot_periods(season(day))
        for number, name in enumerate(("尖示值", "峰示值", "平示值", "谷示值")):
            in_period = sum(value for value, period in zip(values, of_slot, strict=True) if period == number)
            turned = (Decimal(after[name]) - Decimal(before[name]) + 1_000_000) % 1_000_000
            assert abs(in_period - turned) <= CENT
            checked += in_period > 0
    assert checked > 5_000


def test_period_registers_add_up_to_the_total(readings):
    for row in list(readings.values())[::50]:
        parts = sum(Decimal(row[name]) for name in ("尖示值", "峰示值", "平示值", "谷示值"))
        # each is cut to the hundredth, and each rolls over by itself
        assert (dial(row) - parts + 1_000_000) % 1_000_000 <= Decimal("0.03")


def test_a_reading_is_frozen_at_the_midnight_that_ends_its_date(readings):
    assert all(row["冻结时间"] == f"{row['数据日期']} 24:00:00" for row in readings.values())


def test_truth_is_dial_energy_times_multiplier(clean_quarter, meters):
    delivered = defaultdict(Decimal)
    for row in clean_quarter.rows("meter_days"):
        day = row["数据日期"]
        if row["电表编号"] not in meters:
            continue
        point = next(p for p in meters[row["电表编号"]] if p["安装日期"] <= day < (p["拆除日期"] or "9999"))
        energy = sum(Decimal(value) for value in list(row.values())[3:]) * int(point["综合倍率"])
        delivered[point["户号"], date.fromisoformat(day)] += energy
    truth = clean_quarter.truth()
    assert delivered.keys() == truth.keys()
    for key, row in truth.items():
        assert float(delivered[key]) == pytest.approx(row["kwh"], abs=1e-6)
        parts = sum(row[f"kwh_{period}"] for period in ("sharp", "peak", "flat", "valley"))
        assert parts == pytest.approx(row["kwh"], abs=1e-6)


def test_a_swapped_meter_ends_one_row_of_its_point_and_begins_the_next_at_zero(clean_quarter, readings):
    points = defaultdict(list)
    for row in clean_quarter.rows("metering_points"):
        points[row["计量点编号"]].append(row)
    swaps = 0
    for rows in points.values():
        for old, new in pairwise(rows):
            assert old["拆除日期"] == new["安装日期"]
            if old["电表编号"] == new["电表编号"]:
                assert old["综合倍率"] != new["综合倍率"]
                continue
            swaps += 1
            installed = date.fromisoformat(new["安装日期"])
            assert dial(readings[new["电表编号"], installed - timedelta(days=1)]) == 0
            assert (old["电表编号"], installed) not in readings
        assert rows[-1]["拆除日期"] == ""
    assert swaps > 10


def test_the_lines_of_a_bill_add_up_to_the_fen(clean_quarter):
    lines = defaultdict(list)
    for row in clean_quarter.rows("bill_lines"):
        lines[row["账单编号"], row["版本号"]].append(row)
    bills = clean_quarter.rows("bills")
    assert len(bills) > 600
    for bill in bills:
        own = lines[bill["账单编号"], bill["版本号"]]
        assert sum(Decimal(line["金额(元)"]) for line in own) == Decimal(bill["电费(元)"])
        energy = [line for line in own if line["项目"] == "电度电费"]
        assert sum(Decimal(line["电量(kWh)"]) for line in energy) == Decimal(bill["电量(kWh)"])
        assert [line["行号"] for line in own] == [str(n) for n in range(1, len(own) + 1)]
        for line in energy:
            exact = Decimal(line["电量(kWh)"]) * Decimal(line["单价(元)"])
            assert Decimal(line["金额(元)"]) == exact.quantize(CENT, ROUND_HALF_UP)


def test_a_bill_on_actual_readings_is_the_difference_of_registers(clean_quarter, readings, meters):
    by_customer = defaultdict(list)
    for rows in meters.values():
        for row in rows:
            by_customer[row["户号"]].append(row)
    checked = 0
    for bill in clean_quarter.rows("bills"):
        if bill["抄表方式"] == "估抄":
            continue
        begin = date.fromisoformat(bill["起始日期"]) - timedelta(days=1)
        end = date.fromisoformat(bill["截止日期"])
        total = Decimal(0)
        for point in by_customer[bill["户号"]]:
            since = max(begin, date.fromisoformat(point["安装日期"]) - timedelta(days=1))
            until = min(end, date.fromisoformat(point["拆除日期"] or "9999-12-31") - timedelta(days=1))
            if since < until:
                step = moved(readings[point["电表编号"], since], readings[point["电表编号"], until])
                total += step * int(point["综合倍率"])
        multiplier = max(int(point["综合倍率"]) for point in by_customer[bill["户号"]])
        # bills add the four period registers, each cut to the hundredth of a kWh
        assert abs(total - Decimal(bill["电量(kWh)"])) <= Decimal("0.08") * multiplier
        checked += 1
    assert checked > 600


def test_residential_tiers_follow_the_energy_of_the_year():
    start, first = date(2025, 1, 1), date(2025, 6, 1)
    chunk = build_chunk(11, 0, 60, start.toordinal())
    nothing = np.zeros((len(chunk.points.customer), 4), dtype=np.int64)

    def books(day, kwh):
        return Books(day.toordinal(), nothing, nothing + np.array([0, 0, kwh * 100, 0]), nothing[:0])

    month = replace(billing_month(chunk, first, start.toordinal()), estimated=np.zeros(60, dtype=np.bool_))
    may_end, june_end = books(date(2025, 5, 31), 2000), books(date(2025, 6, 30), 4300)
    bills = month_bills(chunk, month, books(date(2024, 12, 31), 0), may_end, june_end)
    at_one_point = np.bincount(chunk.points.customer) == 1
    home = int(np.flatnonzero((chunk.customers.usage_class == HOUSEHOLD) & at_one_point)[0])
    in_july = bills.versions(date(2025, 7, 1).toordinal(), date(2025, 7, 5).toordinal())
    bill_rows, lines = next(version for version in in_july if version[0][0][0] == bills.bill_id(home))
    # tier, kWh, yuan/kWh, yuan: 160 of the 2160 of the first tier are left, all 2040 of the second, 100 of the third
    assert [line[5:] for line in lines] == [
        (1, "160.00", "0.5380", "86.08"),
        (2, "2040.00", "0.5880", "1199.52"),
        (3, "100.00", "0.8380", "83.80"),
    ]
    assert bill_rows[0][8:10] == ("2300.00", "1369.40")


def test_an_estimated_bill_is_cancelled_and_issued_again(clean_quarter):
    versions = defaultdict(dict)
    for bill in clean_quarter.rows("bills"):
        versions[bill["账单编号"]][bill["版本号"]] = bill
    corrected = [bills for bills in versions.values() if "2" in bills]
    assert corrected
    for bills in corrected:
        first, cancelled, again = bills["1"], bills["2"], bills["3"]
        assert (first["抄表方式"], cancelled["状态"], again["抄表方式"]) == ("估抄", "冲红", "实抄")
        assert cancelled["电费(元)"] == first["电费(元)"]
        assert first["发行时间"] < cancelled["发行时间"] < again["发行时间"]


def test_payments_are_made_on_bills_that_were_issued(clean_quarter):
    issued = {bill["账单编号"]: bill for bill in clean_quarter.rows("bills") if bill["版本号"] == "1"}
    payments = clean_quarter.rows("payments")
    ids = [payment["缴费编号"] for payment in payments]
    assert len(ids) == len(set(ids)) > 500
    late = 0
    for payment in payments:
        bill = issued[payment["账单编号"]]
        assert payment["户号"] == bill["户号"]
        assert payment["缴费时间"] > bill["发行时间"]
        assert Decimal(payment["金额(元)"]) > 0
        late += payment["缴费时间"][:10] > bill["应缴日期"]
    assert 0 < late < len(payments) * 0.2


def test_industry_pays_for_capacity_and_power_factor(clean_quarter):
    parts = {(line["账单编号"], line["项目"]) for line in clean_quarter.rows("bill_lines")}
    industry = {row["户号"] for row in clean_quarter.rows("customers") if row["用电类别"] == "大工业"}
    assert industry
    for bill in clean_quarter.rows("bills"):
        if bill["户号"] in industry:
            assert {(bill["账单编号"], "基本电费"), (bill["账单编号"], "力调电费")} <= parts


def test_bills_and_payments_of_a_day_are_those_of_the_whole(new_province):
    whole, daily = new_province(150), new_province(150)
    whole.load("2025-04-20", "2025-06-25", {})
    daily.load("2025-04-20", "2025-05-31", {})
    for step in range(1, 26):
        daily.day(f"2025-06-{step:02d}", {})
    for feed in ("bills", "bill_lines", "payments", "metering_points", "customers"):
        keys = {tuple(row.values()) for row in whole.rows(feed)}
        assert keys == {tuple(row.values()) for row in daily.rows(feed)}, feed
