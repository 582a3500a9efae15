"""Reads a source's tables, joins them, and adds its derived columns."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config.source import SourceConfig
from optdist.config.tables import JoinConfig
from optdist.errors import DataError
from pipelines.sources.columns import MARKS, column, explain_errors, is_text
from pipelines.sources.condition import kept_rows
from pipelines.sources.formats.registry import read_marked
from pipelines.sources.matches import check_matches
from pipelines.sources.typed import with_types


def read_rows(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """The main table with the joins, derived columns and condition of the source.

    Rows that cannot be used are marked: `_ragged_line` has the line of a row that was cut or
    filled, `_unparsed` the texts that are not of their column's type. The condition lets them pass
    where it depends on such a column, for `with_reason` and `quarantine_rows` to take them out.

    Raises:
        DataError: a table or a column is missing (the message lists the columns found), or a join
            would multiply rows.
    """
    tables = {
        name: with_types(read_marked(spark, name, table), table.types)
        for name, table in source.tables.items()
    }
    rows = tables[next(iter(source.tables))]
    for join in source.joins:
        other = tables[join.table]
        check_matches(
            with_plain_keys(rows, other, join.by), with_plain_keys(other, rows, join.by), join
        )
        rows = join_table(rows, tables[join.table], join)
    for name, expression in source.columns.items():
        with explain_errors(f"column {name}", rows):
            rows = rows.withColumn(name, F.expr(expression))
    if source.where:
        with explain_errors("where", rows):
            rows = rows.where(kept_rows(spark, rows, source))
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
        marks = {name: f"{name}_of_joined" for name in MARKS if name in other.columns}
        texts = [key for key in join.by if is_text(rows, key) and is_text(other, key)]
        other = other.withColumnsRenamed(marks).withColumns({k: _key(k) for k in texts})
        if join.aggregate:
            aggregates = [F.expr(sql).alias(name) for name, sql in join.aggregate.items()]
            marked = [F.first(mark, ignorenulls=True).alias(mark) for mark in marks.values()]
            other = other.groupBy(*map(column, join.by)).agg(*aggregates, *marked)
        else:
            _require_one_row_per_key(other, join)
        # the main table's keys stay as they are written
        keys = {key: f"_key_{key}" if key in texts else key for key in join.by}
        rows = rows.withColumns({keys[key]: _key(key) for key in texts})
        joined = rows.join(other.withColumnsRenamed(keys), on=list(keys.values()), how=join.how)
        joined = joined.drop(*[keys[key] for key in texts])
    for mark, of_other in marks.items():
        joined = _merge_marks(joined, mark, of_other)
    return joined


def with_plain_keys(rows: DataFrame, other: DataFrame, by: Sequence[str]) -> DataFrame:
    """Rows with keys as they are compared, where both tables have text.

    Args:
        rows: the rows of a join.
        other: the other table.
        by: the key's columns, in both.
    """
    texts = [key for key in by if is_text(rows, key) and is_text(other, key)]
    return rows.withColumns({key: _key(key) for key in texts}) if texts else rows


def _key(name: str) -> Column:
    """A key of text, of whole numbers without `.0`, which pandas adds to a column with nulls."""
    text = column(name)
    whole = text.endswith(".0") & text.rlike(r"^-?(0|[1-9]\d*)\.0$")
    return F.when(whole, F.substring_index(text, ".", 1)).otherwise(text)


def _merge_marks(joined: DataFrame, mark: str, of_other: str) -> DataFrame:
    """Mark the rows that a bad row of either table went into."""
    if mark not in joined.columns:
        return joined.withColumnRenamed(of_other, mark)
    both = joined.withColumn(mark, F.coalesce(mark, of_other))
    return both.withMetadata(mark, joined.schema[mark].metadata).drop(of_other)


def count_of_repeated_key(rows: DataFrame, by: Sequence[str]) -> int | None:
    """How many rows have a key that is there twice or more; None: each is there once.

    Args:
        rows: a table; a null key joins nothing.
        by: the key's columns.
    """
    keys = [column(name) for name in by]
    counts = rows.select(*keys).dropna().groupBy(*keys).agg(F.count("*").alias("count_of_key"))
    for row in counts.where("count_of_key > 1").limit(1).select("count_of_key").collect():
        return int(row[0])
    return None


def _require_one_row_per_key(other: DataFrame, join: JoinConfig) -> None:
    """Raise a DataError if the table to join has a key twice."""
    count = count_of_repeated_key(other, join.by)
    if count is not None:
        raise DataError(
            f"The table {join.table} has {count:,} rows of one key ({', '.join(join.by)}): the "
            f"join would count the main table's rows as often. Aggregate it (joins[].aggregate) "
            f"or remove duplicates."
        )
