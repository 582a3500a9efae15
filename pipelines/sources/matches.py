"""Checks how many rows find a partner in a join; those without one get nulls, or are dropped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config.tables import JoinConfig
from optdist.data.feature_table import JoinMatch
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.sources.columns import column, explain_errors
from pipelines.sources.shapes import shape

_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*")


def check_matches(
    rows: DataFrame, other: DataFrame, join: JoinConfig, keys: Sequence[str]
) -> JoinMatch:
    """Print the share of rows with a partner; this reads the keys of both tables once.

    Args:
        rows: what has been joined so far.
        other: the table to join.
        join: its keys, and the least share.
        keys: the keys' names in both tables, where they may be written in one way.

    Raises:
        DataError: no row has a partner, or fewer than `join.min_matched`.
    """
    with explain_errors(f"join with {join.table}", rows, other):
        count, matched = count_matches(rows, other, keys)
    match = JoinMatch(table=join.table, by=join.by, rows=count, matched=matched)
    if not count:
        return match
    LOG.info(f"  join with {join.table}: {share(match)} have a partner")
    if not matched:
        explain_no_match(rows, other, join, keys)
    require_share(match, join, "have a partner")
    return match


def count_matches(rows: DataFrame, other: DataFrame, by: Sequence[str]) -> tuple[int, int]:
    """The number of rows, and of those whose key is in another table.

    Args:
        rows: the rows that look for a partner.
        other: the other table.
        by: the key's columns, in both.
    """
    keys = [column(name) for name in by]
    partners = other.select(*keys).distinct().withColumn("is_partner", F.lit(True))
    pairs = rows.select(*keys).join(partners, on=list(by), how="left")
    count, matched = pairs.agg(F.count(F.lit(1)), F.count("is_partner")).collect()[0]
    return int(count), int(matched)


def share(match: JoinMatch) -> str:
    """How many rows have a partner, in words."""
    return f"{match.matched:,} of {match.rows:,} rows ({match.matched / match.rows:.1%})"


def require_share(match: JoinMatch, join: JoinConfig, what: str) -> None:
    """Refuse a join in which fewer rows have a partner than `join.min_matched`.

    Args:
        match: the counts.
        join: the least share.
        what: what the rows have, for the message.

    Raises:
        DataError: fewer have it.
    """
    if match.matched / match.rows < join.min_matched:
        raise DataError(
            f"In the join with {join.table} by {', '.join(join.by)}, {share(match)} {what}; "
            f"min_matched of the join requires {join.min_matched:.1%}. Look at the keys of both "
            f"tables."
        )


def explain_no_match(
    rows: DataFrame, other: DataFrame, join: JoinConfig, keys: Sequence[str]
) -> None:
    """Show what a key looks like on each side of a join that matches nothing.

    Args:
        rows: what has been joined so far.
        other: the table that none of them matches.
        join: its keys.
        keys: the keys' names in both tables.

    Raises:
        DataError: always.
    """
    names = ", ".join(join.by)
    left, right = _example(rows, keys), _example(other, keys)
    if not right:
        raise DataError(
            f"The join with {join.table} matches nothing, for that table has no row with "
            f"{names}. Give it rows, or remove the join."
        )
    raise DataError(
        f"The join with {join.table} by {names} matches nothing: keys look like "
        f"`{_shapes(left)}` in the main table and like `{_shapes(right)}` in {join.table}."
        f"{_remedy(left, right)}"
    )


def _example(rows: DataFrame, by: Sequence[str]) -> list[str]:
    """The text of one key without nulls; nothing where there is none."""
    texts = rows.select(*[column(name).cast("string") for name in by]).dropna().first()
    return [] if texts is None else list(texts)


def _shapes(key: Sequence[str]) -> str:
    return ", ".join(map(shape, key)) or "null"


def _remedy(left: Sequence[str], right: Sequence[str]) -> str:
    """What to do about numbers that are the same in other text, such as 17850.0 and 17850."""
    numbers = [_NUMBER.fullmatch(text) for text in (*left, *right)]
    if left and all(numbers) and _shapes(left) != _shapes(right):
        return (
            " Both are numbers in other text: cast them to one type, such as bigint, where the "
            "tables are written."
        )
    return " Write them alike in both tables."
