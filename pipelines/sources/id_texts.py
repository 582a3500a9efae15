"""Refuses ids that are one number in two texts, `17850` and `17850.0`: they would be two customers.

pandas writes whole numbers of a column with nulls as `17850.0`, so that two exports of one table
may differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.errors import DataError
from pipelines.sources.columns import column, is_text
from pipelines.sources.formats.names import plain_or_quoted

_DOUBLED = r"^-?(0|[1-9]\d*)\.0$"  # a whole number with the `.0` of a float


def require_one_text(rows: DataFrame, names: Sequence[str]) -> None:
    """Refuse columns of text in which a number is there with and without `.0`.

    Args:
        rows: rows that are cheap to read twice.
        names: the columns of the id.

    Raises:
        DataError: a number is there in both texts.
    """
    for name in names:
        if not is_text(rows, name):
            continue
        texts = rows.select(column(name).alias("text"))
        doubled = texts.where(F.col("text").endswith(".0") & F.col("text").rlike(_DOUBLED))
        if doubled.isEmpty():
            continue
        plain = doubled.select(F.substring_index("text", ".", 1).alias("text")).distinct()
        both = plain.join(texts, on="text", how="left_semi").count()
        if both:
            raise DataError(
                f"{both:,} values of {name}, a column of the id, are written both as `99999` and "
                f"as `99999.0`, and each would count as two. Write them alike in all files, or "
                f"set source.columns.{name}: regexp_replace({plain_or_quoted(name)}, "
                f"'^(-?[0-9]+)[.]0$', '$1')."
            )
