"""London's files, drawn small: archives as hostile as they come, and what is made of readings and prices."""

import csv
import io
import json
import lzma
import tarfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from jobs.province import ProvinceError
from jobs.province.london import London, write_london
from jobs.province.london_billing import Bill, Line, payment_rows
from jobs.province.london_reference import calendar_rows, hours_of, tariff_rows
from jobs.province.london_source import (
    DAILY,
    DAYS,
    HOUSEHOLDS,
    LEVELS,
    POINTS,
    PRICES,
    READINGS,
    SLOTS,
    Household,
    block_files,
)

LAST = date(2013, 12, 31)
HOME = Household(6, "MAC000007", False, "ACORN-E", "Affluent", "block_0")
HEADER = ",".join(("LCLid", "Date", *POINTS))


def block(*rows: tuple[str, str, float], index: bool = False) -> bytes:
    """A block file: household, date, and the same kWh in every half hour."""
    lines = [f"{name},{day}," + ",".join([f"{kwh:g}"] * SLOTS) for name, day, kwh in rows]
    if index:
        return "\n".join([f",{HEADER}", *(f"{n + 160},{line}" for n, line in enumerate(lines))]).encode() + b"\n"
    return "\n".join([HEADER, *lines]).encode() + b"\n"


def archive(path: Path, files: dict[str, bytes], extra: Sequence[tarfile.TarInfo] = ()) -> None:
    with tarfile.open(path, "w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two households, one with the dynamic price; the second block file repeats the first."""
    folder = tmp_path / "source"
    folder.mkdir()
    first = block(("MAC000001", "2013-01-01", 0.1), ("MAC000001", "2013-01-02", 0.2), index=True)
    second = block(("MAC000002", "2013-02-01", 0.5), ("MAC000002", "2013-02-02", 1.0))
    archive(folder / READINGS, {"block4sep.csv": first, "block5sep.csv": first, "block10sep.csv": second})
    daily = (
        "LCLid,day,energy_median,energy_mean,energy_max,energy_count,energy_std,energy_sum,energy_min\n"
        "MAC000001,2012-12-31,0,0,0,48,0,9.9,0\n"
        "MAC000001,2013-01-01,0,0,0,48,0,4.799999999,0\n"
        "MAC000001,2013-01-02,0,0,0,47,0,9.4,0\n"
        "MAC000003,2013-01-01,0,0,0,48,0,1.0,0\n"
    )
    archive(folder / DAILY, {"block_0.csv": daily.encode()})
    (folder / HOUSEHOLDS).write_text(
        "LCLid,stdorToU,Acorn,Acorn_grouped,file\n"
        "MAC000002,ToU,ACORN-A,Affluent,block_0\nMAC000001,Std,ACORN-E,Affluent,block_0\n"
        "MAC000003,Std,ACORN-U,ACORN-U,block_0\n",
        encoding="utf-8",
    )
    signal = ["TariffDateTime,Tariff\n"]
    for day in range(DAYS):
        for slot in range(SLOTS):
            # from 2 February a dear evening
            level = "High" if day >= 32 and slot >= 40 else "Normal"
            at = f"{date.fromordinal(date(2013, 1, 1).toordinal() + day)} {slot // 2:02d}:{slot % 2 * 30:02d}:00"
            signal.append(f'"{at}","{level}\r"\n')
    (folder / PRICES).write_bytes(lzma.compress("".join(signal).encode()))
    return folder


def written(source: Path, root: Path, blocks: Sequence[str] = ()) -> London:
    return write_london(
        root, source, source / "no weather", LAST, seed=1, report=lambda *_: None, only_blocks=list(blocks)
    )


def rows(root: Path, feed: str) -> list[dict[str, str]]:
    (path,) = (root / feed).rglob("*.csv")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_block_file_becomes_a_delivery_byte_by_byte(source: Path, tmp_path: Path) -> None:
    done = written(source, tmp_path / "landing")
    folders = sorted((tmp_path / "landing" / "meter_days" / "2013-12-31").iterdir())
    assert [folder.name for folder in folders] == ["block10sep", "block4sep", "block5sep"]
    published = {file.name: file.content for file in block_files(source)}
    for folder in folders:
        assert (folder / f"{folder.name}.csv").read_bytes() == published[folder.name]
        assert json.loads((folder / "_manifest.json").read_text())["files"][0]["rows"] == 2
    assert (done.rows["meter_days"], done.household_days, done.households) == (6, 4, 2)


def test_block_files_come_in_by_their_number_so_that_the_copy_is_the_later_one(source: Path, tmp_path: Path) -> None:
    written(source, tmp_path)
    came = {
        path.parent.name: json.loads(path.read_text())["received_at"]
        for path in (tmp_path / "meter_days").rglob("_manifest.json")
    }
    assert came["block4sep"] < came["block5sep"] < came["block10sep"]


def test_a_second_run_writes_the_same_files(source: Path, tmp_path: Path) -> None:
    written(source, tmp_path / "a")
    written(source, tmp_path / "b")
    written(source, tmp_path / "b")
    for path in sorted(p for p in (tmp_path / "a").rglob("*") if p.is_file()):
        assert (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes() == path.read_bytes()


def test_a_total_of_a_part_of_a_day_is_left_out_and_counted(source: Path, tmp_path: Path) -> None:
    done = written(source, tmp_path)
    assert rows(tmp_path, "register_readings") == [
        {"LCLid": "MAC000001", "day": "2013-01-01", "energy_sum": "4.799999999"}
    ]
    assert done.parts_of_days == 1


def test_households_without_readings_are_no_customers(source: Path, tmp_path: Path) -> None:
    written(source, tmp_path, ["block10sep"])
    assert [(row["户号"], row["电价代码"], row["行业"]) for row in rows(tmp_path, "customers")] == [
        ("MAC000002", "ToU", "Affluent")
    ]


def test_bills_charge_real_half_hours_once_at_the_price_of_their_hour(source: Path, tmp_path: Path) -> None:
    written(source, tmp_path)
    # block5sep repeats block4sep: 0.1 x 48 + 0.2 x 48 kWh are charged once
    assert [(b["户号"], b["电费年月"], b["电量(kWh)"], b["电费(元)"]) for b in rows(tmp_path, "bills")] == [
        ("MAC000001", "2013-01", "14.400", "2.05"),
        ("MAC000002", "2013-02", "72.000", "12.91"),
    ]
    lines = [(row["时段"], row["电量(kWh)"], row["单价(元)"], row["金额(元)"]) for row in rows(tmp_path, "bill_lines")]
    # 1 February all normal: 24 kWh; 2 February 40 half hours normal, 8 dear at 1 kWh
    assert lines == [
        ("全", "14.400", "0.14228", "2.05"),
        ("峰", "8.000", "0.6720", "5.38"),
        ("平", "64.000", "0.1176", "7.53"),
    ]


def test_what_happens_after_the_date_is_not_delivered() -> None:
    bill = Bill(HOME, 12, date(2013, 12, 1), LAST, (Line("全", Decimal("100.000"), Decimal("0.14228")),))
    assert bill.issued == date(2014, 1, 3)
    late = [Bill(HOME, 11, date(2013, 11, 1), date(2013, 11, 30), bill.lines)]
    for seed in range(50):
        for row in payment_rows(late[0], seed, date(2013, 12, 10)):
            assert str(row[3])[:10] <= "2013-12-10"


def test_a_price_level_becomes_a_line_with_its_hours_for_each_date() -> None:
    levels = np.full((DAYS, SLOTS), LEVELS["Normal"], dtype=np.int8)
    levels[1, 14:20] = LEVELS["High"]
    levels[1, 46:] = LEVELS["Low"]
    of_day = [row for row in tariff_rows(levels) if row[1] == "2013-01-02"]
    assert [(row[2], row[7], row[8], row[10]) for row in of_day] == [
        ("2013-01-02", "峰", "07:00-10:00", "0.6720"),
        ("2013-01-02", "平", "00:00-07:00;10:00-23:00", "0.1176"),
        ("2013-01-02", "谷", "23:00-24:00", "0.0399"),
    ]
    assert hours_of(np.ones(SLOTS, dtype=np.bool_)) == "00:00-24:00"


def test_the_calendar_has_england_s_holidays_with_day_and_month_right() -> None:
    off = {str(row[0]): row[3] for row in calendar_rows() if row[1]}
    # the published holiday file writes 6 May as 5 June
    assert {"2013-01-01", "2013-03-29", "2013-04-01", "2013-05-06", "2013-05-27", "2013-08-26"} <= set(off)
    assert "2013-06-05" not in off
    assert sum(day.startswith("2013") for day in off) == 8


def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written_under_it(source: Path, tmp_path: Path) -> None:
    archive(source / READINGS, {"../block1sep.csv": block(("MAC000001", "2013-01-01", 0.1))})
    with pytest.raises(ProvinceError, match="holds what no archive of data should"):
        list(block_files(source))
    link = tarfile.TarInfo("block1sep.csv")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    archive(source / READINGS, {}, [link])
    with pytest.raises(ProvinceError, match="holds what no archive of data should"):
        list(block_files(source))


def test_a_cut_archive_and_an_absent_one_say_what_to_do(source: Path) -> None:
    whole = (source / READINGS).read_bytes()
    (source / READINGS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProvinceError, match=r"damaged .* fetch it again"):
        list(block_files(source))
    (source / READINGS).unlink()
    with pytest.raises(ProvinceError, match="--key source=FOLDER"):
        list(block_files(source))


def test_the_year_cannot_come_in_before_it_is_over(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ProvinceError, match="2013-12-31"):
        write_london(tmp_path, source, source, date(2013, 6, 30), seed=1, report=lambda *_: None)
