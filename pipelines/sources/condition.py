"""The condition of a source, which must not hide rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config.source import SourceConfig
from optdist.config.transactions import TransactionsSourceConfig
from pipelines.sources.columns import (
    RAGGED,
    column,
    is_missing,
    is_text,
    parse_number,
    quoted,
)
from pipelines.sources.expressions import find_numbers, find_uses, parse
from pipelines.sources.formats.base import UNPARSED


def kept_rows(spark: SparkSession, rows: DataFrame, source: SourceConfig) -> Column:
    """Whether a row meets `source.where`, as far as the row could be read.

    A part of the condition that depends on a value that could not be read is not asked: such a row
    is to be quarantined, not dropped because the value became null.

    Args:
        spark: the session, whose parser takes the condition apart.
        rows: the joined rows with derived columns.
        source: its condition, and what its columns are derived from.
    """
    kept = F.lit(True)
    lost = _lost_amount(spark, rows, source)
    for part in _parts(spark, source.where or "true"):
        inputs, met = _inputs(spark, part, source), F.expr(part)
        if UNPARSED in rows.columns:
            names = F.transform(F.map_keys(UNPARSED), F.lower)
            known = F.array(*map(F.lit, sorted(inputs))).cast("array<string>")
            met |= F.arrays_overlap(names, known)
        if lost is not None and _amount(source) in inputs:
            met |= lost
        kept &= met
    return kept | F.col(RAGGED).isNotNull() if RAGGED in rows.columns else kept


def _lost_amount(spark: SparkSession, rows: DataFrame, source: SourceConfig) -> Column | None:
    """Whether a derived amount is null because a text is no number; None: it cannot be."""
    amount = _amount(source)
    if amount is None or amount not in map(str.lower, source.columns):
        return None
    inputs = _inputs(spark, quoted(amount), source)
    derived = [sql for name, sql in source.columns.items() if name.lower() in inputs]
    trees = [tree for sql in derived if (tree := parse(spark, sql))]
    names = {name for tree in trees for name in find_numbers(tree)}
    texts = [name for name in rows.columns if name.lower() in names and is_text(rows, name)]
    wrong = [~is_missing(name) & parse_number(rows, name).isNull() for name in texts]
    return column(amount).isNull() & reduce(or_, wrong) if wrong else None


def _amount(source: SourceConfig) -> str | None:
    return source.amount.lower() if isinstance(source, TransactionsSourceConfig) else None


def _inputs(spark: SparkSession, sql: str, source: SourceConfig) -> set[str]:
    """The columns that an expression depends on, also by way of derived ones, in lower case."""
    derived = {name.lower(): expression for name, expression in source.columns.items()}
    known: set[str] = set()
    waiting = [sql]  # an expression
    while waiting:
        tree = parse(spark, waiting.pop())
        used = {use.column for use in find_uses(tree)} if tree else set()
        waiting += [derived[name] for name in used - known if name in derived]
        known |= used
    return known


def _parts(spark: SparkSession, sql: str) -> list[str]:
    """The conditions that `AND` joins; the whole one where Spark cannot write its parts."""
    if parse(spark, sql) is None:
        return [sql]
    parts = [part.sql() for part in _conjuncts(_parser(spark).parseExpression(sql))]
    return parts if all(parse(spark, part) for part in parts) else [sql]


def _conjuncts(expression: Any) -> Iterator[Any]:
    if expression.getClass().getSimpleName() != "And":
        yield expression
        return
    yield from _conjuncts(expression.left())
    yield from _conjuncts(expression.right())


def _parser(spark: SparkSession) -> Any:
    return spark._jsparkSession.sessionState().sqlParser()
