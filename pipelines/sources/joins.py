"""Reads a source's tables, joins them, and adds its derived columns."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config.source import SourceConfig
from optdist.config.tables import JoinConfig
from optdist.errors import DataError
from pipelines.sources.columns import column, explain_errors
from pipelines.sources.formats.registry import read_table
from pipelines.sources.matches import check_matches


def read_rows(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """The main table with the joins, derived columns and condition of the source.

    Raises:
        DataError: a table or a column is missing (the message lists the columns found), or a join
            would multiply rows.
    """
    tables = {name: read_table(spark, name, table) for name, table in source.tables.items()}
    rows = tables[next(iter(source.tables))]
    for join in source.joins:
        check_matches(rows, tables[join.table], join)
        rows = join_table(rows, tables[join.table], join)
    for name, expression in source.columns.items():
        with explain_errors(f"column {name}", rows):
            rows = rows.withColumn(name, F.expr(expression))
    if source.where:
        with explain_errors("where", rows):
            rows = rows.where(source.where)
    return rows


def join_table(rows: DataFrame, other: DataFrame, join: JoinConfig) -> DataFrame:
    """Join one more table, aggregated first where the join says so.

    Args:
        rows: what has been joined so far.
        other: the table to join.
        join: keys, how, and aggregates.

    Raises:
        DataError: a column is missing, or `other` has several rows of one key.
    """
    with explain_errors(f"join with {join.table}", rows, other):
        if join.aggregate:
            aggregates = [F.expr(sql).alias(name) for name, sql in join.aggregate.items()]
            other = other.groupBy(*map(column, join.by)).agg(*aggregates)
        else:
            _require_one_row_per_key(other, join)
        return rows.join(other, on=join.by, how=join.how)


def _require_one_row_per_key(other: DataFrame, join: JoinConfig) -> None:
    """Raise a DataError if the table to join has a key twice; a null key joins nothing."""
    keys = [column(name) for name in join.by]
    counts = other.select(*keys).dropna().groupBy(*keys).agg(F.count("*").alias("count_of_key"))
    for row in counts.where("count_of_key > 1").limit(1).select("count_of_key").collect():
        raise DataError(
            f"The table {join.table} has {row[0]:,} rows of one key ({', '.join(join.by)}): the "
            f"join would count the main table's rows as often. Aggregate it (joins[].aggregate) "
            f"or remove duplicates."
        )
