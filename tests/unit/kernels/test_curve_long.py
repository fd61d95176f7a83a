import gzip
import io
import lzma
import zipfile
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.kernels import curve_long, interval_rows, long_rows
from jobs.kernels.curve_long import iter_long
from jobs.kernels.files import BadFile
from jobs.kernels.readers import READERS
from schemas.feed import Curve, Feed, FeedColumn

# six hours an interval keep the days readable; the readers know no other difference
FEED = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="curve_long",
    columns=(
        FeedColumn("meter_id", "meter"),
        FeedColumn("channel", "kind", values={"IMP": "import", "EXP": "export"}, optional=True),
        FeedColumn("interval_at", "time"),
        FeedColumn("value", "kwh"),
    ),
    curve=Curve(interval_minutes=360, label="start", day="elapsed", stamps="local"),
    time_zone="Australia/Sydney",
)
HALF_HOURS = replace(FEED, curve=replace(FEED.curve, interval_minutes=30))
HOURS = replace(FEED, curve=replace(FEED.curve, interval_minutes=60))
WITH_QUALITY = replace(
    FEED,
    columns=(*FEED.columns, FeedColumn("quality", "flag", values={"A": "measured", "E": "estimated", "N": "missing"})),
)


def curve(feed: Feed, **changes: Any) -> Feed:
    return replace(feed, curve=replace(feed.curve, **changes))


def read(rows: str, feed: Feed = FEED, header: str = "meter,time,kwh") -> list[dict[str, Any]]:
    """Rows of the output, of lines with the fields divided by blanks where these are no part of a stamp."""
    data = "\n".join([header, *(line.strip() for line in rows.strip().splitlines()), ""])
    tables = [table for table, _ in iter_long(data.encode(), "m.csv", feed)]
    found = pa.concat_tables(tables).to_pylist()
    assert sum(row["source_rows"] for row in found) == len(rows.strip().splitlines())
    return found


def stamped(day: str, *stamps: str, feed: Feed = HALF_HOURS, meter: str = "M1") -> dict[str, Any]:
    """The only day of a meter with these times; the values are 1, 2, 3 in the order of the file."""
    lines = "\n".join(f"{meter},{s if '-' in s else f'{day}T{s}'},{n}" for n, s in enumerate(stamps, 1))
    (row,) = read(lines, feed)
    return row


def places(row: dict[str, Any]) -> dict[float, float]:
    """Value -> hours after midnight at which its interval begins."""
    return {v: n * row["interval_minutes"] / 60 for n, v in enumerate(row["kwh"]) if v is not None}


# -- days -------------------------------------------------------------------------------------------------------------


def test_rows_of_a_meter_and_date_become_a_day_in_the_order_of_time() -> None:
    (row,) = read("""
        M1,2013-05-01T18:00:00,4
        M1,2013-05-01T00:00:00,1
        M1,2013-05-01 06:00,0.25
    """)
    assert (row["meter_id"], row["channel"], row["read_date"]) == ("M1", None, date(2013, 5, 1))
    assert row["kwh"] == [1, 0.25, None, 4]
    assert row["quality"] == [1, 1, 0, 1]
    assert (row["total_kwh"], row["missing_count"], row["measured_count"]) == (5.25, 1, 3)
    assert (row["source_file"], row["source_row"], row["source_rows"]) == ("m.csv", 1, 3)
    assert (row["unreadable"], row["raw_values"], row["interval_minutes"]) == ([], None, 360)


def test_channels_of_a_meter_are_rows_of_their_own() -> None:
    rows = read(
        """
        M1,IMP,2013-05-01T00:00,1
        M1,EXP,2013-05-01T00:00,9
        M2,IMP,2013-05-01T00:00,2
        M1,IMP,2013-05-01T06:00,3
        """,
        header="meter,kind,time,kwh",
    )
    found = {(row["meter_id"], row["channel"]): row["kwh"] for row in rows}
    assert found == {
        ("M1", "import"): [1, 3, None, None],
        ("M1", "export"): [9, None, None, None],
        ("M2", "import"): [2, None, None, None],
    }


def test_columns_are_found_by_name_and_others_are_named() -> None:
    data = b"x,kwh,time,meter\n,1,2013-05-01T00:00,M1\n"
    ((table, extra),) = iter_long(data, "m.csv", FEED)
    assert extra == ["x"]
    assert table.column("kwh").to_pylist() == [[1, None, None, None]]
    with pytest.raises(BadFile, match="the header lacks kwh"):
        list(iter_long(b"meter,time\nM1,2013-05-01T00:00\n", "m.csv", FEED))


def test_a_file_without_header_is_read_by_position() -> None:
    columns = (FeedColumn("meter_id", "1"), FeedColumn("value", "4"), FeedColumn("interval_at", "2"))
    feed = replace(FEED, has_header=False, columns=columns)
    data = b"M1,2013-05-01T00:00,x,1\nM1,2013-05-01T06:00,x,2\n"
    ((table, extra),) = iter_long(data, "m.csv", feed)
    assert table.column("kwh").to_pylist() == [[1, 2, None, None]]
    assert extra == ["3"]
    with pytest.raises(BadFile, match="its first row has 3 columns, the feed declares column 4"):
        list(iter_long(b"M1,2013-05-01T00:00,x\n", "m.csv", feed))


def test_a_header_alone_gives_one_empty_piece_with_all_columns() -> None:
    ((empty, _),) = iter_long(b"meter,time,kwh\n", "m.csv", FEED)
    ((full, _),) = iter_long(b"meter,time,kwh\nM1,2013-05-01T00:00,1\n", "m.csv", FEED)
    assert empty.num_rows == 0
    assert empty.schema == full.schema


def test_power_and_scale_become_energy() -> None:
    (row,) = read("M1,2013-05-01T00:00,500", curve(FEED, unit="kW", scale=0.001))
    assert row["kwh"] == [3, None, None, None]


# -- stamps -----------------------------------------------------------------------------------------------------------


def test_stamps_in_utc_are_placed_on_local_dates() -> None:
    rows = read("M1,2013-04-06T13:00:00Z,1\nM1,2013-04-06T12:30:00Z,2", curve(HALF_HOURS, stamps="utc"))
    by_date = {row["read_date"]: row for row in rows}
    assert places(by_date[date(2013, 4, 6)]) == {2: 23.5}
    assert places(by_date[date(2013, 4, 7)]) == {1: 0}
    assert [len(by_date[day]["kwh"]) for day in sorted(by_date)] == [48, 50]


def test_stamps_with_their_offsets_tell_the_repeated_hour_apart() -> None:
    row = stamped("2013-04-07", "02:30+10:00", "02:30+11:00", "03:00+1000", feed=curve(HALF_HOURS, stamps="offset"))
    assert places(row) == {2: 2.5, 1: 3.5, 3: 4}


def test_the_repeated_hour_is_told_apart_by_order() -> None:
    row = stamped("2013-04-07", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    assert places(row) == {1: 1.5, 2: 2, 3: 2.5, 4: 3, 5: 3.5, 6: 4}
    assert (len(row["kwh"]), row["conflict_count"]) == (50, 0)


def test_the_repeated_hour_is_told_apart_by_order_where_the_newest_comes_first() -> None:
    row = stamped("2013-04-07", "03:00", "02:30", "02:00", "02:30", "02:00", "01:30")
    assert places(row) == {6: 1.5, 5: 2, 4: 2.5, 3: 3, 2: 3.5, 1: 4}


def test_a_day_sent_twice_in_a_file_does_not_fill_the_repeated_hour_with_one_value() -> None:
    once = ["01:00", "02:00", "02:00", "03:00"]
    row = stamped("2013-04-07", *once, *once, feed=HOURS)
    assert places(row) == {5: 1, 6: 2, 7: 3, 8: 4}
    assert row["conflict_count"] == 4


def test_a_stamp_of_the_repeated_hour_which_stands_once_is_before_the_change() -> None:
    assert places(stamped("2013-04-07", "01:30", "02:00", "03:00")) == {1: 1.5, 2: 2, 3: 4}


def test_the_repeated_hour_of_each_series_is_counted_apart() -> None:
    rows = read(
        "\n".join(f"{m},2013-04-07T02:00,{n}{k}" for n in (1, 2) for k, m in enumerate(("A", "B"))),
        HOURS,
    )
    assert {row["meter_id"]: places(row) for row in rows} == {"A": {10: 2, 20: 3}, "B": {11: 2, 21: 3}}


def test_both_changes_of_other_zones_are_told_apart_too() -> None:
    london = replace(HALF_HOURS, time_zone="Europe/London")
    assert places(stamped("2013-10-27", "01:00", "01:30", "01:00", "01:30", "02:00", feed=london)) == {
        1: 1, 2: 1.5, 3: 2, 4: 2.5, 5: 3
    }  # fmt: skip
    assert places(stamped("2013-03-31", "00:30", "02:00", feed=london)) == {1: 0.5, 2: 1}
    # half an hour is repeated, half an hour skipped
    lord_howe = replace(HALF_HOURS, time_zone="Australia/Lord_Howe")
    row = stamped("2013-04-07", "01:30", "01:30", "02:00", feed=lord_howe)
    assert (places(row), len(row["kwh"])) == ({1: 1.5, 2: 2, 3: 2.5}, 49)
    row = stamped("2013-10-06", "01:30", "02:30", feed=lord_howe)
    assert (places(row), len(row["kwh"])) == ({1: 1.5, 2: 2}, 47)


def test_a_stamp_which_the_clock_skips_is_unreadable() -> None:
    day, skipped = read("M1,2012-10-07T01:30,1\nM1,2012-10-07T02:30,2\nM1,2012-10-07T03:00,3", HALF_HOURS)
    assert (places(day), len(day["kwh"])) == ({1: 1.5, 3: 2}, 46)
    assert (skipped["read_date"], skipped["kwh"], skipped["unreadable"]) == (None, None, ["time"])
    assert (skipped["meter_id"], skipped["source_row"]) == ("M1", 2)
    assert dict(skipped["raw_values"]) == {"meter": "M1", "time": "2012-10-07T02:30", "kwh": "2"}


ENDS = curve(HALF_HOURS, label="end")


@pytest.mark.parametrize("midnight", ["2013-05-02T00:00", "2013-05-01T24:00", "2013-05-01 24:00:00"])
def test_an_end_at_midnight_belongs_to_the_day_it_ends(midnight: str) -> None:
    assert places(stamped("2013-05-01", "00:30", midnight, feed=ENDS)) == {1: 0, 2: 23.5}
    assert places(stamped("2013-05-01", "00:30", midnight, feed=curve(ENDS, day="clock"))) == {1: 0, 2: 23.5}


@pytest.mark.parametrize("change", ["02:00", "03:00"])
def test_an_end_at_the_change_is_written_by_the_clock_before_or_after_it(change: str) -> None:
    # 01:30-02:00 ends as the clock goes forward
    assert places(stamped("2012-10-07", "01:30", change, "03:30", feed=ENDS)) == {1: 1, 2: 1.5, 3: 2}
    # 02:30-03:00 ends as it goes back
    stamps = ["01:30", "02:00", "02:30", change, "02:30", "03:00", "03:30"]
    row = stamped("2013-04-07", *stamps, feed=ENDS)
    assert places(row) == {1: 1, 2: 1.5, 3: 2, 4: 2.5, 5: 3, 6: 3.5, 7: 4}
    assert row["conflict_count"] == 0


@pytest.mark.parametrize("stamps", ["utc", "offset", "local"])
def test_by_the_clock_the_repeated_hour_is_in_conflict_and_every_date_has_24_hours(stamps: Any) -> None:
    written = {
        "utc": ["2013-04-06T15:30Z", "2013-04-06T16:30Z"],
        "offset": ["2013-04-07T02:30+11:00", "2013-04-07T02:30+10:00"],
        "local": ["2013-04-07T02:30", "2013-04-07T02:30"],
    }
    row = stamped("2013-04-07", *written[stamps], feed=curve(HALF_HOURS, stamps=stamps, day="clock"))
    assert (places(row), len(row["kwh"]), row["conflict_count"]) == ({2: 2.5}, 48, 1)


def test_a_stamp_has_an_offset_exactly_where_that_is_declared() -> None:
    def unreadable(stamp: str, stamps: Any) -> bool:
        (row,) = read(f"M1,{stamp},1", curve(HALF_HOURS, stamps=stamps))
        return bool(row["unreadable"] == ["time"])

    plain, utc, local = "2013-05-01T00:00", "2013-05-01T00:00Z", "2013-05-01T00:00+10:00"
    assert [unreadable(stamp, "local") for stamp in (plain, utc, local)] == [False, True, True]
    assert [unreadable(stamp, "utc") for stamp in (plain, utc, local)] == [False, False, True]
    assert [unreadable(stamp, "offset") for stamp in (plain, utc, local)] == [True, False, False]


@pytest.mark.parametrize(
    ("stamp_format", "written"),
    [
        ("%d/%m/%Y %H:%M", "07/05/2013 18:00"),
        ("%Y%m%d%H%M", "201305071800"),
        ("%d-%b-%y %I:%M %p", "07-May-13 06:00 PM"),
        ("%d.%m.%Y %H:%M:%S", "7.5.2013 18:00:00"),
    ],
)
def test_stamps_of_another_format_are_read(stamp_format: str, written: str) -> None:
    (row,) = read(f"M1,{written},1", curve(FEED, stamp_format=stamp_format))
    assert (row["read_date"], places(row)) == (date(2013, 5, 7), {1: 18})


def test_2400_of_another_format_is_the_next_midnight() -> None:
    ends = curve(FEED, label="end", stamp_format="%d/%m/%Y %H:%M")
    (row,) = read("M1,24/12/2013 24:00,1", ends)
    assert (row["read_date"], places(row)) == (date(2013, 12, 24), {1: 18})
    (bad,) = read("M1,24/12/2013 24:30,1", ends)
    assert bad["unreadable"] == ["time"]


def test_an_offset_of_another_format_is_understood() -> None:
    (row,) = read("M1,07.05.2013 16:00 +0200,1", curve(FEED, stamps="offset", stamp_format="%d.%m.%Y %H:%M %z"))
    assert (row["read_date"], places(row)) == (date(2013, 5, 8), {1: 0})


# -- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp", ["", "x", "2013-05-01", "2013-02-30T00:00", "2013-05-01T24:30", "2013-05-01T03:00", "0001-01-01T00:00",
              "9999-12-31T00:00", "2013-05-01T06:00:00.5"],
)  # fmt: skip
def test_a_row_that_has_no_place_becomes_a_row_of_its_own(stamp: str) -> None:
    day, lost = read(f"M1,{stamp},7\nM1,2013-05-01T00:00,1")
    assert day["kwh"] == [1, None, None, None]
    assert (lost["read_date"], lost["unreadable"], lost["source_row"], lost["source_rows"]) == (None, ["time"], 1, 1)
    assert dict(lost["raw_values"])["kwh"] == "7"
    assert (lost["total_kwh"], lost["missing_count"], lost["negative_count"]) == (None, None, None)


def test_a_row_without_meter_or_of_an_unknown_channel_becomes_a_row_of_its_own() -> None:
    header = "meter,kind,time,kwh"
    rows = read(",IMP,2013-05-01T00:00,1\nM1,XX,2013-05-01T00:00,2\n  ,IMP,2013-05-01T00:00,3", header=header)
    assert [row["unreadable"] for row in rows] == [["meter"], ["kind"], ["meter"]]
    assert [row["meter_id"] for row in rows] == [None, "M1", None]
    assert {row["read_date"] for row in rows} == {None}


@pytest.mark.parametrize("word", ["--", "nan", "inf", "1.5x", "0x1F"])
def test_an_unreadable_value_is_a_gap_of_its_day_which_names_the_column(word: str) -> None:
    first, second = read(f"""
        M1,2013-05-01T00:00,1
        M2,2013-05-01T00:00,5
        M1,2013-05-01T06:00,{word}
        M1,2013-05-01T12:00,
        M1,2013-05-01T18:00,?
    """)
    assert first["kwh"] == [1, None, None, None]
    assert (first["unreadable"], first["source_rows"], first["source_row"]) == (["kwh"], 4, 3)
    assert dict(first["raw_values"]) == {"meter": "M1", "time": "2013-05-01T06:00", "kwh": word}
    assert (second["unreadable"], second["raw_values"], second["source_row"]) == ([], None, 2)


def test_a_file_whose_times_are_all_other_than_declared_is_refused() -> None:
    rows = "".join(f"M1,2013-05-{n % 28 + 1:02d}T00:00Z,{n}\n" for n in range(60))
    with pytest.raises(BadFile, match=r"m\.csv, column time: of its first 60 times none can be read") as raised:
        read(rows)
    assert "2013" not in str(raised.value)
    assert len(read(rows, curve(HALF_HOURS, stamps="utc"))) == 28


def test_a_person_among_the_values_is_masked() -> None:
    (day,) = read("M1,2013-05-01T00:00,张晓伟")
    assert dict(day["raw_values"])["kwh"] == "[name]"
    (lost,) = read("M1,13812345678,1")
    assert "138" not in str(dict(lost["raw_values"]))


def test_values_that_differ_are_counted_and_the_last_holds() -> None:
    (row,) = read("M1,2013-05-01T00:00,1\nM1,2013-05-01T00:00,2\nM1,2013-05-01T06:00,3\nM1,2013-05-01T06:00,3.0")
    assert (row["kwh"], row["conflict_count"]) == ([2, 3, None, None], 1)


def test_quality_travels_with_each_value() -> None:
    (row,) = read(
        """
        M1,2013-05-01T00:00,1,A
        M1,2013-05-01T06:00,2,E
        M1,2013-05-01T12:00,0,N
        M1,2013-05-01T18:00,4,
        """,
        WITH_QUALITY,
        "meter,time,kwh,flag",
    )
    assert (row["kwh"], row["quality"]) == ([1, 2, None, 4], [1, 2, 0, 1])
    assert (row["measured_count"], row["estimated_count"], row["missing_count"]) == (2, 1, 1)


def test_a_value_of_unknown_quality_does_not_pass_for_measured() -> None:
    (row,) = read("M1,2013-05-01T00:00,1,Z\nM1,2013-05-01T06:00,2,A", WITH_QUALITY, "meter,time,kwh,flag")
    assert (row["kwh"], row["unreadable"]) == ([None, 2, None, None], ["flag"])
    assert dict(row["raw_values"])["flag"] == "Z"


# -- pieces and packed files ------------------------------------------------------------------------------------------


def written(rows: int) -> bytes:
    """Meters by turns, with words, gaps and stamps off the grid among them."""
    lines = ["meter,kind,time,kwh"]
    for n in range(rows):
        value = {0: "--", 5: ""}.get(n % 97, f"{n % 13}.5")
        minute = 7 if n % 101 == 0 else 0
        stamp = np.datetime64("2013-04-05T00:00") + np.timedelta64(30 * (n // 9) + minute, "m")
        lines.append(f"M{n % 9},{'EXP' if n % 3 else 'IMP'},{stamp},{value}")
    return ("\n".join(lines) + "\n").encode()


def test_a_file_read_and_handed_on_in_pieces_gives_the_rows_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(3000)

    def rows() -> list[str]:
        tables = [table for table, _ in iter_long(data, "m.csv", HALF_HOURS)]
        return sorted(str(row) for table in tables for row in table.to_pylist())

    whole = rows()
    monkeypatch.setattr(curve_long, "_PIECE_BYTES", 900)
    monkeypatch.setattr(interval_rows, "_DAYS_A_PIECE", 4)
    monkeypatch.setattr(long_rows, "_ROWS_A_PIECE", 5)
    tables = [table for table, _ in iter_long(data, "m.csv", HALF_HOURS)]
    assert len(tables) > 10
    assert sum(sum(table.column("source_rows").to_pylist()) for table in tables) == 3000
    assert rows() == whole


def _zip(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.csv", data)
    return packed.getvalue()


PACKED = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    ".zip": _zip,
}


@pytest.mark.parametrize("suffix", PACKED)
def test_packed_files_are_read(suffix: str) -> None:
    data = PACKED[suffix](written(300))
    tables = [table for table, _ in READERS.read(data, f"m.csv{suffix}", HALF_HOURS, b"", b"")]
    assert sum(sum(table.column("source_rows").to_pylist()) for table in tables) == 300
