"""Looks at the first bytes of a raw text file, and says what it is if it is not text of UTF-8."""

from __future__ import annotations

import bz2
import codecs
import gzip
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from optdist.errors import DataError
from pipelines.sources.formats.paths import lower_keys

HEAD = 1 << 18  # bytes to look at
_OTHER_CODECS = {".zst", ".lz4", ".snappy", ".deflate"}  # which Spark reads and Python does not
_ARCHIVE = "Unpack it, and give the file that is in it; Spark reads .gz and .bz2 as they are."
_EXCEL = "Save the sheet as CSV UTF-8, and set format: csv."
_UTF16 = (
    "Convert it (iconv -f UTF-16 -t UTF-8), or set options: {encoding: UTF-16, multiLine: true}."
)
_ZIP = b"PK\x03\x04"
_SIGNS: list[tuple[bytes, str, str]] = [
    (_ZIP, "a zip archive", _ARCHIVE),
    (b"PK\x05\x06", "an empty zip archive", "Get the file again."),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls)", _EXCEL),
    (b"7z\xbc\xaf", "a 7z archive", _ARCHIVE),
    (b"Rar!", "a rar archive", _ARCHIVE),
    (b"\xfd7zXZ", "compressed with xz", "Compress it with gzip, or not at all."),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Give it a name that ends with .zst."),
    (b"\x1f\x8b", "compressed with gzip", "Give it a name that ends with .gz."),
    (b"BZh", "compressed with bzip2", "Give it a name that ends with .bz2."),
    (b"PAR1", "a Parquet file", "Set format: parquet."),
    (b"ORC", "an ORC file", "Export it to Parquet or CSV."),
    (b"Obj\x01", "an Avro file", "Export it to Parquet or CSV."),
    (b"ARROW1", "an Arrow (Feather) file", "Export it to Parquet or CSV."),
    (b"%PDF", "a PDF", "Export the table as CSV."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "Run git lfs pull."),
    (b"<!DOCTYPE", "a web page", "Download the file again: a login page may have come instead."),
    (b"<html", "a web page", "Download the file again: a login page may have come instead."),
    (b"<?xml", "an XML file", "Export the table as CSV."),
    (b"\xff\xfe", "text in UTF-16, not UTF-8", _UTF16),
    (b"\xfe\xff", "text in UTF-16, not UTF-8", _UTF16),
]


def read_head(file: Path) -> bytes | None:
    """The first bytes of a file, unpacked; None: compressed as Python cannot read it.

    Raises:
        DataError: the file cannot be read, or is damaged.
    """
    if file.suffix in _OTHER_CODECS:
        return None
    try:
        with open_unpacked(file) as content:
            return content.read(HEAD)
    except gzip.BadGzipFile as error:
        raise DataError(f"{file} is not compressed with gzip, as its name says. Rename it.") from (
            error
        )
    except (EOFError, zlib.error) as error:
        raise DataError(explain_damage(str(file))) from error
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error


def recognize(file: Path, head: bytes) -> tuple[str, str] | None:
    """What a file is by its first bytes, and what to do with it; None: none of what is known.

    Args:
        file: the file.
        head: its first bytes.
    """
    if head[257:262] == b"ustar":
        return "a tar archive", _ARCHIVE
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower()
    for sign, kind, remedy in _SIGNS:
        if head.startswith(sign) or (sign.startswith(b"<") and text.startswith(sign.lower())):
            return ("an Excel file", _EXCEL) if _is_office(file, sign) else (kind, remedy)
    return None


def explain_damage(file: str) -> str:
    """What to say of a compressed file that ends early or has wrong bytes."""
    return f"{file} is damaged or cut short: it cannot be read to its end. Get it again."


def require_text(file: Path, options: Mapping[str, str]) -> str | None:
    """The first lines of a text file, decoded; None: compressed as Python cannot read it.

    Args:
        file: the file.
        options: the table's options, which may name an encoding.

    Raises:
        DataError: the file is something else, or its encoding is not the one of the options.
    """
    head = read_head(file)
    if head is None:
        return None
    encoding = _encoding(options)
    known = recognize(file, head)
    if known and not (encoding and known[1] is _UTF16):
        raise DataError(f"{file} is {known[0]}. {known[1]}")
    if encoding:
        return _decode_as(file, head, encoding, options)
    if b"\0" in head:
        raise DataError(f"{file} has NUL bytes: it is binary, or text in UTF-16. {_UTF16}")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # may end within a letter
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file} is not UTF-8 (line {line}: byte 0x{head[error.start]:02x}). Set options: "
            f"{{encoding: windows-1252}}, or the encoding that it has."
        ) from error


def open_unpacked(file: Path) -> gzip.GzipFile | bz2.BZ2File | IO[bytes]:
    """Open a file to read its bytes, unpacked if its name ends with .gz or .bz2."""
    if file.suffix == ".gz":
        return gzip.open(file)
    return bz2.open(file) if file.suffix == ".bz2" else file.open("rb")


def _encoding(options: Mapping[str, str]) -> str | None:
    lowered = lower_keys(options)
    name = lowered.get("encoding", lowered.get("charset", "utf-8"))
    return None if name.lower().replace("-", "") == "utf8" else name


def _decode_as(file: Path, head: bytes, encoding: str, options: Mapping[str, str]) -> str:
    wide = encoding.lower().startswith(("utf-16", "utf-32", "utf16", "utf32"))
    if wide and lower_keys(options).get("multiline", "false").lower() != "true":
        raise DataError(
            f"{file} has the encoding {encoding}, which Spark reads with multiLine alone. Set "
            f"options: {{encoding: {encoding}, multiLine: true}}, or convert it to UTF-8."
        )
    try:
        return codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff")
    except LookupError:  # one of Java's names
        return head.decode("latin-1")
    except UnicodeError as error:
        raise DataError(
            f"{file} is not text in {encoding}: {error}. Change or remove the option encoding."
        ) from error


def _is_office(file: Path, sign: bytes) -> bool:
    if sign != _ZIP:
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False
