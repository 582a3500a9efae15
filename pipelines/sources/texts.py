"""Measures what the values of a text column look like, and which uses of them as text are wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.sources.columns import column, parse_number
from pipelines.sources.expressions import Need
from pipelines.sources.needs import Requirement
from pipelines.sources.shapes import with_shape

# No leading zeros; up to 15 digits, or 17 with a fraction, come back as they were; programs write
# a sign in exponents, and ids such as 12E5 have none.
_DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d{1,3})?$"
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}$"
# days, and times of days, whose order as text is another: 31.12.2024, 1/31/24, 5-Jan-24, 2024-1-9
_WRITTEN_DAY = "|".join(
    [
        r"^\d{1,2}(?:[./-]\d{1,2}[./-]|[. /-]+\p{L}{3,9}[. /-]+)(?:\d\d)?\d\d(?:\D.*)?$",
        r"^\p{L}{3,9}\.? \d{1,2},? \d{4}(?:\D.*)?$",
        r"^\d{4}[./-](?:\d[./-]\d{1,2}|\d\d[./-]\d)(?:\D.*)?$",
    ]
)


@dataclass(frozen=True)
class Statistics:
    """What the values of a column of text look like: counts of those that are not blank."""

    values: int
    whole: int  # come back from bigint as the same text
    short: int  # of these, with at most nine digits
    decimal: int  # plain decimal numbers
    numbers: int  # can be read as a number, in any way
    zeros: int  # begin with a zero that is not a number's
    days: int  # YYYY-MM-DD
    written_days: int  # written in a way that has another order as text
    lengths: int  # different lengths, 0, 1 or 2 for more
    example: str | None  # the shape of one that is no number

    @property
    def type(self) -> str:
        """The narrowest type that loses nothing."""
        if self.values and self.whole == self.values:
            return "bigint"
        return "double" if self.values and self.decimal == self.values else "string"

    @property
    def has_written_days(self) -> bool:
        """Whether most values are days such as 31.12.2024."""
        return 2 * self.written_days > self.values

    @property
    def orders_as_text(self) -> bool:
        """Whether the order as text is right: of codes of one length, and of what is no number."""
        if self.has_written_days:
            return False
        few = 2 * self.numbers < max(self.values, 1)
        return few or self.zeros > 0 or (self.whole == self.values and self.lengths < 2)

    def is_wrong_for(self, need: Need) -> bool:
        """Whether a use of the text, as text, would give a wrong number."""
        if need is Need.COMPARISON:  # Spark casts the text to a whole number
            return self.short < self.values
        if need is Need.SUM:  # leaves out what is no number
            return self.numbers < self.values
        return need in {Need.ORDER, Need.QUOTED} and not self.orders_as_text


def describe_texts(rows: DataFrame, names: Iterable[str]) -> dict[str, Statistics]:
    """Statistics of the values of text columns, all in one pass.

    Args:
        rows: a raw table.
        names: its columns of text.
    """
    names = list(names)
    parts = [F.struct(*text_measures(rows, name)).alias(f"c{i}") for i, name in enumerate(names)]
    row = rows.agg(*parts).collect()[0]
    return {name: Statistics(**row[i].asDict()) for i, name in enumerate(names)}


def text_measures(rows: DataFrame, name: str) -> list[Column]:
    """The aggregates that make a column's `Statistics`."""
    text = F.trim(column(name))
    text = F.when(text != "", text)
    lower, whole = F.lower(text), text.cast("bigint").cast("string") == text
    digits = F.length(F.regexp_replace(F.regexp_replace(lower, r"e.*$", ""), r"\D", ""))
    decimal = lower.rlike(_DECIMAL) & (digits <= F.when(text.contains("."), 17).otherwise(15))
    number = parse_number(rows, name).isNotNull()
    counts = {
        "values": text.isNotNull(),
        "whole": whole,
        "short": whole & (F.length(text) < 10),
        "decimal": decimal,
        "numbers": text.isNotNull() & number,
        "zeros": text.rlike(r"^-?0\d"),
        "days": text.rlike(_ISO_DAY),
        "written_days": text.rlike(_WRITTEN_DAY),
    }
    several = F.when(F.min(F.length(text)) == F.max(F.length(text)), 1).otherwise(2)
    return [
        *[F.count_if(condition).alias(count) for count, condition in counts.items()],
        several.alias("lengths"),
        F.min(with_shape(F.when(~number, text))).alias("example"),
    ]


def explain_days(use: Requirement, name: str, values: Statistics) -> str:
    """Why days cannot be ordered as text, and what to write.

    Args:
        use: the expression that orders them.
        name: the column, or the SQL that makes the text.
        values: what its values look like.
    """
    return (
        f"source.{use.setting}, {use.sql!r}, would take {name} for text, in which days such as "
        f"`{values.example}` have another order. Make dates of them there, with to_date({name}, "
        f"'dd/MM/yyyy') or the pattern that they have, or write cast({name} AS string) where text "
        f"is meant."
    )
