"""Recognises how dates and amounts that Spark cannot read are written, and says what reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.shapes import shape

_MOST = 0.9  # of the texts that must be written in one way
_PARTS = re.compile(r"(\d{1,4})([./ -])(\d{1,2})\2(\d{1,4})(.*)")
_MONTH = re.compile(r"(\d{1,2})([ -])([A-Za-z]{3})\2(\d{2,4})(.*)")
_TIME = re.compile(r"([ T])\d{1,2}:\d\d(:\d\d)?(\.\d+)?( ?[AaPp][Mm])?")
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\.0+)?")
_MONEY = re.compile(r"[^\d.,()]{0,5}?([+-]?\d[\d.,' \u00a0\u202f]*)[^\d.,()]{0,5}")


def suggest_timestamp(name: str, texts: Sequence[str]) -> str | None:
    """Spark SQL that reads a column of dates or times; None where no notation is recognised.

    Args:
        name: the column.
        texts: values of it that are not dates to Spark, at least one.
    """
    values = [text.strip() for text in texts]
    for suggest in (_parts, _month_name, _compact, _number_of_time):
        sql = suggest(plain_or_quoted(name), values)
        if sql:
            return sql
    return None


def suggest_day_of_number(name: str, texts: Sequence[str], *, whole: bool) -> str | None:
    """Spark SQL that reads a column of numbers as days or times; None where none is recognised.

    Args:
        name: the column, which is a number in the table.
        texts: the whole part of its values, at least one.
        whole: whether it is of a type of whole numbers.
    """
    column = plain_or_quoted(name)
    if _matches(_COMPACT, texts):
        number = column if whole else f"cast({column} AS bigint)"
        return f"to_date(cast({number} AS string), 'yyyyMMdd')"
    return _number_of_time(column, texts)


def keeping_readable(
    suggest: Callable[[str, Sequence[str]], str | None],
) -> Callable[[str, Sequence[str]], str | None]:
    """The same suggestion for a column of which Spark reads other values as they are."""

    def suggest_both(name: str, texts: Sequence[str]) -> str | None:
        sql = suggest(name, texts)
        return f"coalesce(try_cast({plain_or_quoted(name)} AS timestamp), {sql})" if sql else None

    return suggest_both


def remedy(
    name: str, texts: Sequence[str], suggest: Callable[[str, Sequence[str]], str | None]
) -> str:
    """A sentence with the shape of a value and what to set to read it.

    Args:
        name: the column.
        texts: values of it, at least one.
        suggest: finds the expression that reads them.
    """
    sql = suggest(name, texts)
    then = f"set source.columns.{name}: {sql}" if sql else "convert it in source.columns"
    return f"{name} looks like `{shape(min(texts))}`: {then}."


def suggest_amount(name: str, texts: Sequence[str]) -> str | None:
    """Spark SQL that reads a column of amounts; None where no notation is recognised.

    Args:
        name: the column.
        texts: values of it that are not numbers to Spark, at least one.
    """
    matches = _matches(_MONEY, [text.strip() for text in texts])
    styles = {_decimal_sign(re.sub(r"[^\d.,]", "", match[1])) for match in matches} - {None}
    if not matches or len(styles) == 2:  # both notations in one column: whoever made it must say
        return None
    column = plain_or_quoted(name)
    if styles == {","}:
        return f"cast(replace(regexp_replace({column}, '[^0-9,-]', ''), ',', '.') AS double)"
    return f"cast(regexp_replace({column}, '[^0-9.-]', '') AS double)"


def _matches(pattern: re.Pattern[str], texts: Sequence[str]) -> list[re.Match[str]]:
    """The matches of whole texts, or none where too few match."""
    matches = [match for text in texts if (match := pattern.fullmatch(text))]
    return matches if texts and len(matches) >= _MOST * len(texts) else []


def _parts(column: str, texts: Sequence[str]) -> str | None:
    """Day, month and year as numbers with a sign between them."""
    matches = _matches(_PARTS, texts)
    if not matches or len({match[2] for match in matches}) > 1:
        return None
    sign, parts = matches[0][2], [[match[i] for match in matches] for i in (1, 3, 4)]
    short = any(len(part) == 1 for i in (0, 1, 2) for part in parts[i])
    day, month = ("d", "M") if short else ("dd", "MM")
    if all(len(part) == 4 for part in parts[0]):
        order = ["yyyy", month, day]
    else:
        year = "yyyy" if all(len(part) == 4 for part in parts[2]) else "yy"
        american = any(int(part) > 12 for part in parts[1])
        order = [month, day, year] if american else [day, month, year]
    return _parse(column, sign.join(order), [match[5] for match in matches])


def _month_name(column: str, texts: Sequence[str]) -> str | None:
    """31-Jan-2024."""
    matches = _matches(_MONTH, texts)
    if not matches or len({match[2] for match in matches}) > 1:
        return None
    day = "d" if any(len(match[1]) == 1 for match in matches) else "dd"
    year = "yyyy" if all(len(match[4]) == 4 for match in matches) else "yy"
    pattern = matches[0][2].join([day, "MMM", year])
    return _parse(column, pattern, [match[5] for match in matches])


def _parse(column: str, pattern: str, times: Sequence[str]) -> str | None:
    """Parse a date, with the time of day behind it if there is one."""
    if not any(times):
        return f"to_date({column}, '{pattern}')"
    matches = [_TIME.fullmatch(time) for time in times]
    first = matches[0]
    if first is None or not all(matches):
        return None
    gap = "'T'" if first[1] == "T" else " "
    hours = "h:mm" if first[4] else "H:mm"
    noon = (" a" if " " in first[4] else "a") if first[4] else ""
    fraction = "[.SSSSSS][.SSS]" if first[3] else ""
    pattern = f"{pattern}{gap}{hours}[:ss]{fraction}{noon}".replace("'", "\\'")
    return f"to_timestamp({column}, '{pattern}')"


def _compact(column: str, texts: Sequence[str]) -> str | None:
    """20240131, also as the number 20240131.0."""
    matches = _matches(_COMPACT, texts)
    if not matches:
        return None
    whole = f"cast(cast({column} AS bigint) AS string)"
    return f"to_date({whole if any(match[4] for match in matches) else column}, 'yyyyMMdd')"


def _number_of_time(column: str, texts: Sequence[str]) -> str | None:
    """Seconds, milliseconds or microseconds since 1970, or the days of a spreadsheet."""
    if not _matches(re.compile(r"\d+(\.\d+)?"), texts):
        return None
    digits = {len(text.partition(".")[0]) for text in texts}
    for lengths, sql in (
        ({9, 10}, f"timestamp_seconds(cast({column} AS bigint))"),
        ({12, 13}, f"timestamp_millis(cast({column} AS bigint))"),
        ({15, 16}, f"timestamp_micros(cast({column} AS bigint))"),
        ({5}, f"date_add('1899-12-30', cast({column} AS int))"),
    ):
        if digits <= lengths:
            return sql
    return None


def _decimal_sign(number: str) -> str | None:
    """The sign before the decimals of 1.234,56 or 1,234.56; None where either may be meant."""
    points, commas = number.count("."), number.count(",")
    if points and commas:
        return max(".,", key=number.rfind)
    if points > 1 or (commas == 1 and not re.fullmatch(r"\d{1,3},\d{3}", number)):
        return ","
    return "." if points == 1 or commas > 1 else None
