"""What the training samples say: vocabularies, moments, quantiles, label statistics."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.config import FeaturesConfig
from optdist.data.encoding import fit_schema
from optdist.data.schema import LABEL_STEPS, NUMERIC_STEPS, FeatureSchema, LabelStatistics
from optdist.errors import DataError
from pipelines.sources.quarantine import LABEL


def fit(train: DataFrame, features: FeaturesConfig) -> FeatureSchema:
    """Learn the schema from the training samples alone."""

    def summarise(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from optdist.data.encoding import partial_statistics

        yield from partial_statistics(batches, features).to_batches()

    rows = train.select(*features.categorical, *features.numeric).mapInArrow(
        summarise, "feature string, text string, count long, missing long, mean double, m2 double"
    )
    rows = rows.persist()
    # To the driver come categories that can enter a vocabulary, and one row per number and task.
    common = (
        rows.where("text IS NOT NULL").groupBy("feature", "text").agg(F.sum("count").alias("count"))
    )
    common = common.where(F.col("count") >= features.min_frequency)
    zero = [F.lit(0).alias("missing"), F.lit(0.0).alias("mean"), F.lit(0.0).alias("m2")]
    numbers = rows.where("text IS NULL")
    statistics = common.select("feature", "text", "count", *zero).toPandas()
    statistics = pd.concat([statistics, numbers.toPandas()], ignore_index=True)
    rows.unpersist()
    quantiles = numeric_quantiles(train, list(features.numeric))
    return fit_schema(statistics, features, label_statistics(train), quantiles)


def numeric_quantiles(train: DataFrame, names: list[str]) -> dict[str, list[float]]:
    """Quantiles of each numeric column's finite training values; none where it has no value."""
    finite = [F.when(F.abs(name) < float("inf"), F.col(name)) for name in names]
    row = train.agg(
        *[_percentiles(c, NUMERIC_STEPS).alias(n) for c, n in zip(finite, names, strict=True)]
    )
    found = row.first()
    assert found is not None
    return {name: list(found[name] or []) for name in names}


def _percentiles(column: Column, steps: int) -> Column:
    return F.percentile_approx(column, [i / steps for i in range(steps + 1)], 100_000)


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
    ).first()
    assert row is not None
    if not row["positives"]:
        raise DataError("No training label is positive, so there is no value to learn.")
    return LabelStatistics(**row.asDict())


def imputed(samples: DataFrame, schema: FeatureSchema) -> dict[str, int]:
    """Numbers that are missing where training had none, by feature: they get the training mean."""
    names = [feature.name for feature in schema.numeric if not feature.indicator]
    if not names:
        return {}
    lost = [
        F.sum((F.col(n).isNull() | F.isnan(n) | (F.abs(n) == float("inf"))).cast("long")).alias(n)
        for n in names
    ]
    row = samples.agg(*lost).first()
    assert row is not None
    return {name: count for name, count in row.asDict().items() if count}
