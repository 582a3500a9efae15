"""Guesses what a bad row is worth, so that few rows with much money do not go unnoticed."""

from __future__ import annotations

import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.sources.columns import RAGGED, parse_number
from pipelines.sources.typed import raw_text

_WHOLE_AND_CENTS = r"^\D*\d{1,3}(,\d{3})+(\.\d+)?\D*$|^\D*\d+,\d{1,2}\D*$"


def guess_value(rows: DataFrame, amount: str) -> Column:
    """The absolute amount of each row as a person would read it; null where nobody could.

    Args:
        rows: raw rows, marked where their line has more or fewer fields than the header.
        amount: the column with the amount.
    """
    text = raw_text(rows, amount)
    guess = F.coalesce(parse_number(rows, amount), guess_number(text))
    if RAGGED in rows.columns:
        guess = F.when(F.col(RAGGED).isNotNull(), _guess_cut(rows, amount)).otherwise(guess)
    guess = F.abs(guess)
    return F.when(guess < float("inf"), guess)  # NaN is above all


def guess_number(text: Column) -> Column:
    """A number in text such as `$1,234.50`, `1.234,50` or `12.50 EUR`; null without digits."""
    digits = F.regexp_replace(text, r"[^0-9.,]", "")
    cents = F.regexp_extract(digits, r"[.,](\d{1,2})$", 1)
    whole = F.regexp_replace(F.regexp_replace(digits, r"[.,]\d{1,2}$", ""), r"\D", "")
    return F.concat(whole, F.lit("."), cents).cast("double")


def _guess_cut(rows: DataFrame, amount: str) -> Column:
    """The amount in a line of too many fields: a thousands separator has cut it, or moved it."""
    about = rows.schema[RAGGED].metadata
    if amount not in about.get("columns", []):
        return F.lit(None).cast("double")
    place = about["columns"].index(amount)
    lines = swallowed_lines(rows)
    sep = re.escape(about["sep"])
    fields = F.split(RAGGED, sep)
    extra = F.greatest(F.size(fields) - len(about["columns"]), F.lit(0))
    joined = F.array_join(F.slice(fields, place + 1, extra + 1), ",")
    whole = (extra > 0) & joined.rlike(_WHOLE_AND_CENTS)
    moved = F.get(fields, extra + place)
    one = F.coalesce(
        F.when(whole, guess_number(joined)), guess_number(moved), guess_number(F.get(fields, place))
    )
    worth = F.transform(lines, lambda line: guess_number(F.get(F.split(line, sep), F.lit(place))))
    total = F.aggregate(
        worth, F.lit(0.0), lambda total, value: total + F.coalesce(value, F.lit(0.0))
    )
    return F.when(F.size(lines) > 1, total).otherwise(one)


def swallowed_lines(rows: DataFrame) -> Column:
    """Lines with all fields, within one row of too many or too few: a quote has no end there.

    Args:
        rows: raw rows; an empty array where their lines are not marked, or are not too long.
    """
    none = F.array().cast("array<string>")
    about = rows.schema[RAGGED].metadata if RAGGED in rows.columns else {}
    if not about.get("columns"):
        return none
    size, sep = len(about["columns"]), re.escape(about["sep"])
    lines = F.filter(F.split(RAGGED, r"\r?\n"), lambda line: F.size(F.split(line, sep)) == size)
    return F.coalesce(lines, none)
