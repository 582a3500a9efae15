"""Shows a value's shape without its content, so that no message has a customer's data."""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

LONGEST = 40  # characters of a shape


def shape(text: str) -> str:
    """A value's shape in one line: each digit as 9, each letter as A or a, the rest as it is.

    Example:
        >>> shape("$1,234.50")
        '$9,999.99'
    """
    line = re.sub(r"[\r\n]+", " ", text)
    short = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
    return "".join(_class_of(character) for character in short)


def with_shape(column: Column) -> Column:
    """The same in Spark: a column's text with each digit as 9 and each letter as A or a."""
    text = F.regexp_replace(column.cast("string"), r"[\r\n]+", " ")
    short = F.when(F.length(text) > LONGEST, F.concat(F.substring(text, 1, LONGEST), F.lit("...")))
    shaped = F.coalesce(short, text)
    for pattern, sign in ((r"\p{Nd}", "9"), (r"\p{Lu}", "A"), (r"[\p{L}&&[^\p{Lu}]]", "a")):
        shaped = F.regexp_replace(shaped, pattern, sign)
    return shaped


def _class_of(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character
