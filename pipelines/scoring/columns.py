"""Adds the score columns of `scoring.columns`: rank among the date's customers, and past value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, ScoreColumn
from pipelines.sources.columns import AMOUNT, DAY, column

HISTORIC = "historic_value"  # kept with the samples that a date was scored with
_PREDICTED, _PART, _RANK = "predicted_cltv", "sorted_part", "rows_up_to_here"


def needs_history(columns: Sequence[str]) -> bool:
    """Whether score columns need what customers have spent."""
    return bool({HISTORIC, "total_value"} & {*columns})


def with_historic_value(
    samples: DataFrame, events: DataFrame | None, dataset: DatasetConfig
) -> DataFrame:
    """Add what each customer has spent before the first day that its prediction counts.

    So past and predicted value never overlap: at a snapshot that is everything until the run date,
    of a first purchase what lies before its label's window.

    Args:
        samples: the samples to score.
        events: good events until the run date; only transactions have any.
        dataset: names the customer and the cut.
    """
    cut, window = dataset.source.cut, dataset.source.label_days
    if events is None or cut is None or window is None:  # the configuration refuses this
        return samples.withColumn(HISTORIC, F.lit(0.0))
    keys = [*dict.fromkeys([*dataset.id, cut])]
    past = events.join(samples.select(*map(column, keys)), on=dataset.id, how="inner")
    past = past.where(F.datediff(DAY, column(cut)) < window[0])
    spent = past.groupBy(*map(column, keys)).agg(F.round(F.sum(AMOUNT), 6).alias(HISTORIC))
    joined = samples.join(spent, on=keys, how="left")
    return joined.withColumn(HISTORIC, F.coalesce(HISTORIC, F.lit(0.0)))


def with_values(scores: DataFrame, columns: Sequence[ScoreColumn]) -> DataFrame:
    """Add total value where it is asked for, and leave the past value out where it is not.

    Args:
        scores: predictions, with `historic_value` where `needs_history`.
        columns: the setting.
    """
    if "total_value" in columns:
        total = F.col(HISTORIC) + F.col(_PREDICTED).cast("double")
        scores = scores.withColumn("total_value", total)
    return scores


@contextmanager
def with_ranks(scores: DataFrame, columns: Sequence[ScoreColumn]) -> Iterator[DataFrame]:
    """Add decile and percentile of predicted value among all rows, exactly, where asked for.

    With r the number of rows whose value is at most a row's own, and N that of all rows,
    `percentile` is 100 r / N rounded up, 100 the highest, and `decile` is 11 less 10 r / N rounded
    up, 1 the highest tenth. Rows of one value share both, the better of what they span. No task
    sorts all rows: each has a range of values, and the driver learns how many rows each range has.

    Args:
        scores: predictions.
        columns: the setting.
    """
    wanted = [name for name in columns if name in {"decile", "percentile"}]
    if not wanted:
        yield scores
        return
    predicted = scores.persist(StorageLevel.DISK_ONLY)  # read to choose the ranges, then sorted
    parts = predicted.repartitionByRange(_PREDICTED).withColumn(_PART, F.spark_partition_id())
    parts = parts.persist(StorageLevel.DISK_ONLY)  # other ranges would not fit the counts
    try:
        counts = {row[_PART]: row["count"] for row in parts.groupBy(_PART).count().collect()}
        rows, before = 0, dict[int, int]()
        for part in sorted(counts):
            before[part], rows = rows, rows + counts[part]
        ranked = _ranked(parts, before)
        ranks = {
            "percentile": F.expr(f"cast((100 * {_RANK} + {rows} - 1) div {rows} as int)"),
            "decile": F.expr(f"cast(11 - (10 * {_RANK} + {rows} - 1) div {rows} as int)"),
        }
        yield ranked.withColumns({name: ranks[name] for name in wanted}).drop(_PART, _RANK)
    finally:
        parts.unpersist()
        predicted.unpersist()


def _ranked(parts: DataFrame, before: dict[int, int]) -> DataFrame:
    """Add how many rows have at most a row's value.

    Args:
        parts: rows with the number of their range.
        before: for each range, how many rows lower ranges have.
    """
    if not before:
        return parts.withColumn(_RANK, F.lit(0))
    offsets = F.create_map([F.lit(number) for pair in before.items() for number in pair])
    up_to_here = Window.partitionBy(_PART).orderBy(_PREDICTED)
    up_to_here = up_to_here.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    return parts.withColumn(_RANK, offsets[F.col(_PART)] + F.count("*").over(up_to_here))
