"""Reads the headers of CSV files, and refuses files that cannot be read with their options."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optdist.errors import DataError
from optdist.files import uri
from pipelines.sources.formats.base import not_a_mark
from pipelines.sources.formats.content import HEAD, require_text
from pipelines.sources.formats.options import require_csv_options
from pipelines.sources.formats.paths import lower_keys

_SEPARATORS = ";\t|,"
_LINES, _RECORD = 1_000, 50  # lines to look at, and the most that one record may have


@dataclass(frozen=True)
class Dialect:
    """How a table's CSV is written."""

    sep: str
    quote: str
    escape: str
    comment: str
    header: bool
    multi_line: bool

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Dialect:
        """The dialect that Spark's options describe.

        Raises:
            DataError: there is no separator, or an option has a value that Spark cannot use.
        """
        given = lower_keys(options)
        sep = given.get("sep", given.get("delimiter", ","))
        if not sep:
            raise DataError(
                "The option sep of a CSV table is empty. Give a separator, such as ','."
            )
        require_csv_options(options)
        return cls(
            sep=sep.replace("\\t", "\t"),
            quote=given.get("quote", '"'),
            escape=given.get("escape", "\\"),
            comment=given.get("comment", ""),
            header=given.get("header", "false").lower() == "true",
            multi_line=given.get("multiline", "false").lower() == "true",
        )

    def records(self, text: str) -> list[list[str]]:
        """The fields of each record of a text, as far as it can be parsed.

        Raises:
            csv.Error: a quote does not end, or what follows it is no separator.
        """
        if len(self.sep) != 1:
            return [line.split(self.sep) for line in io.StringIO(text, newline=None)]
        doubled = self.escape == self.quote
        lines = io.StringIO(text, newline="")
        return list(
            csv.reader(
                lines,
                delimiter=self.sep,
                quotechar=self.quote or None,
                doublequote=doubled,
                escapechar=None if doubled else self.escape or None,
                quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
                strict=True,
            )
        )


def read_header(files: list[Path], options: Mapping[str, str]) -> list[str] | None:
    """The header that all files of a table have; None: there is none, or it cannot be read here.

    Args:
        files: the table's files.
        options: options of Spark's reader, those of the format included.

    Raises:
        DataError: a file is empty, has another header, or cannot be read with the options.
    """
    dialect = Dialect.of(options)
    first: tuple[Path, list[str]] | None = None
    rows = False
    for file in files:
        text = require_text(file, options)
        if text is None:
            return None
        if not text.strip("\r\n"):
            if dialect.header or len(files) == 1:
                raise DataError(f"{file} is empty. Remove it, or export it again.")
            continue
        lines = [line for line in _lines(text) if _has_content(line, dialect)]
        header = _first_record(file, lines, dialect)
        _refuse_json(file, lines)
        _refuse_other_separator(file, header, dialect)
        _refuse_lines_above(file, lines, header, dialect)
        _refuse_open_quotes(file, text, header, dialect)
        _refuse_other_escape(file, lines, header, dialect)
        rows = rows or len(lines) > 1 or not dialect.header
        first = first or (file, header)
        if dialect.header and _plain(header) != _plain(first[1]):
            raise DataError(_explain_other_header(file, header, *first))
    if first is None or not dialect.header:
        return None
    if not rows:
        raise DataError(f"{first[0]} has a header and no row. Export it again.")
    return first[1]


def column_names(header: list[str]) -> list[str]:
    """Names for a header's columns, each once.

    Blanks around names go. A column without a name is called `_c` and its index, as Spark does. A
    doubled name says which column it is, so that whoever uses it sees that there are two. The names
    of marks are taken.
    """
    names = [not_a_mark(name.strip()) for name in header]
    counts = Counter(name.casefold() for name in names)
    return [
        f"_c{i}"
        if not name
        else f"{name} (column {i + 1})"
        if counts[name.casefold()] > 1
        else name
        for i, name in enumerate(names)
    ]


def has_blanks(header: list[str]) -> bool:
    """Whether fields are written with blanks around them, as in `a, b`."""
    return any(name != name.strip() for name in header)


def _lines(text: str) -> list[str]:
    return [line.rstrip("\n") for line in io.StringIO(text, newline=None)]


def _has_content(line: str, dialect: Dialect) -> bool:
    return bool(line.strip()) and not (dialect.comment and line.startswith(dialect.comment))


def _first_record(file: Path, lines: list[str], dialect: Dialect) -> list[str]:
    if not lines:
        raise DataError(f"{file} has nothing but comments or blank lines. Export it again.")
    if len(lines[0]) >= HEAD // 4:
        raise DataError(
            f"The first line of {file} has more than {HEAD // 4:,} letters: it is not a CSV file, "
            f"or its lines end otherwise (option lineSep)."
        )
    text = "\n".join(lines[:_RECORD]) if dialect.multi_line else lines[0]
    try:
        records = dialect.records(text)
    except csv.Error:
        records = dialect.records(lines[0].replace(dialect.quote, ""))
    return records[0] if records else [""]


def _refuse_other_separator(file: Path, header: list[str], dialect: Dialect) -> None:
    if len(header) != 1:
        return
    if header[0].lower().startswith("sep="):
        raise DataError(f"The first line of {file} is {header[0]!r}, a note for Excel. Remove it.")
    other = max(_SEPARATORS, key=header[0].count)
    if other in header[0] and other != dialect.sep:
        written = {"\t": '"\\t"'}.get(other, f"'{other}'")
        raise DataError(
            f"The first line of {file} is one column with the separator {dialect.sep!r}: "
            f"{header[0][:80]!r}. Set options: {{sep: {written}}}."
        )


def _refuse_json(file: Path, lines: list[str]) -> None:
    if re.match(r'\s*(\{\s*"|\[\s*\{)', lines[0]):
        raise DataError(f"{file} is JSON, not CSV. Set format: json.")


def _refuse_lines_above(file: Path, lines: list[str], header: list[str], dialect: Dialect) -> None:
    """A first line of one field above lines of several is a note, not the header."""
    below = lines[1:_RECORD]
    wide = [line for line in below if dialect.sep in line]
    if not dialect.header or len(header) != 1 or len(wide) <= len(below) / 2:
        return
    note = lines[0][:40]
    sign = next((sign for sign in "#%;" if note.startswith(sign)), None)
    remedy = f'Set options: {{comment: "{sign}"}}, or remove' if sign else "Remove"
    raise DataError(
        f"The first line of {file} is not a header: it has one field, {note!r}, and the lines "
        f"below it have several. {remedy} what stands above the header."
    )


def _refuse_other_escape(file: Path, lines: list[str], header: list[str], dialect: Dialect) -> None:
    """Quotes within quotes are written twice, unless `escape` is a backslash."""
    if not dialect.quote or dialect.escape != dialect.quote or dialect.multi_line:
        return
    other = replace(dialect, escape="\\")
    escaped = [line for line in lines[1:_LINES] if f"\\{dialect.quote}" in line]
    right = sum(_fields(line, dialect) == len(header) for line in escaped)
    otherwise = sum(_fields(line, other) == len(header) for line in escaped)
    if otherwise > right:
        raise DataError(
            f"{otherwise:,} of the first lines of {file} have quotes within quotes, written with a "
            f"backslash. Set options: {{escape: '\\'}}."
        )


def _refuse_open_quotes(file: Path, text: str, header: list[str], dialect: Dialect) -> None:
    """Records of several lines are read as several records, unless `multiLine` is set."""
    if dialect.multi_line:
        return
    lines = find_long_record(_lines(text)[:_LINES], len(header), dialect)
    if lines:
        raise DataError(
            f"The record in line {lines[0]} of {file} goes on in line {lines[1]}, within quotes. "
            f"Set options: {{multiLine: true}}."
        )


def find_long_record(lines: list[str], fields: int, dialect: Dialect) -> tuple[int, int] | None:
    """The first and the last line, from 1, of a record that goes on within quotes; None: none.

    Args:
        lines: the first lines of a file.
        fields: how many fields a record has.
        dialect: how the file is written.
    """
    if not dialect.quote or len(dialect.sep) != 1:
        return None
    for i, line in enumerate(lines):
        if dialect.quote in line and _fields(line, dialect) is None:
            for end in range(i + 2, min(i + _RECORD, len(lines)) + 1):
                if _fields("\n".join(lines[i:end]), dialect) == fields:
                    return i + 1, end
    return None


def _fields(text: str, dialect: Dialect) -> int | None:
    """How many fields a text has as one record; None: it is not one record."""
    try:
        records = dialect.records(text)
    except csv.Error:
        return None
    return len(records[0]) if len(records) == 1 else None


def _plain(header: list[str]) -> list[str]:
    return [name.strip().casefold() for name in header]


def _explain_other_header(file: Path, header: list[str], first: Path, others: list[str]) -> str:
    lacks = [name for name in others if name.strip().casefold() not in _plain(header)]
    more = [name for name in header if name.strip().casefold() not in _plain(others)]
    differences = [f"it lacks {', '.join(lacks)}"] if lacks else []
    differences += [f"it also has {', '.join(more)}"] if more else []
    return (
        f"The header of {uri(file)} differs from that of {uri(first)}: "
        f"{' and '.join(differences) or 'the columns are in another order'}. All files of a table "
        f"need the same columns in the same order."
    )
