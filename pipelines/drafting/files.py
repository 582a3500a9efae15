"""Finds how a table's files are written: format, separator, header, encoding."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from optdist.config.tables import TableConfig
from pipelines.drafting.checking import Check, resolved_table
from pipelines.drafting.names import identifier
from pipelines.drafting.request import Request
from pipelines.sources.formats.content import read_head, require_text
from pipelines.sources.formats.headers import Dialect, find_long_record
from pipelines.sources.formats.paths import list_files, resolve_path
from pipelines.sources.formats.suffixes import DEFAULT, format_of

_SEPARATORS = ",;\t|"
_LINES = 200
_VALUE = re.compile(r"\s*[+-]?[\d.,/: -]*\d[\d.,/: -]*\s*")  # a number or a date
_PACKED = re.compile(r"\.(gz|bz2|zst|lz4|zip|csv|tsv|tab|txt|jsonl?|ndjson|parquet|parq|pq)$")


def table_of(argument: str, request: Request, check: Check) -> tuple[str, TableConfig, TableConfig]:
    """The name of a table, and its settings as they are written and as they are read.

    Args:
        argument: a path, or NAME=PATH.
        request: format and options that the user gives.
        check: reads a document as the jobs will.

    Raises:
        DataError: there is no such file, or its format is not known.
    """
    name, separator, path = argument.partition("=")
    if not separator or not re.fullmatch(r"[A-Za-z_]\w*", name):
        name, path = _stem(argument), argument
    options = dict(request.options)
    table = TableConfig(path=path, format=request.format or DEFAULT, options=options)
    resolved = resolved_table(check, name, table)
    kind = format_of(name, resolved)
    if kind == "csv":
        is_remote = "://" in resolve_path(resolved.path)
        found = {} if is_remote else _csv_options(resolved.path, resolved.options)
        changes = {"format": "csv", "options": {**found, **table.options}}
        secret = changes | {"options": {**found, **resolved.options}}
        return name, table.model_copy(update=changes), resolved.model_copy(update=secret)
    return name, table, resolved


def _stem(path: str) -> str:
    stem = path.rstrip("/").rpartition("/")[2]
    while _PACKED.search(stem.lower()):
        stem = stem.rpartition(".")[0]
    return identifier(stem)


def _csv_options(path: str, options: Mapping[str, str]) -> dict[str, str]:
    """The options that the first lines of a table's first file call for."""
    files = [file for file in list_files(resolve_path(path), options) if file.stat().st_size]
    if not files:
        return {}
    found = {} if "encoding" in options else _encoding(files[0])
    text = require_text(files[0], {**found, **options})
    if not text or not text.strip():
        return found
    lines = [line for line in text.splitlines()[:_LINES] if line.strip()]
    if len(text.splitlines()) <= _LINES and not text.endswith("\n") and len(lines) > 1:
        lines = lines[:-1]  # it may be cut
    sep = options.get("sep", _separator(lines))
    if sep not in {",", options.get("sep")} and files[0].suffix not in {".tsv", ".tab"}:
        found["sep"] = sep
    dialect = Dialect.of({"sep": sep, "escape": '"', **found, **options})
    if "header" not in options and not _has_header(lines, dialect):
        found["header"] = "false"
    fields = lines[0].count(sep) + 1
    if "multiLine" not in options and find_long_record(lines, fields, dialect):
        found["multiLine"] = "true"
    return found


def _encoding(file: Path) -> dict[str, str]:
    head = read_head(file) or b""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return {"encoding": "UTF-16", "multiLine": "true"}
    try:
        head[: head.rfind(b"\n") + 1].decode("utf-8-sig")
    except UnicodeDecodeError:
        return {} if b"\0" in head else {"encoding": "windows-1252"}
    return {}


def _separator(lines: list[str]) -> str:
    """The sign that most lines have equally often."""

    def agreement(sep: str) -> tuple[int, int]:
        [(count, same)] = Counter(line.count(sep) for line in lines).most_common(1)
        return (same if count else 0), count

    return max(_SEPARATORS, key=agreement)


def _has_header(lines: list[str], dialect: Dialect) -> bool:
    """Whether the first line names columns: no field of it is a number or a date."""
    try:
        first = dialect.records(lines[0])[0]
    except (csv.Error, IndexError):
        return True
    return not any(_VALUE.fullmatch(field) for field in first)
