"""Guesses from a few values how a column's dates, times or amounts are written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipelines.drafting.names import CODE, TIME, points
from pipelines.sources.date_hints import suggest_timestamps
from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.hints import suggest_amount

_ISO = re.compile(r"\s*(19|20)\d\d-\d{1,2}-\d{1,2}([ T].*)?\s*")
_PLAIN = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_MONEY = re.compile(r"[$€£¥₹]|\d[.,' \u00a0\u202f]\d|\b[A-Z]{3}\b|\bkr\b")  # not 5+
_NO_MONEY = re.compile(r"[A-Za-z]{4}|[:/]|\d-\d")
_MOST = 0.9  # of the values that must be written in one way
_NUMBERED = ("timestamp_", "date_add(")  # SQL that would take any number for a time


def time_readers(name: str, texts: Sequence[str], *, is_number: bool) -> list[str]:
    """Spark SQL expressions that may read a column as dates or times, the likeliest first.

    Args:
        name: the column.
        texts: values of it.
        is_number: whether the column is a number in the file.
    """
    column = plain_or_quoted(name)
    if not is_number and _share(_ISO, texts) >= _MOST:
        return [f"try_cast({column} AS timestamp)"]
    readers = suggest_timestamps(name, texts) if texts else []
    if not readers or (readers[0].startswith(_NUMBERED) and points(name, TIME) <= 0):
        return []
    if is_number:
        text = f"to_date(cast({column} AS string),"
        readers = [sql.replace(f"to_date({column},", text) for sql in readers]
    swapped = [other for sql in readers if (other := _day_and_month_swapped(sql))]
    return list(dict.fromkeys([*readers, *swapped]))


def amount_reader(name: str, texts: Sequence[str]) -> str | None:
    """Spark SQL that reads `$1,234.50` or `12,50 EUR` in a column; None: no need, or no amounts.

    Args:
        name: the column.
        texts: values of it.
    """
    others = [text for text in texts if not _PLAIN.fullmatch(text)]
    is_money = all(_MONEY.search(text) and not _NO_MONEY.search(text) for text in others)
    if not others or not is_money or points(name, CODE) > 0:
        return None
    return suggest_amount(name, texts)


def _share(pattern: re.Pattern[str], texts: Sequence[str]) -> float:
    return sum(bool(pattern.fullmatch(text)) for text in texts) / max(len(texts), 1)


def _day_and_month_swapped(sql: str) -> str | None:
    """The same with M/d for d/M, or the other way round; None where there is no such order."""
    match = re.search(r"'(dd?|MM?)([./ -])(MM?|dd?)\2y", sql)
    if not match:
        return None
    return sql.replace(f"'{match[1]}{match[2]}{match[3]}", f"'{match[3]}{match[2]}{match[1]}", 1)
