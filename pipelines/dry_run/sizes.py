"""Measures raw tables by their files: bytes, and rows by footers or by the lines of a sample."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow.parquet as pq
from pyspark.sql import DataFrame

MOST_FILES = 200  # footers or heads to look at; the others are taken to be like them
_HEAD = 1 << 20  # bytes


@dataclass(frozen=True)
class Size:
    """The size of a table: None where its storage does not say."""

    bytes: int | None = None
    rows: int | None = None
    is_exact: bool = False  # whether the rows are counted, not estimated

    def __str__(self) -> str:
        """Both in words."""
        if self.bytes is None:
            return "size not known"
        about = "" if self.is_exact else "about "
        rows = "rows not known" if self.rows is None else f"{about}{self.rows:,} rows"
        return f"{rows}, {in_words(self.bytes)}"


def in_words(size: float) -> str:
    """A number of bytes in MB, or GB from one on."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def measure(rows: DataFrame) -> Size:
    """The size of a table, read lazily, by what its files say.

    Args:
        rows: the table; files on other machines are not looked at.
    """
    files = local_files(rows)
    if not files:
        return Size()
    total = sum(file.stat().st_size for file in files)
    looked = files[:: -(-len(files) // MOST_FILES)]
    share = sum(file.stat().st_size for file in looked) / max(total, 1)
    counts = [_rows(file) for file in looked]
    known = [count for count, _ in counts if count is not None]
    if len(known) < len(counts) or not share:
        return Size(total)
    exact = len(looked) == len(files) and all(is_exact for _, is_exact in counts)
    return Size(total, round(sum(known) / share), exact)


def local_files(rows: DataFrame) -> list[Path]:
    """The files of a table, if all of them are on this machine; else none."""
    urls = rows.inputFiles()
    files = [Path(unquote(urlsplit(url).path)) for url in urls if url.startswith("file:")]
    return files if len(files) == len(urls) and all(file.is_file() for file in files) else []


def total_bytes(folders: Sequence[Path]) -> int:
    """The bytes of all files below some folders."""
    files = [path for folder in folders for path in folder.rglob("*")]
    return sum(path.lstat().st_size for path in files if path.is_file())


def _rows(file: Path) -> tuple[float | None, bool]:
    """A file's rows, and whether that is exact."""
    with file.open("rb") as content:
        if content.read(4) == b"PAR1":
            return pq.read_metadata(file).num_rows, True
    return _lines(file)


def _lines(file: Path) -> tuple[float | None, bool]:
    """The lines of a text file by those of its beginning, also of a compressed one."""
    with file.open("rb") as packed:
        if file.suffix in {".zst", ".lz4", ".snappy", ".deflate"}:
            return None, False
        if file.suffix == ".gz":
            text = gzip.GzipFile(fileobj=packed).read(_HEAD)
        elif file.suffix == ".bz2":
            text = bz2.BZ2File(packed).read(_HEAD)
        else:
            text = packed.read(_HEAD)
        used, size = packed.tell(), file.stat().st_size
    lines = text.count(b"\n") + (not text.endswith(b"\n") if text else 0)
    if len(text) < _HEAD:
        return max(lines - 1, 0), False  # without the header; a record may have several lines
    return lines / max(used, 1) * size, False
