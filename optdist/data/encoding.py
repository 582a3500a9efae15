"""The one encoding of raw feature columns, for the feature job and for scoring alike.

Works on Arrow columns, so that a nullable integer never turns into a float on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from optdist.config import FeaturesConfig
from optdist.data.schema import (
    FIRST_ID,
    LABEL_STEPS,
    MISSING_ID,
    NUMERIC_STEPS,
    UNKNOWN_ID,
    CategoricalFeature,
    FeatureSchema,
    LabelStatistics,
    NumericFeature,
)
from optdist.errors import DataError

Batch: TypeAlias = Any  # pa.RecordBatch, pa.Table or pd.DataFrame
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


def encode(batch: Batch, schema: FeatureSchema) -> dict[str, np.ndarray]:
    """Encode raw columns.

    Args:
        batch: B rows with at least `schema.raw_columns`.
        schema: vocabularies and moments of the training split.

    Returns:
        One [B] array per encoded column: int32 ids, float32 z-scores, float32 indicators (0 or 1).

    Raises:
        DataError: a column is missing, or a numeric column holds something that is no number.
    """
    table = _table(batch, schema.raw_columns)
    ids = {f"cat_{f.name}": _ids(table[f.name], f) for f in schema.categorical}
    scores, indicators = {}, {}
    for feature in schema.numeric:
        value = _transformed(table[feature.name], feature.name, feature.log1p)
        missing = np.isnan(value)
        z = (value - feature.mean) / feature.std
        scores[f"num_{feature.name}"] = np.where(missing, 0.0, z).astype(np.float32)
        if feature.indicator:
            indicators[f"missing_{feature.name}"] = missing.astype(np.float32)
    return ids | scores | indicators


def partial_statistics(batches: Iterable[pa.RecordBatch], features: FeaturesConfig) -> pa.Table:
    """Summarise some of the training rows; `fit_schema` merges any number of such summaries."""
    counts: dict[str, dict[str, int]] = {name: {} for name in features.categorical}
    moments: dict[str, Moments] = dict.fromkeys(features.numeric, (0, 0, 0.0, 0.0))
    for batch in batches:
        table = _table(batch, [*features.categorical, *features.numeric])
        for name, seen in counts.items():
            for pair in pc.value_counts(_text(table[name]).drop_null()).to_pylist():
                seen[pair["values"]] = seen.get(pair["values"], 0) + pair["counts"]
        for name, spec in features.numeric.items():
            moments[name] = _merge(moments[name], _moments(table[name], name, spec.log1p))
    rows: list[tuple[Any, ...]] = [
        (name, text, n, 0, 0.0, 0.0) for name, seen in counts.items() for text, n in seen.items()
    ]
    rows += [(name, None, *moment) for name, moment in moments.items()]
    return pa.Table.from_pylist(
        [dict(zip(STATISTICS_SCHEMA.names, row, strict=True)) for row in rows], STATISTICS_SCHEMA
    )


def fit_schema(
    statistics: pd.DataFrame,
    features: FeaturesConfig,
    label: LabelStatistics,
    quantiles: Mapping[str, Sequence[float]],
) -> FeatureSchema:
    """Merge partial statistics into a schema.

    Args:
        statistics: rows of `STATISTICS_SCHEMA`, from any number of partitions.
        features: which columns, their transformations and the vocabulary's limits.
        label: statistics of the training labels.
        quantiles: NUMERIC_STEPS + 1 quantiles of each numeric column's raw finite values, in
            ascending order; none for a column without values.
    """
    categorical = [_vocabulary(statistics, name, features) for name in features.categorical]
    numeric = []
    for name, spec in features.numeric.items():
        total: Moments = (0, 0, 0.0, 0.0)
        parts = statistics.loc[statistics["feature"] == name, ["count", "missing", "mean", "m2"]]
        for n, lost, part_mean, part_m2 in parts.to_numpy(np.float64):
            total = _merge(total, (int(n), int(lost), float(part_mean), float(part_m2)))
        count, missing, mean, m2 = total
        std = float(np.sqrt(m2 / count)) if count else 0.0
        numeric.append(
            NumericFeature(
                name=name,
                log1p=spec.log1p,
                mean=mean,
                std=std if std > 1e-12 else 1.0,  # a constant column encodes as 0
                indicator=missing > 0,
                quantiles=_log1p(np.asarray(quantiles[name], np.float64), spec.log1p).tolist(),
            )
        )
    return FeatureSchema(categorical=categorical, numeric=numeric, label=label)


def fit(frame: pd.DataFrame, features: FeaturesConfig, label: str) -> FeatureSchema:
    """Learn a schema from one training frame in memory, for a notebook."""
    statistics = partial_statistics(pa.Table.from_pandas(frame).to_batches(), features)
    table = _table(frame, list(features.numeric))
    quantiles = {
        name: _quantiles(_number(column, name), NUMERIC_STEPS) for name, column in table.items()
    }
    labels = label_statistics(frame[label].to_numpy())
    return fit_schema(statistics.to_pandas(), features, labels, quantiles)


def label_statistics(y: np.ndarray) -> LabelStatistics:
    """Statistics of training labels `y` [N] >= 0, in currency units."""
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
    rows = statistics[(statistics["feature"] == name) & statistics["text"].notna()]
    counts = rows.groupby("text")["count"].sum()
    kept = counts[counts >= features.min_frequency].reset_index()
    kept = kept.sort_values(["count", "text"], ascending=[False, True])
    return CategoricalFeature(
        name=name, vocabulary=kept["text"].head(features.max_vocabulary).tolist()
    )


def _table(batch: Batch, columns: list[str]) -> dict[str, pa.Array]:
    names = list(batch.columns) if isinstance(batch, pd.DataFrame) else batch.schema.names
    missing = [name for name in columns if name not in names]
    if missing:
        raise DataError(
            f"The table lacks the columns {', '.join(missing)}. "
            f"Found: {', '.join(map(str, names))}."
        )
    if isinstance(batch, pd.DataFrame):
        return {name: pa.array(batch[name], from_pandas=True) for name in columns}
    table = {name: batch.column(name) for name in columns}
    return {
        name: column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        for name, column in table.items()
    }


def _text(column: pa.Array) -> pa.Array:
    """The canonical text of categories: 5, 5.0 and "5" agree."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**63))
        if pc.all(whole).as_py() is not False:
            return pc.cast(pc.cast(column, pa.int64()), pa.string())
        as_int = pc.cast(pc.cast(pc.if_else(whole, column, None), pa.int64()), pa.string())
        return pc.coalesce(as_int, pc.cast(column, pa.string()))
    return pc.cast(column, pa.string())


def _ids(column: pa.Array, feature: CategoricalFeature) -> np.ndarray:
    text = _text(column)
    place = pc.index_in(text, value_set=pa.array(feature.vocabulary, pa.string()))
    ids = pc.fill_null(pc.add(place, FIRST_ID), UNKNOWN_ID)
    ids = pc.if_else(pc.is_null(text), MISSING_ID, ids)
    return ids.to_numpy(zero_copy_only=False).astype(np.int32)


def _number(column: pa.Array, name: str) -> np.ndarray:
    """As float64 with NaN where a value is missing or infinite."""
    try:
        value = pc.cast(column, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"The numeric column {name} holds something that is no number.") from error
    value = value.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isinf(value), np.nan, value)


def _transformed(column: pa.Array, name: str, log1p: bool) -> np.ndarray:
    return _log1p(_number(column, name), log1p)


def _log1p(value: np.ndarray, log1p: bool) -> np.ndarray:
    return np.sign(value) * np.log1p(np.abs(value)) if log1p else value


def _quantiles(value: np.ndarray, steps: int) -> list[float]:
    known = value[~np.isnan(value)]
    return np.quantile(known, np.linspace(0, 1, steps + 1)).tolist() if len(known) else []


def _moments(column: pa.Array, name: str, log1p: bool) -> Moments:
    value = _transformed(column, name, log1p)
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
