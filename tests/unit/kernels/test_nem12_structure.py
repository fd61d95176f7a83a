"""What refuses a NEM12 file, with the line and the reason."""

import pytest

from jobs.kernels.files import BadFile
from jobs.kernels.nem12 import iter_nem12
from schemas.feed import Feed, FeedColumn

FEED = Feed(
    name="meter_days",
    table="core.meter_days",
    reader="nem12",
    columns=(
        FeedColumn("meter_id", "NMI"),
        FeedColumn("read_date", "IntervalDate", "date"),
        FeedColumn("channel", "Channel"),
    ),
)
# four intervals a day keep the records readable
STREAM = "200,NMI0000001,E1B1,1,E1,N1,SERIAL1,kWh,360,"
DAY = "300,20240701,1,2,3,4,A,,,20240702010203,"
VARIABLE = "300,20240701,1,2,3,4,V,,,,"
GAP = "a gap or an overlap in the quality of the day's 4 intervals"
DUE = "where intervals of 360 minutes make 4"
NO_QUALITY = "the 300 record has no quality (A, E, F, S, N or V) behind its 4 values"
NO_METHOD = "QualityMethod of the 400 record is none of A, E, F, S and N with their methods"
NO_NUMBER = "of the 400 record is not the number of an interval"
NO_LENGTH = "IntervalLength is not a number of minutes which divides a day"


def file_of(*records: str) -> str:
    return "\n".join(["100,NEM12,202407020102,MDP,RETAILER", *records, "900", ""])


def read(data: str) -> list[dict[str, object]]:
    return [row for rows, _ in iter_nem12(data.encode(), "n.csv", FEED) for row in rows.to_pylist()]


def problem(data: str) -> str:
    """What is said of the file, without its name and without what to do."""
    with pytest.raises(BadFile) as caught:
        read(data)
    said = str(caught.value)
    assert "\n" not in said
    return said.removeprefix("n.csv, ").rpartition(": ")[0]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([DAY], "line 2: a 300 record cannot follow a 100 record, only 200 or 300 or 400 or 500"),
        ([STREAM, STREAM, DAY], "line 3: a 200 record cannot follow a 200 record, only 100 or 300 or 400 or 500"),
        ([STREAM, "400,1,4,A,,", DAY], "line 3: a 400 record cannot follow a 200 record, only 300 or 400"),
        ([], "line 2: the file holds no readings: its end follows its header"),
        ([STREAM, DAY, "900", STREAM, DAY], "line 5: the file goes on after the 900 record that ends it"),
        ([STREAM, DAY, "100,NEM12,202407020102,MDP,R"], "line 4: there is a second header (100 record)"),
        (
            [STREAM, "300,20240701,1,2,", "3,4,A,,,,"],
            "line 4: the line does not begin with the number of a record of NEM12 (100, 200, 300, 400, 500, 900): "
            "a broken line?",
        ),
        ([STREAM, "300,20240701,1,2,3,A,,,,"], f"line 3: the 300 record has 3 values {DUE}"),
        ([STREAM, "300,20240701,1,2,3,4,5,A,,,,"], f"line 3: the 300 record has 5 values {DUE}"),
        ([STREAM, "300,20240701,V,,,20240702010203,"], f"line 3: the 300 record has 0 values {DUE}"),
        ([STREAM, "300,20240701,1,2,3,4,,,,20240702010203,"], f"line 3: {NO_QUALITY}"),
        ([STREAM, "300,20240701,1,2,3,4,X,,,,"], f"line 3: {NO_QUALITY}"),
        ([STREAM, "300,20240701,1,2,3,4,A,,,,,more"], "line 3: the 300 record has 12 fields where it can have 11"),
        ([STREAM, DAY, "300,20240702,1,x,3,4,A,,,,"], "line 4: IntervalValue2 is no number"),
        ([STREAM, "300,20240701,1,2,3,nan,A,,,,"], "line 3: IntervalValue4 is no number"),
        ([STREAM, "300,20240701,1,2,3,1e15,A,,,,"], "line 3: IntervalValue4 is no number"),
        ([STREAM, "300,20240701,1,x,3,inf,A,,,,"], "line 3: IntervalValue2 is no number"),
        ([STREAM, "300,20240230,1,2,3,4,A,,,,"], "line 3: IntervalDate is no date (CCYYMMDD) of this market"),
        ([STREAM, "300,2024-07-01,1,2,3,4,A,,,,"], "line 3: IntervalDate is no date (CCYYMMDD) of this market"),
        ([STREAM, "300,99991231,1,2,3,4,A,,,,"], "line 3: IntervalDate is no date (CCYYMMDD) of this market"),
        ([STREAM, "300,,1,2,3,4,A,,,,"], "line 3: IntervalDate is no date (CCYYMMDD) of this market"),
        (["200,,E1,1,E1,N1,,kWh,360,", DAY], "line 2: the 200 record has no NMI"),
        (["200,NMI0000001,E1,1,,N1,,kWh,360,", DAY], "line 2: the 200 record has no NMISuffix"),
        (["200,NMI0000001,E1,1,E1,N1,,kWh", DAY], "line 2: the 200 record has no IntervalLength"),
        (["200,NMI0000001,E1,1,11,N1,,kWh,360,", DAY], "line 2: NMISuffix is not a letter and a number"),
        (["200,NMI0000001,E1,1,E1,N1,,kWh,7,", DAY], f"line 2: {NO_LENGTH}"),
        (["200,NMI0000001,E1,1,E1,N1,,kWh,0,", DAY], f"line 2: {NO_LENGTH}"),
        (
            ["200,NMI0000001,E1,1,E1,N1,,,360,", DAY],
            "line 2: the suffix says active energy, and UOM is not Wh, kWh, MWh, W, kW or MW",
        ),
        (
            ["200,NMI0000001,E1,1,Q1,N1,,kWh,360,", DAY],
            "line 2: the suffix says reactive energy, and UOM is not varh, kvarh, Mvarh, var, kvar or Mvar",
        ),
        ([STREAM + ",,x", DAY], "line 2: the 200 record has 12 fields where it can have 10"),
        ([STREAM, DAY, "500,,S01,,"], "line 4: TransCode of the 500 record is not a capital letter"),
        ([STREAM, DAY, "500,O,S01,2024,"], "line 4: ReadDateTime of the 500 record is no time (CCYYMMDDhhmmss)"),
    ],
)
def test_a_broken_structure_refuses_the_file_with_its_line(records: list[str], said: str) -> None:
    assert problem(file_of(*records)) == said


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([VARIABLE], "line 3: the quality is V, and no 400 record says of which interval it is which"),
        (
            ["300,20240701,1,2,3,4,A", "400,1,4,A"],
            "line 4: a 400 record stands under a 300 record whose quality is not V",
        ),
        ([VARIABLE, "400,1,3,A,,"], "line 4: the 400 records end with interval 3, the day has 4"),
        ([VARIABLE, "400,1,5,A,,"], "line 4: the 400 records end with interval 5, the day has 4"),
        ([VARIABLE, "400,1,9999999999999,A,,"], f"line 4: EndInterval {NO_NUMBER}"),
        ([VARIABLE, "400,0,4,A,,"], f"line 4: StartInterval {NO_NUMBER}"),
        ([VARIABLE, "400,,4,A,,"], f"line 4: StartInterval {NO_NUMBER}"),
        ([VARIABLE, "400,4,1,A,,"], "line 4: the 400 record ends before it starts"),
        (
            [VARIABLE, "400,1,2,A,,", "400,4,4,A,,"],
            f"line 5: the 400 record starts with interval 4 where 3 is due: {GAP}",
        ),
        (
            [VARIABLE, "400,1,2,A,,", "400,2,4,A,,"],
            f"line 5: the 400 record starts with interval 2 where 3 is due: {GAP}",
        ),
        ([VARIABLE, "400,2,4,A,,"], f"line 4: the 400 record starts with interval 2 where 1 is due: {GAP}"),
        ([VARIABLE, "400,1,4,V,,"], f"line 4: {NO_METHOD}"),
        ([VARIABLE, "400,1,4"], f"line 4: {NO_METHOD}"),
        # the second day's records do not fill up the first day's
        (
            [VARIABLE, "400,1,2,A,,", VARIABLE.replace("0701", "0702"), "400,3,4,A,,"],
            f"line 6: the 400 record starts with interval 3 where 1 is due: {GAP}",
        ),
    ],
)
def test_400_records_must_cover_the_day(records: list[str], said: str) -> None:
    assert problem(file_of(STREAM, *records)) == said


def test_a_file_without_header_or_of_another_version_is_refused() -> None:
    assert (
        problem(f"{STREAM}\n{DAY}\n900\n") == "line 1: the file does not begin with a 100 record: its header is missing"
    )
    assert (
        problem(file_of(STREAM, DAY).replace("NEM12", "NEM13")) == "line 1: the header says NEM13, the feed reads NEM12"
    )
    assert problem("100\n900\n") == "line 1: the header does not say which version, the feed reads NEM12"
    said = problem(file_of(STREAM, DAY).replace("202407020102", "202413020102"))
    assert said == "line 1: the header has no time of its making (CCYYMMDDhhmm)"


def test_a_cut_file_is_refused_wherever_it_is_cut() -> None:
    whole = file_of(STREAM, DAY, DAY.replace("0701", "0702")).rstrip()
    for end in range(len(whole.partition("\n")[0]) + 1, len(whole)):
        assert problem(whole[:end]).endswith("the file is cut: it does not end with a 900 record")


def test_a_file_of_nothing_is_refused() -> None:
    with pytest.raises(BadFile, match="the file is empty: it holds no record"):
        read("\n ,,\r\n")


def test_what_is_no_text_is_refused_with_its_line() -> None:
    with pytest.raises(BadFile, match=r"n\.csv, line 2: it is no text in UTF-8: byte 37 does not exist in it"):
        list(iter_nem12(b"100,NEM12,202407020102,MDP,RETAILER\n\xff", "n.csv", FEED))
    with pytest.raises(BadFile, match="line 2: the line is longer than 256 KiB"):
        read("100,NEM12,202407020102,MDP,RETAILER\n" + "3" * 300_000)


def test_a_message_does_not_quote_what_the_file_holds() -> None:
    said = problem(file_of("200,SECRET1,E1,1,E1,N1,,SECRET2,360,", DAY.replace("2,3", "SECRET3,3")))
    assert "SECRET" not in said


@pytest.mark.parametrize("change", ["\r\n", "\r", "\n\n"])
def test_line_ends_and_empty_lines_change_nothing_but_line_numbers(change: str) -> None:
    (row,) = read(file_of(STREAM, DAY).replace("\n", change))
    assert (row["kwh"], row["source_row"]) == ([1, 2, 3, 4], 5 if change == "\n\n" else 3)


def test_lines_filled_up_with_commas_are_read_as_those_without() -> None:
    padded = "\n".join(line.rstrip(",") + "," * 20 for line in file_of(STREAM, DAY).splitlines())
    assert read(padded) == read(file_of(STREAM, DAY))
