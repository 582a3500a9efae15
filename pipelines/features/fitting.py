"""Learns the feature schema from the training samples: vocabularies, moments, quantiles, labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pandas as pd
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
    rows = map_batches(raw, summarise, _STATISTICS).persist()
    # To the driver come categories that can enter a vocabulary, and one row per number and task.
    common = (
        rows.where("text IS NOT NULL").groupBy("feature", "text").agg(F.sum("count").alias("count"))
    )
    totals = {
        row[0]: int(row[1]) for row in common.groupBy("feature").agg(F.sum("count")).collect()
    }
    common = common.where(F.col("count") >= features.min_frequency)
    zero = [F.lit(0).alias("missing"), F.lit(0.0).alias("mean"), F.lit(0.0).alias("m2")]
    numbers = rows.where("text IS NULL")
    statistics = common.select("feature", "text", "count", *zero).toPandas()
    statistics = pd.concat([statistics, numbers.toPandas()], ignore_index=True)
    rows.unpersist()
    quantiles = numeric_quantiles(train, list(features.numeric))
    return merge_statistics(statistics, features, label_statistics(train), quantiles, totals)


def mark_calendar(schema: FeatureSchema, names: Collection[str]) -> FeatureSchema:
    """The schema, with a mark at the categories that are named: a sample's day decides them."""
    marked = [f.model_copy(update={"calendar": f.name in names}) for f in schema.categorical]
    return schema.model_copy(update={"categorical": marked})


def numeric_quantiles(train: DataFrame, names: list[str]) -> dict[str, list[float]]:
    """Quantiles of each numeric column's finite training values; none where it has no value."""
    finite = [F.when(F.abs(column(name)) < float("inf"), column(name)) for name in names]
    quantiles = [
        _percentiles(value, NUMERIC_STEPS).alias(name)
        for value, name in zip(finite, names, strict=True)
    ]
    row = train.agg(*quantiles).collect()[0]
    return {name: list(row[name] or []) for name in names}


def _percentiles(value: Column, steps: int) -> Column:
    return F.percentile_approx(value, [i / steps for i in range(steps + 1)], 100_000)


def label_statistics(train: DataFrame) -> LabelStatistics:
    """Statistics of the training labels.

    Raises:
        DataError: no label is positive.
    """
    log_label = F.log(F.when(F.col(LABEL) > 0, F.col(LABEL)))
    row = train.agg(
        F.count(LABEL).alias("count"),
        F.count(log_label).alias("positives"),
        F.sum(LABEL).alias("total"),
        F.percentile_approx(LABEL, 0.5, 100_000).alias("median"),
        F.avg(log_label).alias("log_mean"),
        F.stddev_pop(log_label).alias("log_std"),
        F.min(log_label).alias("log_min"),
        F.max(log_label).alias("log_max"),
        _percentiles(F.when(F.col(LABEL) > 0, F.col(LABEL)), LABEL_STEPS).alias("quantiles"),
    ).collect()[0]
    if not row["positives"]:
        raise DataError("No training label is positive, so there is no value to learn.")
    return LabelStatistics(**row.asDict())


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
