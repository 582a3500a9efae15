"""Counts rows that are in two splits by content or customer, and finds features that are ids."""

from __future__ import annotations

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, TimestampType

from optdist.config import DatasetConfig
from optdist.data.clocks import raw_quantiles
from optdist.data.feature_table import SPLITS
from optdist.data.schema import FeatureSchema, NumericFeature
from pipelines.monitoring.data_report.statistics import Duplicates
from pipelines.sources.columns import GROUP_KEY, LABEL, about_distinct, column

LEAST_ENTITIES = 50  # fewer say nothing about ids
LEAST_SHARE = 0.02  # of the rows: how many values a part of the id has that may name a customer
DISTINCT_SHARE = 0.95  # of the entities: how many values a feature has that names them
SPARSEST = 10  # whole numbers that name entities are at most that many times fewer than their range


def count_duplicates(
    samples: DataFrame, schema: FeatureSchema, dataset: DatasetConfig
) -> Duplicates:
    """Count the rows of validation and test whose content a training row has too.

    Args:
        samples: samples with `split`, `label` and the features.
        schema: the features.
        dataset: what names samples and entities.
    """
    samples = samples.where(F.col("split").isin(*SPLITS))  # a later date repeats its customers
    features = [column(name) for name in schema.raw_columns]
    content = F.xxhash64(*features, *[feature.isNull() for feature in features])  # it skips nulls
    is_train = F.col("split") == "train"
    held, positive = F.lit(1) - is_train.cast("int"), (F.col(LABEL) > 0).cast("int")
    rows = samples.select(content.alias("content"), LABEL, "split").repartition("content")
    same_row = rows.groupBy("content", LABEL).agg(  # in place, as the next one: one shuffle
        F.max(is_train.cast("int")).alias("train"),
        F.sum(held).alias("held"),
        F.sum(held * positive).alias("positives"),
    )
    same_features = same_row.groupBy("content").agg(
        F.max("train").alias("train"),
        F.sum("held").alias("held"),
        F.sum("positives").alias("positives"),
        F.sum(F.col("train") * F.col("positives")).alias("same_positives"),
    )
    row = same_features.agg(
        F.sum("held"), F.sum(F.col("train") * F.col("held")), F.sum("positives"),
        F.sum("same_positives"),
    ).collect()[0]  # fmt: skip
    rows, same, positives, same_positives = (int(value or 0) for value in row)
    return Duplicates(
        rows=rows,
        same_features=same,
        positives=positives,
        same_positives=same_positives,
        crossing=find_crossing(samples, dataset),
    )


def find_crossing(samples: DataFrame, dataset: DatasetConfig) -> dict[str, float]:
    """Parts of a compound id that may name a customer, with values in training and test alike.

    Where `split_key` is a part of the id, somebody has said which one names the customer.

    Args:
        samples: samples with `split` and the id.
        dataset: id and split key.

    Returns:
        Column -> share of its values of validation and test that training has too.
    """
    types = {field.name: field.dataType for field in samples.schema}
    dates = (DateType, TimestampType)
    if len(dataset.id) == 1 or set(dataset.split_key) < set(dataset.id):
        return {}
    parts = [name for name in dataset.id if not isinstance(types.get(name), dates)]
    crossing = {}
    for name in parts:
        values = samples.groupBy(column(name)).agg(
            F.max((F.col("split") == "train").cast("int")).alias("train"),
            F.max((F.col("split") != "train").cast("int")).alias("held"),
            F.count("*").alias("rows"),
        )
        distinct, held, both, rows = values.agg(
            F.count("*"), F.sum("held"), F.sum(F.col("held") * F.col("train")), F.sum("rows")
        ).collect()[0]
        if both and distinct >= max(LEAST_ENTITIES, LEAST_SHARE * rows):
            crossing[name] = both / held
    return crossing


def find_ids(train: DataFrame, schema: FeatureSchema, dataset: DatasetConfig) -> set[str]:
    """Features that name the entity: an id, or values of which each entity has its own.

    Args:
        train: training samples with `group_key`.
        schema: the features, whose statistics say which of them can be ids.
        dataset: its id and split key.
    """
    named = set(schema.raw_columns) & {*dataset.id, *dataset.split_key}
    suspects = [c.name for c in schema.categorical if (c.unknown_share or 0) > 0.3 or c.size > 100]
    suspects += [number.name for number in schema.numeric if _may_be_id(number)]
    suspects = [name for name in suspects if name not in named]
    if not suspects:
        return named
    counts: list[Column] = [about_distinct(F.col(GROUP_KEY)).alias("entities")]
    for place, name in enumerate(suspects):
        pair = F.when(column(name).isNotNull(), F.xxhash64(column(name), F.col(GROUP_KEY)))
        counts += [about_distinct(column(name)).alias(f"values_{place}")]
        counts += [about_distinct(pair).alias(f"pairs_{place}")]
    row = train.agg(*counts).collect()[0]
    numbers = {number.name: number for number in schema.numeric}
    for place, name in enumerate(suspects):
        values, pairs = row[f"values_{place}"], row[f"pairs_{place}"]
        of_its_own = LEAST_ENTITIES <= row["entities"] * DISTINCT_SHARE <= values
        one_to_one = pairs <= values * (2 - DISTINCT_SHARE) and values <= 1.05 * row["entities"]
        if of_its_own and one_to_one and _is_dense(numbers.get(name), values):
            named.add(name)
    return named


def _may_be_id(number: NumericFeature) -> bool:
    """Whether a number's quantiles are whole and all different."""
    quantiles = raw_quantiles(number)
    whole = np.abs(quantiles - np.round(quantiles)) <= 1e-9 * np.abs(quantiles)
    return len(quantiles) > 1 and bool(whole.all()) and len(set(quantiles)) == len(quantiles)


def _is_dense(number: NumericFeature | None, values: int) -> bool:
    """Whether a number's range has hardly more whole numbers than it has values, as counters do."""
    if number is None:
        return True
    quantiles = raw_quantiles(number)
    return bool(quantiles[-1] - quantiles[0] <= SPARSEST * values)
