"""Cuts the positive training labels into buckets of equal frequency.

The edges come from the quantiles in the feature schema, which travels with the model. A bucket
includes its upper edge, and the first one its lower edge too. Where labels tie, equal edges merge:
there are fewer buckets then, of unequal shares.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from optdist.data.schema import LabelStatistics
from optdist.errors import DataError


class NestedBuckets(NamedTuple):
    """D ranges of the positive labels, each with up to K buckets."""

    edges: np.ndarray  # float32 [N + 1], of all buckets in ascending order, currency
    place: np.ndarray  # int32 [N], d * K + k of each bucket
    low: np.ndarray  # float32 [D, K], currency; 0 where there is no bucket
    width: np.ndarray  # float32 [D, K], currency; 0 where there is no bucket or one value alone
    mean: np.ndarray  # float32 [D, K], in 0..1: the mean position of training labels, roughly
    real: np.ndarray  # bool [D, K], whether there is such a bucket; the first ones of each range


def bucket_edges(
    label: LabelStatistics, count: int, low: float = -np.inf, high: float = np.inf
) -> np.ndarray:
    """Edges float32 [N + 1], N <= `count`, of buckets of the training labels in (low, high].

    Args:
        label: statistics of the training labels.
        count: buckets at most, >= 1.
        low: labels above it count, in currency units.
        high: labels up to it count, in currency units.

    Raises:
        DataError: the schema is of an older version, without label quantiles.
    """
    points = _points(label, low, high)
    quantiles = np.quantile(points, np.linspace(0, 1, count + 1))
    edges: np.ndarray = np.unique(quantiles.astype(np.float32))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def nested_buckets(label: LabelStatistics, ranges: int, buckets: int) -> NestedBuckets:
    """Ranges of equal frequency, and buckets of equal frequency within each.

    Args:
        label: statistics of the training labels.
        ranges: ranges at most, >= 1.
        buckets: buckets of each range at most, >= 1.
    """
    outer = bucket_edges(label, ranges)
    lows = [-np.inf, *outer[1:-1]]
    inner = [
        bucket_edges(label, buckets, low, high) for low, high in zip(lows, outer[1:], strict=True)
    ]
    most = max(len(edges) - 1 for edges in inner)
    shape = len(inner), most
    low, width, mean = (np.zeros(shape, np.float32) for _ in range(3))
    real = np.zeros(shape, bool)
    for d, edges in enumerate(inner):
        for k, (left, right) in enumerate(pairwise(edges)):
            low[d, k], width[d, k], real[d, k] = left, right - left, True
            mean[d, k] = _mean_position(label, left, right)
    edges = np.concatenate([inner[0][:1], *(part[1:] for part in inner)])
    return NestedBuckets(edges, np.flatnonzero(real).astype(np.int32), low, width, mean, real)


def bucket_of(y: tf.Tensor, edges: np.ndarray) -> tf.Tensor:
    """The bucket int32 [B], in 0..N-1, of labels [B]; labels beyond the edges get the nearest."""
    if len(edges) == 2:
        return tf.zeros_like(y, tf.int32)
    return tf.searchsorted(tf.constant(edges[1:-1]), y, side="left")


def position_in(y: tf.Tensor, low: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Where in its bucket a label lies, 0..1; 0 in a bucket of one value.

    Args:
        y: labels [B] in currency units.
        low: lower edges of their buckets [B], in currency units.
        width: widths of the buckets [B], in currency units, >= 0.
    """
    return tf.clip_by_value(tf.math.divide_no_nan(y - low, width), 0.0, 1.0)


def _points(label: LabelStatistics, low: float, high: float) -> np.ndarray:
    """The label quantiles in (low, high], from `low` on if it is finite."""
    if not label.quantiles:
        raise DataError("The feature schema has no label quantiles. Build the features again.")
    q = np.asarray(label.quantiles, np.float32).astype(np.float64)
    inside = q[(q > low) & (q <= high)]
    return np.append(low, inside) if np.isfinite(low) else inside


def _mean_position(label: LabelStatistics, low: float, high: float) -> float:
    """The trapezoid rule over the quantiles in a bucket."""
    if high == low:
        return 0.0
    points = np.append(_points(label, low, high), high)
    return float((np.mean((points[:-1] + points[1:]) / 2) - low) / (high - low))
