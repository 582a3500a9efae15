"""Learns a feature schema from training rows: vocabularies, moments, quantiles, label statistics.

Statistics of parts of the rows merge, so that no machine needs all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from optdist.config import FeaturesConfig
from optdist.data.encoding import category_text, log_transform, read_numbers, table_columns
from optdist.data.schema import (
    LABEL_STEPS,
    NUMERIC_STEPS,
    CategoricalFeature,
    FeatureSchema,
    LabelStatistics,
    NumericFeature,
)
from optdist.errors import DataError

Moments = tuple[int, int, float, float]  # count, missing, mean, sum of squared deviations

STATISTICS_SCHEMA = pa.schema(
    [
        ("feature", pa.string()),
        ("text", pa.string()),
        ("count", pa.int64()),
        ("missing", pa.int64()),
        ("mean", pa.float64()),
        ("m2", pa.float64()),
    ]
)


def fit_schema(frame: pd.DataFrame, features: FeaturesConfig, label: str) -> FeatureSchema:
    """Learn a schema from one training frame in memory, for a notebook.

    Args:
        frame: the training rows, with the columns of `features` and the label.
        features: which columns are categories or numbers, and the vocabulary's limits.
        label: the column with the label, in currency units, at least 0.

    Raises:
        DataError: a column is missing or has a non-numeric value, or no label is positive.
    """
    statistics = partial_statistics(pa.Table.from_pandas(frame).to_batches(), features)
    table = table_columns(frame, list(features.numeric))
    quantiles = {
        name: _quantiles(read_numbers(column, name), NUMERIC_STEPS)
        for name, column in table.items()
    }
    labels = label_statistics(frame[label].to_numpy())
    return merge_statistics(statistics.to_pandas(), features, labels, quantiles)


def partial_statistics(batches: Iterable[pa.RecordBatch], features: FeaturesConfig) -> pa.Table:
    """Summarise some of the training rows, as rows of `STATISTICS_SCHEMA` that can be merged.

    Each category has a row, and each feature one without text: a number's moments, or how many rows
    have a category.
    """
    counts: dict[str, dict[str, int]] = {name: {} for name in features.categorical}
    moments: dict[str, Moments] = dict.fromkeys(features.numeric, (0, 0, 0.0, 0.0))
    for batch in batches:
        table = table_columns(batch, [*features.categorical, *features.numeric])
        for name, seen in counts.items():
            for pair in pc.value_counts(category_text(table[name]).drop_null()).to_pylist():
                seen[pair["values"]] = seen.get(pair["values"], 0) + pair["counts"]
        for name, spec in features.numeric.items():
            moments[name] = _merge(moments[name], _moments(table[name], name, spec.log1p))
    rows: list[tuple[Any, ...]] = [
        (name, text, n, 0, 0.0, 0.0) for name, seen in counts.items() for text, n in seen.items()
    ]
    rows += [(name, None, sum(seen.values()), 0, 0.0, 0.0) for name, seen in counts.items()]
    rows += [(name, None, *moment) for name, moment in moments.items()]
    return pa.Table.from_pylist(
        [dict(zip(STATISTICS_SCHEMA.names, row, strict=True)) for row in rows], STATISTICS_SCHEMA
    )


def merge_statistics(
    statistics: pd.DataFrame,
    features: FeaturesConfig,
    label: LabelStatistics,
    quantiles: Mapping[str, Sequence[float]],
) -> FeatureSchema:
    """Merge partial statistics into a schema.

    Args:
        statistics: rows of `STATISTICS_SCHEMA`, from any number of partitions; they may leave out
            categories that are too rare for the vocabulary.
        features: which columns, their transformations and the vocabulary's limits.
        label: statistics of the training labels.
        quantiles: NUMERIC_STEPS + 1 quantiles of each numeric column's raw finite values, in
            ascending order; none for a column without values.
    """
    return FeatureSchema(
        categorical=[_vocabulary(statistics, name, features) for name in features.categorical],
        numeric=[
            _number(statistics, name, spec.log1p, quantiles[name])
            for name, spec in features.numeric.items()
        ],
        label=label,
    )


def label_statistics(y: np.ndarray) -> LabelStatistics:
    """Statistics of training labels `y` [N] >= 0, in currency units.

    Raises:
        DataError: a label is negative or not finite, or none is positive.
    """
    y = np.asarray(y, np.float64)
    if not len(y) or not np.isfinite(y).all() or (y < 0).any():
        raise DataError("Training labels must be finite and >= 0, and there must be some.")
    log_y = np.log(y[y > 0])
    if not len(log_y):
        raise DataError("No training label is positive, so there is no value to learn.")
    return LabelStatistics(
        count=len(y),
        positives=len(log_y),
        total=float(y.sum()),
        median=float(np.median(y)),
        log_mean=float(log_y.mean()),
        log_std=float(log_y.std()),
        log_min=float(log_y.min()),
        log_max=float(log_y.max()),
        quantiles=_quantiles(y[y > 0], LABEL_STEPS),
    )


def _vocabulary(
    statistics: pd.DataFrame, name: str, features: FeaturesConfig
) -> CategoricalFeature:
    rows = statistics[statistics["feature"] == name]
    total = int(rows.loc[rows["text"].isna(), "count"].sum())
    counts = rows.groupby("text")["count"].sum()
    kept = counts[counts >= features.min_frequency].reset_index()
    kept = kept.sort_values(["count", "text"], ascending=[False, True])
    kept = kept.head(features.max_vocabulary)
    unknown = 1 - float(kept["count"].sum()) / total if total else 0.0
    return CategoricalFeature(name=name, vocabulary=kept["text"].tolist(), unknown_share=unknown)


def _number(
    statistics: pd.DataFrame, name: str, log1p: bool, quantiles: Sequence[float]
) -> NumericFeature:
    total: Moments = (0, 0, 0.0, 0.0)
    parts = statistics.loc[statistics["feature"] == name, ["count", "missing", "mean", "m2"]]
    for count, missing, mean, m2 in parts.to_numpy(np.float64):
        total = _merge(total, (int(count), int(missing), float(mean), float(m2)))
    std = float(np.sqrt(total[3] / total[0])) if total[0] else 0.0
    return NumericFeature(
        name=name,
        log1p=log1p,
        mean=total[2],
        std=std if std > 1e-12 else 1.0,  # a constant column encodes as 0
        indicator=total[1] > 0,
        quantiles=log_transform(np.asarray(quantiles, np.float64), log1p).tolist(),
    )


def _quantiles(value: np.ndarray, steps: int) -> list[float]:
    known = value[~np.isnan(value)]
    return np.quantile(known, np.linspace(0, 1, steps + 1)).tolist() if len(known) else []


def _moments(column: pa.Array, name: str, log1p: bool) -> Moments:
    value = log_transform(read_numbers(column, name), log1p)
    known = value[~np.isnan(value)]
    if not len(known):
        return 0, len(value), 0.0, 0.0
    mean = float(known.mean())
    return len(known), len(value) - len(known), mean, float(((known - mean) ** 2).sum())


def _merge(a: Moments, b: Moments) -> Moments:
    """Moments of the union (Chan, Golub and LeVeque, 1979)."""
    count = a[0] + b[0]
    if not count:
        return 0, a[1] + b[1], 0.0, 0.0
    delta = b[2] - a[2]
    mean = a[2] + delta * b[0] / count
    return count, a[1] + b[1], mean, a[3] + b[3] + delta**2 * a[0] * b[0] / count
