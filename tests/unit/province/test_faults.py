"""Every class of faults is in the files where the ledger says it is."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.province import DEFAULT_FAULTS, FAULT_CLASSES

VALUES_FROM = 3


@pytest.fixture(scope="module")
def delivered(faulty_days):
    """(delivery, file, meter, date) -> rows as delivered."""
    rows = defaultdict(list)
    for path in faulty_days.files("meter_days"):
        cut = {(note["delivery_id"], note["file"]) for note in faulty_days.faults("truncated_file")}
        if (path.parent.name, path.name) in cut:
            continue
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            cells = line.split(",")
            rows[path.parent.name, path.name, cells[0], cells[1]].append(cells)
    return rows


@pytest.fixture(scope="module")
def whole_notes(faulty_days):
    """Notes about curves in files that were not cut."""
    cut = {note["delivery_id"] for note in faulty_days.faults("truncated_file")}
    return [n for n in faulty_days.faults() if n["feed"] == "meter_days" and n["file"] and n["delivery_id"] not in cut]


def curve(delivered, note):
    """The curve to which a note belongs, None where its row came under another name or stamp."""
    for stamp in ("", " 24:00:00"):
        rows = delivered.get((note["delivery_id"], note["file"], note["meter_id"], f"{note['read_date']}{stamp}"))
        if rows:
            return rows[0][VALUES_FROM:]
    return None


def spans(delivered, notes, fault):
    """(delivered, true) values of each note of a class whose row is found and hit by nothing else."""
    hits = Counter((n["meter_id"], n["read_date"]) for n in notes)
    for note in notes:
        cells = curve(delivered, note)
        if note["fault"] == fault and cells is not None and hits[note["meter_id"], note["read_date"]] == 1:
            yield cells[note["slot_from"] : note["slot_to"]], note["true_kwh"]


def numbers(cells):
    return [float(cell) for cell in cells]


def test_every_class_is_in_the_ledger_and_has_a_default(faulty_days):
    assert {note["fault"] for note in faulty_days.faults()} == set(FAULT_CLASSES) == set(DEFAULT_FAULTS)


def in_fewer_points(cells):
    """The energy of a row of 24 or 48 values, in every fourth column or in the first ones."""
    at = [n for n, cell in enumerate(cells) if cell]
    assert at in ([*range(3, 96, 4)], [*range(24)], [*range(48)])
    return sum(float(cells[n]) for n in at)


@pytest.mark.parametrize(
    ("fault", "is_so"),
    [
        ("missing_points", lambda cells, _: set(cells) == {""}),
        ("spike", lambda cells, true: numbers(cells)[0] > 5 * max(true[0], 0.1)),
        ("stuck", lambda cells, _: len(set(cells)) == 1 and float(cells[0]) > 0),
        ("zero_run", lambda cells, _: set(cells) == {"0"}),
        ("negative", lambda cells, _: max(numbers(cells)) < 0),
        ("text_value", lambda cells, _: set(cells) < {"--", "N/A"}),
        ("kw_as_kwh", lambda cells, true: numbers(cells) == pytest.approx([4 * value for value in true])),
        ("shifted_clock", lambda cells, true: numbers(cells) != true and sorted(numbers(cells)) == sorted(true)),
        ("above_capacity", lambda cells, true: 2 <= len(cells) <= 8 and min(numbers(cells)) > 4 * max(*true, 0.01)),
        ("sum_gap", lambda cells, true: 0.05 <= abs(sum(numbers(cells)) / sum(true) - 1) <= 0.4),
        ("wrong_interval_count", lambda cells, true: in_fewer_points(cells) == pytest.approx(sum(true))),
        ("theft", lambda cells, true: 0.29 <= sum(numbers(cells)) / sum(true) <= 0.71),
        ("stamp_2400", lambda cells, true: numbers(cells) == true),
        ("duplicated_row", lambda cells, true: numbers(cells) == true),
        ("late", lambda cells, true: numbers(cells) == true),
    ],
)
def test_a_curve_is_spoiled_as_noted(delivered, whole_notes, fault, is_so):
    found = list(spans(delivered, whole_notes, fault))
    assert found
    assert all(is_so(cells, true) for cells, true in found)


def test_a_corrected_curve_comes_wrong_and_then_right(delivered, whole_notes):
    wrong = {(n["meter_id"], n["read_date"]): n for n in whole_notes if n["detail"] == "wrong"}
    right = {(n["meter_id"], n["read_date"]): n for n in whole_notes if n["detail"] == "corrected"}
    both = [(wrong[key], right[key]) for key in wrong.keys() & right.keys()]
    compared = 0
    for first, second in both:
        assert first["received_at"] < second["received_at"]
        cells, again = curve(delivered, first), curve(delivered, second)
        if cells is not None and again is not None:
            compared += 1
            assert cells != again
            assert numbers(again) == second["true_kwh"]
    assert compared > 3


def test_identical_curves_are_those_of_another_meter(delivered, whole_notes):
    found = 0
    others = defaultdict(list)
    for (*_, day), rows in delivered.items():
        others[day].extend(rows)
    for note in whole_notes:
        cells = curve(delivered, note)
        if note["fault"] == "identical_curves" and cells is not None:
            same = {row[0] for row in others[note["read_date"].isoformat()] if row[VALUES_FROM:] == cells}
            found += len(same) > 1
    assert found > 3


def test_swapped_ids_put_one_meters_curve_under_anothers_name(delivered, whole_notes):
    swapped = [n for n in whole_notes if n["fault"] == "swapped_ids"]
    hits = Counter((n["meter_id"], n["read_date"]) for n in whole_notes)
    checked = 0
    for note in swapped:
        other = note["detail"].split()[-1]
        rows = delivered.get((note["delivery_id"], note["file"], other, note["read_date"].isoformat()))
        if rows and hits[note["meter_id"], note["read_date"]] == 1 and hits[other, note["read_date"]] == 1:
            checked += 1
            assert numbers(rows[0][VALUES_FROM:]) == note["true_kwh"]
    assert checked > 3


def test_rows_appear_twice_in_the_future_and_for_unknown_meters(faulty_days):
    known = {row["电表编号"] for row in faulty_days.rows("metering_points")}
    rows = faulty_days.rows("meter_days", "2025-06-23")
    assert any(row["电表编号"] not in known for row in rows)
    assert any(row["数据日期"] > "2025-06-24" for row in rows)
    assert any(row["数据日期"].endswith(" 24:00:00") for row in rows)
    assert max(Counter((row["电表编号"], row["数据日期"]) for row in rows).values()) > 1


def test_one_of_two_rows_of_a_meter_day_is_true(delivered, whole_notes):
    hits = Counter((n["meter_id"], n["read_date"]) for n in whole_notes)
    true_ones = Counter()
    for note in whole_notes:
        rows = delivered.get((note["delivery_id"], note["file"], note["meter_id"], note["read_date"].isoformat()))
        if note["fault"] != "conflicting_row" or hits[note["meter_id"], note["read_date"]] > 1 or not rows:
            continue
        first, second = (row[VALUES_FROM:][note["slot_from"] : note["slot_to"]] for row in rows)
        true, other = (first, second) if note["detail"] == "first row is true" else (second, first)
        assert numbers(true) == note["true_kwh"]
        assert all(one != another for one, another in zip(true, other, strict=True))
        outside = [row[VALUES_FROM:][: note["slot_from"]] + row[VALUES_FROM:][note["slot_to"] :] for row in rows]
        assert outside[0] == outside[1]
        true_ones[note["detail"]] += 1
    assert set(true_ones) == {"first row is true", "second row is true"}


def test_a_meter_sends_before_or_after_it_is_installed(delivered, faulty_days, whole_notes):
    installed = defaultdict(dict)
    for row in faulty_days.rows("metering_points"):
        # a row comes again when its end is known
        installed[row["电表编号"]][row["安装日期"]] = row["拆除日期"] or "9999"
    words = Counter()
    for note in whole_notes:
        if note["fault"] == "not_installed":
            day = note["read_date"].isoformat()
            word, at = note["detail"].split()
            # the new meter is not in the master data of a day on which it sends already
            assert not any(begin <= day < end for begin, end in installed[note["meter_id"]].items())
            assert word == ("removed" if at < day else "installed")
            assert delivered[note["delivery_id"], note["file"], note["meter_id"], day]
            words[word] += 1
    assert set(words) == {"removed", "installed"}


def test_meters_that_are_not_installed_send_on_the_same_days_whoever_writes_them(new_province):
    whole, daily = new_province(300), new_province(300)
    shares = {"swapped_meter": 1.0, "not_installed": 0.7}
    # over the turn of a quarter
    whole.load("2025-06-10", "2025-07-06", shares)
    daily.load("2025-06-10", "2025-06-26", shares)
    for day in [f"2025-06-{n}" for n in range(27, 31)] + [f"2025-07-{n:02d}" for n in range(1, 7)]:
        daily.day(day)
    one, other = (
        {(note["meter_id"], note["read_date"], note["detail"]) for note in province.faults("not_installed")}
        for province in (whole, daily)
    )
    assert one == other
    assert {date(2025, 6, 30), date(2025, 7, 1)} <= {day for _, day, _ in one}


def test_the_ledger_names_a_row_as_it_was_delivered(delivered, whole_notes):
    noted = [note for note in whole_notes if note["fault"] in {"unknown_meter", "future_row"}]
    assert {note["fault"] for note in noted} == {"unknown_meter", "future_row"}
    for note in noted:
        place = (note["delivery_id"], note["file"], note["meter_id"], note["read_date"].isoformat())
        assert delivered[place], note


def test_a_day_that_is_lost_never_comes(new_province):
    province = new_province()
    province.load("2025-06-20", "2025-06-24", {"missing_day": 0.1})
    for day in (25, 26):
        province.day(f"2025-06-{day}")
    lost = {(note["meter_id"], note["read_date"].isoformat()) for note in province.faults("missing_day")}
    came = {(row["电表编号"], row["数据日期"]) for row in province.rows("meter_days")}
    read = {(row["电表编号"], row["数据日期"]) for row in province.rows("register_readings")}
    assert len(lost) > 10
    assert not lost & came
    assert {key for key in read if key[1] > "2025-06-19"} == lost | came


def test_a_dial_is_misread_on_one_date_and_right_on_the_next(faulty_days):
    names = ("总示值", "尖示值", "峰示值", "平示值", "谷示值")
    dials = defaultdict(dict)
    cut = {note["delivery_id"] for note in faulty_days.faults("truncated_file")}
    whole = [manifest for _, manifest in faulty_days.manifests() if manifest["delivery_id"] not in cut]
    for manifest in whole:
        if manifest["feed"] == "register_readings":
            for row in faulty_days.rows("register_readings", delivery=manifest["delivery_id"]):
                dials[row["电表编号"]][date.fromisoformat(row["数据日期"])] = [float(row[name]) for name in names]
    seen = Counter()
    for note in [*faulty_days.faults("register_backwards"), *faulty_days.faults("register_jump")]:
        of_meter, day = dials[note["meter_id"]], note["read_date"]
        if day - timedelta(days=1) not in of_meter:
            continue  # the day before comes later
        before, shown, true = of_meter[day - timedelta(days=1)], of_meter[day], note["true_kwh"]
        assert shown != true
        assert all(value >= last for value, last in zip(true, before, strict=True))
        following = of_meter.get(day + timedelta(days=1))
        assert following is None or all(now >= then for now, then in zip(following, true, strict=True))
        wrong = [n for n in range(5) if shown[n] != true[n]]
        if note["fault"] == "register_backwards":
            assert all(shown[n] < before[n] for n in wrong)
            seen["digits swapped" if "swapped" in note["detail"] else "two registers"] += 1
        else:
            (n,) = wrong
            assert shown[n] - true[n] >= max(10, 5 * (true[n] - before[n]))
            differ = [one != other for one, other in zip(f"{shown[n]:09.2f}", f"{true[n]:09.2f}", strict=True)]
            assert sum(differ) == 1
            seen["total" if n == 0 else "period"] += 1
    assert set(seen) == {"digits swapped", "two registers", "total", "period"}


def test_a_dial_passes_its_highest_digit(faulty_days):
    dials = defaultdict(dict)
    for row in faulty_days.rows("register_readings", "2025-06-23"):
        dials[row["电表编号"]][date.fromisoformat(row["数据日期"])] = float(row["总示值"])
    for note in faulty_days.faults("roll_over"):
        if note["read_date"] <= date(2025, 6, 23) and note["read_date"] in dials[note["meter_id"]]:
            assert dials[note["meter_id"]][note["read_date"]] < 5_000
            assert max(dials[note["meter_id"]].values()) > 990_000


def test_a_changed_multiplier_is_a_new_row_and_a_wrong_one_is_none(faulty_days):
    points = defaultdict(list)
    for row in faulty_days.rows("metering_points"):
        points[row["电表编号"]].append((row["安装日期"], int(row["综合倍率"])))
    changes, wrong = faulty_days.faults("multiplier_change"), faulty_days.faults("wrong_multiplier")
    assert changes
    assert wrong
    for note in changes:
        assert note["read_date"].isoformat() in {start for start, _ in points[note["meter_id"]]}
    for note in wrong:
        true = float(note["detail"].split()[-1])
        assert all(multiplier != true for _, multiplier in points[note["meter_id"]])


def test_deliveries_come_twice_or_cut(faulty_days):
    manifests = {manifest["delivery_id"]: (folder, manifest) for folder, manifest in faulty_days.manifests()}
    twice, cut = faulty_days.faults("duplicated_delivery"), faulty_days.faults("truncated_file")
    assert twice
    assert cut
    for note in twice:
        (_, one), (_, other) = manifests[note["delivery_id"]], manifests[note["detail"].split()[-1]]
        assert one["files"] == other["files"]
        assert one["received_at"] > other["received_at"]
    for note in cut:
        (folder, broken), (whole_folder, whole) = manifests[note["delivery_id"]], manifests[note["detail"].split()[-1]]
        assert broken["files"] == whole["files"]
        part = (folder / note["file"]).read_bytes()
        assert part != (whole_folder / note["file"]).read_bytes()
        assert (whole_folder / note["file"]).read_bytes().startswith(part)
        assert broken["received_at"] < whole["received_at"]


def test_faults_leave_the_truth_alone(new_province):
    clean, faulty = new_province(80), new_province(80)
    clean.load("2025-06-10", "2025-06-20", {})
    faulty.load("2025-06-10", "2025-06-20", {"spike": 0.5, "late": 0.2, "kw_as_kwh": 1.0, "roll_over": 1.0})
    assert clean.truth() == faulty.truth()


def test_every_class_is_explained():
    page = (Path(__file__).parents[3] / "docs" / "faults.md").read_text(encoding="utf-8")
    assert [name for name in FAULT_CLASSES if page.count(f"\n| {name} |") != 1] == []
