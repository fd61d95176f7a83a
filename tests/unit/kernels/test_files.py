import gzip
import io
import lzma
import pickle
import zipfile

import pytest
import zstandard

from jobs.kernels.files import BadFile, open_bytes, sha256

PLAIN = "电表编号,数据日期\nM1,2025-06-30\n".encode() * 100


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plain.csv", PLAIN),
        ("a.csv.gz", gzip.compress(PLAIN, mtime=0)),
        ("two_members.gz", gzip.compress(PLAIN[:500], mtime=0) + gzip.compress(PLAIN[500:], mtime=0)),
        ("a.csv.xz", lzma.compress(PLAIN)),
        ("a.CSV.ZST", zstandard.compress(PLAIN)),
        ("a.zip", zipped(**{"folder/": "", "folder/a.csv": PLAIN.decode()})),
    ],
)
def test_a_file_is_expanded_by_its_extension(name: str, data: bytes) -> None:
    assert open_bytes(data, name) == PLAIN


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.csv", b"", "a.csv: the file is empty (0 bytes): deliver the file again."),
        ("a.gz", gzip.compress(b"", mtime=0), "the file is empty once it is expanded"),
        ("a.gz", PLAIN, "its name says gzip, its content is something else: rename it"),
        ("a.gz", b"a,b\n1,2\n", "its name says gzip, its content is plain text: rename it"),
        ("a.xz", PLAIN, "its name says xz"),
        ("a.zst", PLAIN, "its name says zstd"),
        ("a.zip", PLAIN, "its name says zip"),
        ("a.gz", gzip.compress(PLAIN, mtime=0)[:-9], "the gzip file is cut or damaged"),
        ("a.xz", lzma.compress(PLAIN)[:-9], "the xz file is cut or damaged"),
        ("a.zst", zstandard.compress(PLAIN)[:-9], "the zstd file is cut or damaged"),
        ("a.zip", zipped(a="x" * 99)[:-9], "the zip file is cut or damaged"),
        ("a.zip", zipped(a="x", b="y"), "the zip holds 2 files: deliver exactly one"),
        ("a.zip", zipped(**{"../a.csv": "x"}), "the path of the file in the zip leaves its folder"),
        ("a.zip", zipped(**{"C:\\a.csv": "x"}), "the path of the file in the zip leaves its folder"),
        ("a.gz", gzip.compress(bytes(70 * 1024**2)), "it expands to more than 64 MiB"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_says_so(name: str, data: bytes, problem: str) -> None:
    with pytest.raises(BadFile) as caught:
        open_bytes(data, name)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_damaged_byte_in_a_gzip_is_found() -> None:
    data = gzip.compress(PLAIN, mtime=0)
    for place in range(10, len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        with pytest.raises(BadFile, match="cut or damaged"):
            open_bytes(bytes(damaged), "a.gz")


def test_a_bad_file_keeps_its_words_on_the_way_from_a_worker() -> None:
    error = BadFile("a.csv", "the row has 2 columns", "deliver it again", row=7, column="电量(kWh)")
    assert str(error) == "a.csv, row 7, column 电量(kWh): the row has 2 columns: deliver it again."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_message_of_a_file_whose_lines_are_not_all_data_names_the_line() -> None:
    error = BadFile("a.csv", "it goes on after its end", "deliver it again", line=7)
    assert (str(error), error.line, error.row) == (
        "a.csv, line 7: it goes on after its end: deliver it again.",
        7,
        None,
    )


def test_the_checksum_is_that_of_manifests() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
