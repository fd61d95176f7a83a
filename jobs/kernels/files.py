"""Delivered files as plain bytes, and what is said when one is not what it should be."""

import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from gzip import GzipFile
from pathlib import PurePosixPath

import pyarrow as pa

MAX_EXPANSION = 50
MAX_BYTES = 8 * 1024**3
# so that a tiny file of zeros, which packs better than any curve, is not taken for an attack
_ALWAYS_ALLOWED = 64 * 1024**2
_PIECE = 16 * 1024**2

_AGAIN = "deliver the file again"


class BadFile(Exception):  # noqa: N818 - a name for people: it becomes the message in the ledger, not a crash
    """A file cannot be read as its feed declares. Its text is one line: file, row, column, what is wrong, what to do.

    `row` is the number of the data row, from 1, without the header; of a file whose lines are not all data, `line` is
    the number of the line, from 1. The text never quotes what a data row holds.
    """

    def __init__(
        self,
        file: str,
        problem: str,
        remedy: str,
        row: int | None = None,
        column: str | None = None,
        line: int | None = None,
    ) -> None:
        """Where, what, and what to do."""
        super().__init__(file, problem, remedy, row, column, line)
        self.file, self.problem, self.remedy = file, problem, remedy
        self.row, self.column, self.line = row, column, line

    def __str__(self) -> str:
        """One line."""
        places = {"line": self.line, "row": self.row, "column": self.column}
        where = "".join(f", {name} {place}" for name, place in places.items() if place is not None)
        return f"{self.file}{where}: {self.problem}: {self.remedy}."


def sha256(data: bytes) -> str:
    """Checksum in hexadecimal, as manifests state it."""
    return hashlib.sha256(data).hexdigest()


def open_bytes(data: bytes, name: str) -> bytes:
    """The bytes of the plain file: expanded when the name ends in .gz, .xz, .zst or .zip, unchanged otherwise.

    A zip must hold exactly one file. Expansion is bounded to `MAX_EXPANSION` times the file and to `MAX_BYTES`.
    BadFile for a file that is empty, cut, not of that format, or larger than the bounds.
    """
    if not data:
        raise BadFile(name, "the file is empty (0 bytes)", _AGAIN)
    expand = _EXPANDERS.get(PurePosixPath(name).suffix.lower())
    if expand is None:
        return data
    plain = expand(data, name, expansion_limit(data))
    if not plain:
        raise BadFile(name, "the file is empty once it is expanded", _AGAIN)
    return plain


def expansion_limit(data: bytes) -> int:
    """How many bytes a packed file may hold."""
    return min(max(MAX_EXPANSION * len(data), _ALWAYS_ALLOWED), MAX_BYTES)


def _gzip(data: bytes, name: str, limit: int) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        raise _not_of_format(data, name, "gzip")
    try:
        return _read_all(GzipFile(fileobj=io.BytesIO(data)).read, name, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(name, "gzip") from error


def _xz(data: bytes, name: str, limit: int) -> bytes:
    if not data.startswith(b"\xfd7zXZ\x00"):
        raise _not_of_format(data, name, "xz")
    try:
        return _read_all(lzma.LZMAFile(io.BytesIO(data)).read, name, limit)
    except (EOFError, lzma.LZMAError) as error:
        raise _damaged(name, "xz") from error


def _zst(data: bytes, name: str, limit: int) -> bytes:
    if not data.startswith(b"\x28\xb5\x2f\xfd"):
        raise _not_of_format(data, name, "zstd")
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            return _read_all(stream.read, name, limit)
    except OSError as error:
        raise _damaged(name, "zstd") from error


def _zip(data: bytes, name: str, limit: int) -> bytes:
    if not data.startswith(b"PK"):
        raise _not_of_format(data, name, "zip")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise BadFile(name, f"the zip holds {len(members)} files", "deliver exactly one file in each zip")
            member = members[0]
            if _leaves_its_folder(member.filename):
                raise BadFile(name, "the path of the file in the zip leaves its folder", "deliver it with a plain name")
            if member.flag_bits & 0x1:
                raise BadFile(name, "the zip is encrypted", "deliver it without a password")
            with archive.open(member) as stream:
                return _read_all(stream.read, name, limit)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise _damaged(name, "zip") from error


_EXPANDERS: dict[str, Callable[[bytes, str, int], bytes]] = {".gz": _gzip, ".xz": _xz, ".zst": _zst, ".zip": _zip}


def _read_all(read: Callable[[int], bytes], name: str, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := read(_PIECE):
        size += len(piece)
        if size > limit:
            raise BadFile(
                name,
                f"it expands to more than {limit // 1024**2} MiB, {MAX_EXPANSION} times its size",
                "deliver it in smaller files or not compressed",
            )
        pieces.append(piece)
    return b"".join(pieces)


def _leaves_its_folder(path: str) -> bool:
    parts = path.replace("\\", "/")
    return parts.startswith("/") or ".." in parts.split("/") or ":" in parts


def _not_of_format(data: bytes, name: str, wanted: str) -> BadFile:
    found = "plain text" if data[:1024].isascii() and b"\x00" not in data[:1024] else "something else"
    return BadFile(
        name, f"its name says {wanted}, its content is {found}", "rename it as what it is and deliver it again"
    )


def _damaged(name: str, wanted: str) -> BadFile:
    return BadFile(name, f"the {wanted} file is cut or damaged", _AGAIN)
