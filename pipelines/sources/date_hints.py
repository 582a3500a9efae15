"""Recognises how dates that Spark cannot read are written, and says what reads them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.sources.formats.names import plain_or_quoted

MOST = 0.9  # of the texts that must be written in one way
_PARTS = re.compile(r"(\d{1,4})([./ -])(\d{1,2})\2(\d{1,4})(.*)")
_NAMED = re.compile(r"(\d{1,4})([./ -])([A-Za-z]{3,9})\2(\d{1,4})(.*)")
_TIME = re.compile(r"([ T])\d{1,2}:\d\d(:\d\d)?(\.\d+)?( ?[AaPp][Mm])?")
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\.0+)?")
_COMPACT_TIME = re.compile(r"\d{8}([ T]?)([01]\d|2[0-3])(:?)[0-5]\d\3([0-5]\d)")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(,?) (\d{4})")
_MONTHS = {
    dt.date(2000, month, 1).strftime(form).lower(): month
    for month in range(1, 13)
    for form in ("%b", "%B")
}
_SHORT = 3  # letters of a month's short name
_CENTURY = 100  # years; Spark reads yy as a year from 2000 on


class _Order(NamedTuple):
    """What the three parts of a date are, such as `dMy`; the likelier order of a group first."""

    parts: str
    group: int = 0


class _Reading(NamedTuple):
    """How well an order reads some texts.

    Args:
        order: what the parts are.
        share: of texts that are days until today.
        late: of texts that are days, if those after today are of the century before.
        years: how many different years the texts are of.
    """

    order: _Order
    share: float
    late: float
    years: int


def suggest_timestamps(name: str, texts: Sequence[str]) -> list[str]:
    """Spark SQL that reads a column of dates or times, the likeliest first.

    Args:
        name: the column.
        texts: values of it that are not dates to Spark.

    Returns:
        one expression; several where day, month and year may be in another order; none where no
        notation is recognised.
    """
    values = [text.strip() for text in texts]
    for suggest in (_parts, _month_first, _compact, _compact_time, _number_of_time):
        expressions = suggest(plain_or_quoted(name), values)
        if expressions:
            return expressions
    return []


def suggest_timestamp(name: str, texts: Sequence[str]) -> str | None:
    """The likeliest of `suggest_timestamps`, or None.

    Args:
        name: the column.
        texts: values of it that are not dates to Spark.
    """
    return next(iter(suggest_timestamps(name, texts)), None)


def suggest_day_of_number(name: str, texts: Sequence[str], *, whole: bool) -> str | None:
    """Spark SQL that reads a column of numbers as days or times; None where none is recognised.

    Args:
        name: the column, which is a number in the table.
        texts: the whole part of its values, at least one.
        whole: whether it is of a type of whole numbers.
    """
    column = plain_or_quoted(name)
    if matches_of(_COMPACT, texts):
        number = column if whole else f"cast({column} AS bigint)"
        return f"to_date(cast({number} AS string), 'yyyyMMdd')"
    return next(iter(_number_of_time(column, texts)), None)


def matches_of(pattern: re.Pattern[str], texts: Sequence[str]) -> list[re.Match[str]]:
    """The matches of whole texts, or none where too few match.

    Args:
        pattern: a notation.
        texts: values.
    """
    matches = [match for text in texts if (match := pattern.fullmatch(text))]
    return matches if texts and len(matches) >= MOST * len(texts) else []


def _parts(column: str, texts: Sequence[str]) -> list[str]:
    """Day, month and year with a sign between them, the month as a number or a name."""
    matches = matches_of(_PARTS, texts)
    orders = [_Order("dMy"), _Order("Mdy"), _Order("yMd"), _Order("ydM", 1)]
    if not matches:
        matches, orders = matches_of(_NAMED, texts), [_Order("dMy"), _Order("yMd")]
    if not matches or len({match[2] for match in matches}) > 1:
        return []
    days = [(match[1], match[3], match[4]) for match in matches]
    today = dt.datetime.now(dt.UTC).date()
    readings = [_read(days, order, today) for order in orders]
    times = [match[5] for match in matches]
    expressions = []
    for order, is_late in _best(readings):
        pattern = matches[0][2].join(_pattern_of(days, order.parts))
        expressions.append(_parse(column, pattern, times, today.year if is_late else None))
    return [sql for sql in expressions if sql]


def _read(days: Sequence[tuple[str, ...]], order: _Order, today: dt.date) -> _Reading:
    """How many texts are dates in an order."""
    dates = [_date(day, order.parts) for day in days]
    known = [date for date in dates if date]
    past = [date for date in known if date <= today]
    short = all(len(day[order.parts.index("y")]) == 2 for day in days)
    return _Reading(
        order,
        share=len(past) / len(days),
        late=len(known) / len(days) if short else 0.0,
        years=len({date.year for date in known}),
    )


def _date(day: Sequence[str], order: str) -> dt.date | None:
    """The date, of a year with two or four digits."""
    parts = dict(zip(order, day, strict=True))
    month = int(parts["M"]) if parts["M"].isdigit() else _MONTHS.get(parts["M"].lower(), 0)
    if len(parts["y"]) not in {2, 4} or len(parts["d"]) > 2:
        return None
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    try:
        return dt.date(year, month, int(parts["d"]))
    except ValueError:
        return None


def _best(readings: Sequence[_Reading]) -> list[tuple[_Order, bool]]:
    """The orders that read most texts, and whether a part of the dates is of the last century.

    Of orders that read the same, one in which the years differ less is likelier.
    """
    measures: tuple[tuple[Callable[[_Reading], float], bool], ...] = (
        (lambda reading: reading.share, False),
        (lambda reading: reading.late, True),
    )
    for measure, is_late in measures:
        most = max(map(measure, readings))
        if most >= MOST:
            best = [reading for reading in readings if measure(reading) == most]
            first = min(reading.order.group for reading in best)
            best = [reading for reading in best if reading.order.group == first]
            return [(r.order, is_late) for r in sorted(best, key=lambda reading: reading.years)]
    return []


def _pattern_of(days: Sequence[tuple[str, ...]], order: str) -> list[str]:
    """The parts of Spark's pattern, in their order."""
    texts = {letter: [day[place] for day in days] for place, letter in enumerate(order)}
    numbers = [text for letter in "dM" for text in texts[letter] if text.isdigit()]
    letters = "d" if any(len(text) == 1 for text in numbers) else "dd"
    month = letters.upper().replace("D", "M")
    if not texts["M"][0].isdigit():
        month = "MMM" if all(len(text) == 3 for text in texts["M"]) else "MMMM"
    year = "yyyy" if all(len(text) == 4 for text in texts["y"]) else "yy"
    return [{"d": letters, "M": month, "y": year}[letter] for letter in order]


def _parse(column: str, pattern: str, times: Sequence[str], latest: int | None) -> str | None:
    """Parse a date, with the time of day behind it if there is one.

    Args:
        column: its SQL.
        pattern: of the date.
        times: what stands behind the dates.
        latest: years after it are of the century before; None: there are none.
    """
    parsed = f"to_date({column}, '{pattern}')"
    if any(times):
        matches = [_TIME.fullmatch(time) for time in times]
        first = matches[0]
        if first is None or not all(matches):
            return None
        gap = "'T'" if first[1] == "T" else " "
        hours = "h:mm" if first[4] else "H:mm"
        noon = (" a" if " " in first[4] else "a") if first[4] else ""
        fraction = "[.SSSSSS][.SSS]" if first[3] else ""
        pattern = f"{pattern}{gap}{hours}[:ss]{fraction}{noon}".replace("'", "\\'")
        parsed = f"to_timestamp({column}, '{pattern}')"
    if latest is None:
        return parsed
    earlier = f"INTERVAL '{_CENTURY}' YEAR"
    return f"{parsed} - if(year({parsed}) > {latest}, {earlier}, INTERVAL '0' YEAR)"


def _compact(column: str, texts: Sequence[str]) -> list[str]:
    """20240131, also as the number 20240131.0."""
    matches = matches_of(_COMPACT, texts)
    if not matches:
        return []
    whole = f"cast(cast({column} AS bigint) AS string)"
    return [f"to_date({whole if any(match[4] for match in matches) else column}, 'yyyyMMdd')"]


def _compact_time(column: str, texts: Sequence[str]) -> list[str]:
    """20240131 09:05:00, 20240131T090500 or 20240131090500."""
    matches = matches_of(_COMPACT_TIME, texts)
    signs = {(match[1], match[3]) for match in matches}
    if len(signs) != 1 or not all(_COMPACT.fullmatch(match[0][:8]) for match in matches):
        return []
    [(gap, colon)] = signs
    gap = "\\'T\\'" if gap == "T" else gap
    return [f"to_timestamp({column}, 'yyyyMMdd{gap}HH{colon}mm{colon}ss')"]


def _month_first(column: str, texts: Sequence[str]) -> list[str]:
    """Jan 31, 2024."""
    matches = matches_of(_MONTH_FIRST, texts)
    commas = {match[3] for match in matches}
    if len(commas) != 1 or any(match[1].lower() not in _MONTHS for match in matches):
        return []
    month = "MMM" if all(len(match[1]) == _SHORT for match in matches) else "MMMM"
    return [f"to_date({column}, '{month} d{commas.pop()} yyyy')"]


def _number_of_time(column: str, texts: Sequence[str]) -> list[str]:
    """Seconds since 1970, down to nanoseconds, or the days of a spreadsheet."""
    if not matches_of(re.compile(r"\d+(\.\d+)?"), texts):
        return []
    digits = {len(text.partition(".")[0]) for text in texts}
    for lengths, sql in (
        ({9, 10}, f"timestamp_seconds(cast({column} AS bigint))"),
        ({12, 13}, f"timestamp_millis(cast({column} AS bigint))"),
        ({15, 16}, f"timestamp_micros(cast({column} AS bigint))"),
        ({18, 19}, f"timestamp_micros(cast({column} AS bigint) div 1000)"),
        ({5}, f"date_add('1899-12-30', cast({column} AS int))"),
    ):
        if digits <= lengths:
            return [sql]
    return []
