"""Drops raw columns named like those that the pipeline adds, and refuses them where used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyspark.sql import DataFrame

from optdist.config.transactions import FIRST_DAY, SNAPSHOT_DATE, TransactionsSourceConfig
from optdist.errors import DataError
from pipelines.sources.columns import AMOUNT, DAY, REASON

ADDED = {
    *(DAY, AMOUNT, REASON, FIRST_DAY, SNAPSHOT_DATE),
    *("days_before", "days_since_previous", "history_window"),
}
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'")


def without_own_names(
    rows: DataFrame, source: TransactionsSourceConfig, entity: list[str]
) -> DataFrame:
    """Rows without raw columns that are named like one which the pipeline adds to events.

    Args:
        rows: raw rows with derived columns.
        source: what uses columns of the events.
        entity: the columns that name whose event it is.

    Raises:
        DataError: such a column is used, which cannot be told from the pipeline's own.
    """
    used = {name.lower() for name in _used(source, entity)}
    parsed = {source.timestamp} & {DAY} | {source.amount} & {AMOUNT}  # what is made of itself
    same = [name for name in rows.columns if name.lower() in ADDED and name not in parsed]
    taken = [name for name in same if name.lower() in used]
    if taken:
        raise DataError(
            f"The data set uses the raw column {taken[0]}, which has the name of a column that the "
            f"pipeline adds. Give it another name under source.columns, such as "
            f"`raw_{taken[0]}: {taken[0]}`, and use that."
        )
    return rows.drop(*same)


def _used(source: TransactionsSourceConfig, entity: list[str]) -> Iterator[str]:
    """The columns of the events that settings name, and all words of their expressions."""
    yield from (*entity, source.amount, source.timestamp)
    expressions = [*source.attributes.values()]
    for history in source.blocks:
        yield from history.key
        expressions += history.features.values()
    for sql in expressions:
        yield from re.findall(r"\w+", _TEXT.sub("", sql))
