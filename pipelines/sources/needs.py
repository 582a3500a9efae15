"""What the expressions of a source need of each raw column, also by way of derived columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby

from pyspark.sql import SparkSession

from optdist.config.source import SourceConfig
from optdist.config.transactions import FIRST_DAY, SNAPSHOT_DATE, TransactionsSourceConfig
from pipelines.sources.expressions import Need, find_made_values, find_uses, parse, sql_of


@dataclass(frozen=True)
class Requirement:
    """What one setting needs of a column."""

    need: Need
    setting: str
    sql: str


Needs = dict[str, set[Requirement]]  # by the column's name in lower case


@dataclass(frozen=True)
class MadeValue:
    """A value that an expression makes, and then orders, sums or compares.

    Args:
        table: the aggregated table whose rows it is made of; None: the joined rows.
        sql: what makes it.
        requirement: what it is needed for.
    """

    table: str | None
    sql: str
    requirement: Requirement


def calendar_columns(spark: SparkSession, source: SourceConfig) -> set[str]:
    """The sample columns that a sample's days alone decide, such as its month."""
    if not isinstance(source, TransactionsSourceConfig):
        return set()
    days, calendar = {FIRST_DAY, SNAPSHOT_DATE}, set[str]()
    for name, sql in source.sample_columns.items():
        tree = parse(spark, sql)
        columns = {use.column for use in find_uses(tree)} if tree else set()
        if columns and columns <= days | {known.lower() for known in calendar}:
            calendar.add(name)
    return calendar


def find_needs(
    spark: SparkSession, source: SourceConfig
) -> tuple[dict[str | None, Needs], set[MadeValue]]:
    """What is needed of raw columns: of the joined rows (None), and of each aggregated table.

    Args:
        spark: the session, whose parser reads the expressions.
        source: the expressions.

    Returns:
        the needs of columns, and what is made of columns and needed to be a number or a date.
    """
    made: set[MadeValue] = set()
    needs: dict[str | None, Needs] = defaultdict(lambda: defaultdict(set))
    expressions = sorted(source.expressions, key=lambda expression: -expression.step)
    for _, group in groupby(expressions, key=lambda expression: expression.step):
        step = list(group)
        # what later steps need of the columns that this step defines is needed of what is in them
        later = {
            name.lower(): needs[None].pop(name.lower(), set()) for e in step for name in e.names
        }
        for expression in step:
            tree = parse(spark, expression.sql)
            if tree is None:
                continue
            own = Requirement(Need.NOTHING, expression.setting, expression.sql)
            passed = {
                requirement for name in expression.names for requirement in later[name.lower()]
            }
            for whole in {own, *passed}:
                for use in find_uses(tree, whole.need):
                    same = use.need is whole.need
                    requirement = whole if same else Requirement(use.need, own.setting, own.sql)
                    needs[expression.table][use.column].add(requirement)
                for place, need in find_made_values(tree, whole.need):
                    requirement = Requirement(need, own.setting, own.sql) if place else whole
                    sql = sql_of(spark, expression.sql, place)
                    made.add(MadeValue(expression.table, sql, requirement))
    return needs, made
