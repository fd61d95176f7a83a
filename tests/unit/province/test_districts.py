"""The meters of transformer districts see what their customers draw, and what is lost on the way."""

from collections import defaultdict

import numpy as np
import pytest

from jobs.province.districts import build_districts, supply


@pytest.fixture(scope="module")
def thieves(new_module_province):
    """Two months in which some customers begin to steal, and the same without."""
    honest, dishonest = new_module_province(1000), new_module_province(1000)
    honest.load("2025-05-20", "2025-06-30", {})
    dishonest.load("2025-05-20", "2025-06-30", {"theft": 0.02})
    return honest, dishonest


def points(province, kind):
    return [row for row in province.rows("metering_points") if row["计量点类别"] == kind]


def by_district(province, name):
    found = defaultdict(dict)
    for row in province.district_days():
        found[row["district_id"]][row["usage_date"]] = row[name]
    return found


def test_every_public_district_has_one_meter_of_its_own_and_no_customer(clean_quarter):
    meters, of_customers = points(clean_quarter, "台区总表"), points(clean_quarter, "客户")
    public = {row["台区编号"] for row in of_customers if row["台区编号"].startswith("TQ")}
    assert sorted(row["台区编号"] for row in meters) == sorted(public)
    assert {row["户号"] for row in meters} == {""}
    assert all(int(row["综合倍率"]) > 1 for row in meters)
    assert all(row["户号"] for row in of_customers)
    places = {row["台区编号"]: (row["线路编号"], row["县"], row["地市"]) for row in of_customers}
    assert all(places[row["台区编号"]] == (row["线路编号"], row["县"], row["地市"]) for row in meters)
    numbers = [row["电表编号"] for row in (*meters, *of_customers)]
    assert not {row["电表编号"] for row in meters} & {row["电表编号"] for row in of_customers}
    assert all(len(number) == 12 for number in numbers)


def test_a_district_s_curve_and_registers_are_what_it_supplied(clean_quarter):
    """That curve and registers agree is tested with those of all meters."""
    meters = {row["电表编号"]: row for row in points(clean_quarter, "台区总表")}
    supplied = by_district(clean_quarter, "supplied_kwh")
    checked = 0
    for row in clean_quarter.rows("meter_days"):
        if meter := meters.get(row["电表编号"]):
            kwh = sum(float(value) for value in list(row.values())[3:]) * int(meter["综合倍率"])
            (day,) = [day for day in supplied[meter["台区编号"]] if day.isoformat() == row["数据日期"]]
            assert kwh == pytest.approx(supplied[meter["台区编号"]][day], abs=1e-6)
            checked += 1
    assert checked == sum(len(days) for days in supplied.values()) == 100 * len(meters)


def test_supplied_is_what_customers_drew_less_what_they_fed_in_and_what_was_lost(clean_quarter):
    district_of = {
        row["户号"]: row["台区编号"] for row in points(clean_quarter, "客户") if row["台区编号"].startswith("TQ")
    }
    drawn, fed_in = defaultdict(float), 0.0
    for (customer, day), row in clean_quarter.truth().items():
        if customer in district_of:
            drawn[district_of[customer], day] += row["kwh"]
    days = clean_quarter.district_days()
    assert len(days) == len(drawn)
    for row in days:
        # customers' dials are rounded, those of districts have a multiplier
        assert row["drawn_kwh"] == pytest.approx(drawn[row["district_id"], row["usage_date"]], rel=1e-3)
        assert row["counted_kwh"] == pytest.approx(row["drawn_kwh"], rel=1e-3)
        total = row["drawn_kwh"] - row["fed_in_kwh"] + row["loss_kwh"]
        assert row["supplied_kwh"] == pytest.approx(total, rel=1e-3)
        assert row["loss_rate"] == pytest.approx(row["loss_kwh"] / row["supplied_kwh"])
        fed_in += row["fed_in_kwh"]
    assert fed_in > 0


def test_a_few_hundredths_are_lost_in_summer_as_in_spring(thieves):
    honest, _ = thieves
    rates = [rate for of_days in by_district(honest, "loss_rate").values() for rate in of_days.values()]
    means = [np.mean(list(of_days.values())) for of_days in by_district(honest, "loss_rate").values()]
    assert 0.02 < min(rates) < max(rates) < 0.06
    assert max(means) - min(means) > 0.005, "each district has its own"


def test_losses_of_the_lines_grow_with_the_square_of_the_load():
    districts = build_districts(11, 0, 739_000, np.array([0, 0, 1, -1]), np.array([10.0, 20.0, 15.0, 400.0]))
    constant = districts.constant_kw * 24
    load = np.array([[8.0], [16.0], [12.0], [500.0]]) * np.ones((4, 96)) / 4
    of_load, of_double = (
        supply(districts, times * load, times * load, np.zeros(4), np.ones((96, 1))) for times in (1, 2)
    )
    assert of_double.loss - constant == pytest.approx(4 * (of_load.loss - constant))
    # a factory behind a transformer of its own is in no district
    assert of_load.drawn == pytest.approx([24.0 * 24, 12.0 * 24])


def test_only_the_district_sees_what_is_stolen(thieves):
    honest, dishonest = thieves
    assert honest.truth() == dishonest.truth()
    assert by_district(honest, "supplied_kwh") == by_district(dishonest, "supplied_kwh")
    counted = by_district(honest, "counted_kwh"), by_district(dishonest, "counted_kwh")
    district_of = {row["户号"]: row["台区编号"] for row in points(dishonest, "客户")}
    stolen = defaultdict(float)
    notes = dishonest.faults("theft")
    assert len({note["customer_no"] for note in notes}) > 3
    assert all(district_of[note["customer_no"]].startswith("TQ") for note in notes)
    for note in notes:
        share = 1 - float(note["detail"].split("%")[0]) / 100
        stolen[district_of[note["customer_no"]], note["read_date"]] += share * sum(note["true_kwh"])
    hit = 0
    for district, days in counted[0].items():
        for day, kwh in days.items():
            missing = kwh - counted[1][district][day]
            # what is stolen behind transformers counts as often as their ratio says
            assert (missing > 0) == (stolen[district, day] > 0)
            hit += missing > 0
    assert hit > 30


def test_curve_registers_and_bills_of_a_thief_agree(thieves):
    _, dishonest = thieves
    notes = dishonest.faults("theft")
    thief, since = notes[0]["customer_no"], min(n["read_date"] for n in notes if n["meter_id"] == notes[0]["meter_id"])
    assert f"since {since}" in notes[0]["detail"]
    meter = notes[0]["meter_id"]
    dial = {
        row["数据日期"]: float(row["总示值"]) for row in dishonest.rows("register_readings") if row["电表编号"] == meter
    }
    days = sorted(dial)
    for row in dishonest.rows("meter_days"):
        if row["电表编号"] == meter:
            before = dial[days[days.index(row["数据日期"]) - 1]]
            energy = sum(float(value) for value in list(row.values())[3:])
            assert energy == pytest.approx(dial[row["数据日期"]] - before, abs=0.011)
    bills = [{b["账单编号"]: b for b in province.rows("bills") if b["户号"] == thief} for province in thieves]
    assert bills[0].keys() == bills[1].keys()
    for number, bill in bills[1].items():
        is_less = float(bill["电量(kWh)"]) < float(bills[0][number]["电量(kWh)"])
        assert is_less == (bill["截止日期"] >= since.isoformat())
