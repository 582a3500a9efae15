"""Says what reads values that Spark cannot: the shape of one, and the expressions to set."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pipelines.sources.date_hints import matches_of
from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.shapes import shape

_WORD = r"[^\W\d]{1,3}\. ?"  # such as Rs. and kr.
_MONEY = re.compile(
    rf"(?:[^\d.,()]{{0,5}}?|{_WORD})([+-]?\d[\d.,' \u00a0\u202f]*)[^\d.,()]{{0,5}}", re.ASCII
)
_SCALED = re.compile(r"\d\s*(k|m|mn|mio|mill?|bn?|mrd|tsd)\b", re.IGNORECASE)  # 12.5k
_BRACKETS = re.compile(r"([^\d.,()]{0,5})\(([^()]*)\)([^\d.,()]{0,5})")  # (9.99) is -9.99
_DASHES = "-\u2212\u2013\u2014"
_SIDES = re.compile(r"\b(cr|dr|db)\b", re.IGNORECASE)  # of an account: who writes it must say

Suggest = Callable[[str, Sequence[str]], Sequence[str]]


def keeping_readable(suggest: Suggest) -> Suggest:
    """The same suggestions for a column of which Spark reads other values as they are."""

    def suggest_both(name: str, texts: Sequence[str]) -> list[str]:
        cast = f"try_cast({plain_or_quoted(name)} AS timestamp)"
        return [f"coalesce({cast}, {sql})" for sql in suggest(name, texts)]

    return suggest_both


def remedy(name: str, texts: Sequence[str], suggest: Suggest) -> str:
    """A sentence with the shape of a value and what to set to read it.

    Args:
        name: the column.
        texts: values of it, at least one.
        suggest: finds the expressions that read them; of several one alone is right.
    """
    first, *others = suggest(name, texts) or [""]
    then = f"set source.columns.{name}: {first}" if first else "convert it in source.columns"
    unless = "".join(f", or {sql}" for sql in others)
    if others:
        unless += " (each of them reads these values, so you must know which is meant)"
    return f"{name} looks like `{shape(min(texts))}`: {then}{unless}."


def suggest_amounts(name: str, texts: Sequence[str]) -> list[str]:
    """Spark SQL that reads a column of amounts.

    Args:
        name: the column.
        texts: values of it that are not numbers to Spark, at least one.

    Returns:
        one expression; two where a comma may stand before decimals or thousands; none where no
        notation is recognised, or where it differs within the column.
    """
    plain = [_without_brackets(text.strip()) for text in texts]
    matches = matches_of(_MONEY, plain)
    unclear = (_SIDES.search(text) or _SCALED.search(text) for text in plain)
    if not matches or any(unclear):
        return []
    digits = [re.sub(r"[^\d.,]", "", match[1]) for match in matches]
    styles = {_decimal_sign(number) for number in digits} - {None}
    signs = [_sign(match[0]) for match in matches]
    if len(styles) == 2 or None in signs:
        return []
    may_be_either = not styles and any("," in number for number in digits)
    listed = [".", ","] if may_be_either else [next(iter(styles), None) or "."]
    is_odd = any(sign == "odd" for sign in signs) or plain != [text.strip() for text in texts]
    column = plain_or_quoted(name)
    if any(re.match(_WORD, text) for text in plain):
        column = f"regexp_replace({column}, '[^0-9]+[.] ?', '')"
    return [_expression(column, sign, is_odd=is_odd) for sign in listed]


def suggest_amount(name: str, texts: Sequence[str]) -> str | None:
    """The likeliest of `suggest_amounts`, or None.

    Args:
        name: the column.
        texts: values of it that are not numbers to Spark, at least one.
    """
    return next(iter(suggest_amounts(name, texts)), None)


def _expression(column: str, decimal: str, *, is_odd: bool) -> str:
    """What keeps an amount's digits, its decimal sign and the sign before it.

    Args:
        column: its SQL.
        decimal: the sign before decimals.
        is_odd: whether negative amounts are written in another way than with a hyphen in front.
    """
    kept = f"0-9{decimal}" if is_odd else f"0-9{decimal}-"
    number = f"regexp_replace({column}, '[^{kept}]', '')"
    if decimal == ",":
        number = f"replace({number}, ',', '.')"
    number = f"cast({number} AS double)"
    if not is_odd:
        return number
    negative = f"if({column} RLIKE '[({_DASHES[1:]}-]', -1, 1)"
    return f"coalesce(try_cast({column} AS double), {negative} * {number})"


def _without_brackets(text: str) -> str:
    """An amount that brackets make negative with a minus in their place."""
    match = _BRACKETS.fullmatch(text)
    return f"{match[1]}-{match[2]}{match[3]}" if match else text


def _sign(text: str) -> str | None:
    """How an amount's sign is written: as SQL reads it, in an odd way, or None: not clear."""
    dashes = [place for place, letter in enumerate(text) if letter in _DASHES]
    if not dashes:
        return "plain"
    first = re.search(r"\d", text)
    if len(dashes) > 1 or first is None:
        return None
    before = dashes[0] < first.start()
    if before and text[dashes[0]] == "-":
        return "plain"
    return "odd" if before or not re.search(r"[.,]\s*.?$", text) else None  # 12.- is no negative


def _decimal_sign(number: str) -> str | None:
    """The sign before the decimals of 1.234,56 or 1,234.56; None where either may be meant."""
    points, commas = number.count("."), number.count(",")
    if points and commas:
        return max(".,", key=number.rfind)
    if points > 1 or (commas == 1 and not re.fullmatch(r"\d{1,3},\d{3}", number)):
        return ","
    return "." if points == 1 or commas > 1 else None
