"""Learns the feature schema from the training samples: vocabularies, moments, quantiles, labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.config import FeaturesConfig
from optdist.data.fitting import merge_statistics
from optdist.data.schema import LABEL_STEPS, NUMERIC_STEPS, FeatureSchema, LabelStatistics
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.batches import map_batches
from pipelines.sources.columns import LABEL, column
from pipelines.sources.shapes import shape

_STATISTICS = "feature string, text string, count long, missing long, mean double, m2 double"


def fit_samples(train: DataFrame, features: FeaturesConfig) -> FeatureSchema:
    """Learn the schema from the training samples alone.

    Raises:
        DataError: no label is positive.
    """

    def summarise(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from optdist.data.fitting import partial_statistics

        yield from partial_statistics(batches, features).to_batches()

    raw = train.select(*map(column, [*features.categorical, *features.numeric]))
    rows = map_batches(raw, summarise, _STATISTICS)
    # To the driver come categories that can enter a vocabulary, and one row per feature and task.
    task = F.when(F.col("text").isNull(), F.spark_partition_id())
    sums = [F.sum(name).alias(name) for name in ("count", "missing", "mean", "m2")]
    merged = rows.groupBy("feature", "text", task.alias("task")).agg(*sums)
    kept = merged.where(F.col("text").isNull() | (F.col("count") >= features.min_frequency))
    label, quantiles = label_and_quantiles(train, list(features.numeric))
    return merge_statistics(kept.toPandas(), features, label, quantiles)


def mark_calendar(schema: FeatureSchema, names: Collection[str]) -> FeatureSchema:
    """The schema, with a mark at the categories that are named: a sample's day decides them."""
    marked = [f.model_copy(update={"calendar": f.name in names}) for f in schema.categorical]
    return schema.model_copy(update={"categorical": marked})


def label_and_quantiles(
    train: DataFrame, names: Sequence[str]
) -> tuple[LabelStatistics, dict[str, list[float]]]:
    """Statistics of the training labels, and quantiles of each number's finite training values.

    Args:
        train: the training samples.
        names: the columns with numbers; one without values has no quantiles.

    Raises:
        DataError: no label is positive.
    """
    finite = [F.when(F.abs(column(name)) < float("inf"), column(name)) for name in names]
    quantiles = [_percentiles(value, NUMERIC_STEPS) for value in finite]
    row = train.agg(*_label_columns(), *quantiles).collect()[0]
    if not row["positives"]:
        raise DataError("No training label is positive, so there is no value to learn.")
    values = list(row)
    size = len(values) - len(names)
    label = LabelStatistics(**dict(zip(row.__fields__[:size], values[:size], strict=True)))
    return label, {n: list(v or []) for n, v in zip(names, values[size:], strict=True)}


def _label_columns() -> list[Column]:
    log_label = F.log(F.when(F.col(LABEL) > 0, F.col(LABEL)))
    return [
        F.count(LABEL).alias("count"),
        F.count(log_label).alias("positives"),
        F.sum(LABEL).alias("total"),
        F.percentile_approx(LABEL, 0.5, 100_000).alias("median"),
        F.avg(log_label).alias("log_mean"),
        F.stddev_pop(log_label).alias("log_std"),
        F.min(log_label).alias("log_min"),
        F.max(log_label).alias("log_max"),
        _percentiles(F.when(F.col(LABEL) > 0, F.col(LABEL)), LABEL_STEPS).alias("quantiles"),
    ]


def _percentiles(value: Column, steps: int) -> Column:
    return F.percentile_approx(value, [i / steps for i in range(steps + 1)], 100_000)


def warn_of_letter_case(schema: FeatureSchema) -> None:
    """Print which features have categories that differ from others in letter case alone."""
    for feature in schema.categorical:
        groups: dict[str, list[str]] = {}
        for text in feature.vocabulary:
            groups.setdefault(text.casefold(), []).append(text)
        same = [texts for texts in groups.values() if len(texts) > 1]
        if same:
            example = " and ".join(f"`{shape(text)}`" for text in same[0])
            LOG.warning(
                f"{len(same):,} categories of {feature.name} are there in several "
                f"letter cases, such as {example}: the model takes them for different ones"
            )


def count_imputed(samples: DataFrame, schema: FeatureSchema) -> dict[str, int]:
    """Count numbers that are missing where training had none: they get the training mean.

    Args:
        samples: raw samples with the schema's numeric columns, as numbers.
        schema: what training learned.

    Returns:
        Feature -> rows, of features with at least one.
    """
    names = [feature.name for feature in schema.numeric if not feature.indicator]
    if not names:
        return {}
    lost = [
        F.count_if(value.isNull() | F.isnan(value) | (F.abs(value) == float("inf"))).alias(name)
        for name, value in ((name, column(name)) for name in names)
    ]
    row = samples.agg(*lost).collect()[0]
    return {name: count for name, count in row.asDict().items() if count}
