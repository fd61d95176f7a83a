import hashlib
import tracemalloc
from collections import Counter
from datetime import date

import pytest

from jobs.province import ProvinceError

FIRST, NINTH, TENTH = "2025-06-21", "2025-06-29", "2025-06-30"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(new_province):
    one, same, other = new_province(), new_province(), new_province(seed=12)
    for province in (one, same, other):
        province.load(FIRST, NINTH)
        province.day(TENTH)
    assert one.digest() == same.digest()
    assert one.digest("ledger") == same.digest("ledger")
    assert one.digest() != other.digest()


def test_processes_share_the_work_and_write_the_same_bytes(new_province):
    alone, shared = new_province(1100), new_province(1100)
    alone.load(NINTH, TENTH)
    shared.load(NINTH, TENTH, workers=2)
    assert alone.digest() == shared.digest()
    assert alone.digest("ledger") == shared.digest("ledger")


def test_a_rerun_of_a_day_changes_nothing(new_province):
    province = new_province()
    province.load(FIRST, NINTH)
    province.day(TENTH)
    before = province.digest()
    province.day("2025-07-01")
    province.day(TENTH)
    assert before.items() <= province.digest().items()


def test_a_day_written_alone_is_that_day_in_the_whole(new_province):
    whole, daily = new_province(120), new_province(120)
    whole.load(FIRST, TENTH, {})
    daily.load(FIRST, NINTH, {})
    daily.day(TENTH, {})
    for feed in ("meter_days", "register_readings"):
        of_the_day = [row for row in whole.rows(feed) if row["数据日期"] == TENTH]
        assert sorted(of_the_day, key=str) == sorted(daily.rows(feed, TENTH), key=str)
    weather = [row for row in whole.rows("weather_hours") if row["时间"] >= TENTH]
    assert weather == daily.rows("weather_hours", TENTH)
    assert whole.truth() == daily.truth()


def test_days_that_were_left_out_do_not_bend_the_registers(new_province):
    every, some = new_province(), new_province()
    for province in (every, some):
        province.load(FIRST, NINTH)
    for day in (TENTH, "2025-07-01"):
        every.day(day)
    some.day("2025-07-01")
    assert every.rows("register_readings", "2025-07-01") == some.rows("register_readings", "2025-07-01")
    assert every.rows("bills", "2025-07-01") == some.rows("bills", "2025-07-01") != []


def test_a_customer_is_the_same_in_a_larger_province(new_province):
    small, large = new_province(50), new_province(80)
    for province in (small, large):
        province.load(NINTH, TENTH, {})
    number = {row["户号"] for row in small.rows("customers")}
    assert [row for row in large.rows("customers") if row["户号"] in number] == small.rows("customers")
    assert small.truth().items() <= large.truth().items()


def test_manifests_state_what_is_in_the_files(faulty_days):
    cut = {note["delivery_id"]: note["file"] for note in faulty_days.faults("truncated_file")}
    seen = 0
    for folder, manifest in faulty_days.manifests():
        assert manifest["delivery_id"] == folder.name
        assert manifest["business_date"] == folder.parent.name
        assert manifest["feed"] == folder.parent.parent.name
        assert manifest["received_at"].endswith("+08:00")
        assert {path.name for path in folder.iterdir()} == {"_manifest.json", *(f["name"] for f in manifest["files"])}
        for stated in manifest["files"]:
            content = (folder / stated["name"]).read_bytes()
            if cut.get(folder.name) == stated["name"]:
                assert len(content) < stated["bytes"]
                continue
            seen += 1
            assert len(content) == stated["bytes"]
            assert hashlib.sha256(content).hexdigest() == stated["sha256"]
            assert content.count(b"\n") - 1 == stated["rows"]
    assert seen > 40


def test_a_delivery_comes_in_after_its_date_is_over(faulty_days):
    for _, manifest in faulty_days.manifests():
        assert manifest["received_at"][:10] > manifest["business_date"]


def test_late_rows_come_within_five_days_and_only_once(new_province):
    province = new_province()
    province.load("2025-06-20", "2025-06-24", {"late": 0.4})
    for day in range(25, 31):
        province.day(f"2025-06-{day}")
    came = Counter((row["电表编号"], row["数据日期"]) for row in province.rows("meter_days"))
    assert set(came.values()) == {1}
    by_date = Counter(day for _, day in came)
    assert len({by_date[f"2025-06-{day}"] for day in range(20, 26)}) == 1, "the first six dates are complete by now"
    assert by_date["2025-06-30"] < by_date["2025-06-25"], "the last date is not"
    late = province.faults("late")
    assert {(n["meter_id"], n["read_date"].isoformat()) for n in late if n["feed"] == "meter_days"} <= set(came)


def test_nothing_is_delivered_where_there_is_nothing(new_province):
    province = new_province(20)
    province.load(FIRST, NINTH, {})
    assert "calendar" not in province.day(TENTH).rows
    assert "tariffs" not in province.day("2025-07-01").rows
    assert all(manifest["files"] for _, manifest in province.manifests())


def test_memory_does_not_grow_with_customers(new_province):
    peaks = []
    for customers in (1000, 4000):
        province = new_province(customers)
        tracemalloc.start()
        province.load(TENTH, TENTH, {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_what_makes_no_province_is_said_in_words(new_province):
    province = new_province()
    with pytest.raises(ProvinceError, match="write its initial load first"):
        province.day(TENTH)
    with pytest.raises(ProvinceError, match="unknown fault class gremlins; known are missing_points"):
        province.load(FIRST, TENTH, {"gremlins": 0.1})
    with pytest.raises(ProvinceError, match="share of spike must be from 0 to 1"):
        province.load(FIRST, TENTH, {"spike": 2})
    with pytest.raises(ProvinceError, match="before the first date"):
        province.load(TENTH, FIRST)
    province.load(FIRST, TENTH)
    with pytest.raises(ProvinceError, match="within the initial load"):
        province.day(NINTH)
    assert province.day(TENTH).deliveries == (), "the last date of the load is there already"
    object.__setattr__(province, "seed", 99)
    with pytest.raises(ProvinceError, match="this province has seed 11"):
        province.day(date(2025, 7, 1).isoformat())


def test_a_province_lives_through_new_year_and_leap_days(new_province):
    province = new_province(40)
    province.load("2023-12-20", "2024-02-28", {})
    for day in ("2024-02-29", "2024-03-01"):
        province.day(day, {})
    assert len(province.rows("meter_days", "2024-02-29")) == len(province.rows("meter_days", "2024-03-01"))
    assert {row["电费年月"] for row in province.rows("bills")} == {"2023-12", "2024-01", "2024-02"}
    spring_festival = [row for row in province.rows("calendar") if row["节日名称"] == "春节"]
    assert len(spring_festival) == 8


def test_other_faults_on_a_later_day_leave_meters_their_history(new_province):
    province, clean_later = new_province(80), new_province(80)
    for one in (province, clean_later):
        one.load("2025-06-10", NINTH, {"swapped_meter": 1.0, "spike": 0.1})
    province.day(TENTH)
    clean_later.day(TENTH, {})
    assert clean_later.rows("register_readings", TENTH) == province.rows("register_readings", TENTH)
    assert len(clean_later.faults("spike")) < len(province.faults("spike"))


def test_class_profiles_come_with_the_initial_load_and_are_nobodys_own(new_province):
    small, large = new_province(40), new_province(60)
    small.load(NINTH, TENTH, {})
    large.load(NINTH, TENTH)
    rows = small.rows("class_profiles")
    assert rows == large.rows("class_profiles")
    assert "class_profiles" not in small.day("2025-07-01").rows
    by_profile = {}
    for row in rows:
        assert row["生效日期"] == "2024-01-01"
        by_profile.setdefault((row["用电类别"], row["日类型"]), []).append(float(row["份额"]))
    assert len(by_profile) == 2 * 4
    for shares in by_profile.values():
        assert len(shares) == 96
        assert sum(shares) == pytest.approx(1, abs=1e-4)
    night, noon, evening = slice(8, 16), slice(40, 48), slice(76, 84)
    home, shops = by_profile["居民", "工作日"], by_profile["一般工商业", "工作日"]
    assert sum(home[evening]) > sum(home[noon]) > sum(home[night])
    assert sum(shops[noon]) > 1.5 * sum(shops[evening])
