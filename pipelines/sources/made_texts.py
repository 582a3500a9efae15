"""Refuses text that an expression makes and then orders, sums or compares as if it were numbers."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from optdist.config.source import SourceConfig
from optdist.errors import DataError
from pipelines.sources.joins import read_checked, read_other
from pipelines.sources.needs import MadeValue
from pipelines.sources.texts import Statistics, describe_texts, explain_days


def refuse_made_texts(spark: SparkSession, source: SourceConfig, made: Iterable[MadeValue]) -> None:
    """Refuse text that an expression makes of numbers or days, and orders or compares as text.

    Args:
        spark: the session.
        source: the tables with their types.
        made: what expressions make, and what it is needed for.

    Raises:
        DataError: with the cast to write.
    """
    by_table: dict[str | None, set[MadeValue]] = {}
    for value in made:
        by_table.setdefault(value.table, set()).add(value)
    for table, group in by_table.items():
        if table is None:
            rows = read_checked(
                spark, source.model_copy(update={"where": None}), checked=False
            ).rows
        else:
            rows = read_other(spark, source, table)
        values = sorted(
            (v for v in group if _makes_text(rows, v.sql)),
            key=lambda v: (v.requirement.setting, v.sql),
        )
        names = {f"_made_{i}": value for i, value in enumerate(values)}
        texts = rows.select(*[F.expr(value.sql).alias(name) for name, value in names.items()])
        for name, statistics in (describe_texts(texts, names) if names else {}).items():
            value = names[name]
            if statistics.is_wrong_for(value.requirement.need):
                raise DataError(_explain_made_text(value, statistics))


def _makes_text(rows: DataFrame, sql: str) -> bool:
    """Whether SQL makes text of a row's columns; False where it needs others, or several rows."""
    try:
        [field] = rows.select(F.expr(sql)).schema.fields
    except AnalysisException:
        return False
    return isinstance(field.dataType, StringType)


def _explain_made_text(value: MadeValue, statistics: Statistics) -> str:
    use = value.requirement
    if statistics.has_written_days:
        return explain_days(use, value.sql, statistics)
    return (
        f"source.{use.setting}, {use.sql!r}, would take {value.sql} for text, in which 9 is more "
        f"than 10, though {statistics.numbers:,} of its {statistics.values:,} values are numbers. "
        f"Write cast({value.sql} AS double) there, or cast({value.sql} AS string) where text is "
        f"meant."
    )
