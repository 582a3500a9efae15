"""The paired bootstrap over entities: metrics (4.1.2) and totals on the same resamples everywhere.

A resample draws each entity Poisson(1) times, by a hash of its key and of the resample's number.
So every cell of an experiment, on any machine and in any order of rows, is evaluated on the same
resamples, and two cells can be paired later by their metrics alone.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import poisson

from optdist.errors import DataError

METRICS = (
    "mae",
    "normalized_gini",
    "spearman",
    "normalized_gini_positive",
    "spearman_positive",
)

RESAMPLED = (*METRICS, "total_ratio")

# Poisson(1) by the top 16 bits of a hash: each count takes as many of the 65,536 places as its
# probability says, to within 1e-5.
_COUNTS = np.searchsorted(poisson.cdf(np.arange(10), 1.0), (np.arange(2**16) + 0.5) / 2**16).astype(
    np.uint8
)


def entity_counts(keys: np.ndarray, resample: int, seed: int) -> np.ndarray:
    """How often a resample draws each entity.

    Args:
        keys: int64 [G], one an entity.
        resample: the resample's number, >= 0.
        seed: of the whole bootstrap.

    Returns:
        uint8 [G].
    """
    return _COUNTS[entity_hash(keys, resample, seed) >> np.uint64(48)]


def entity_hash(keys: np.ndarray, draw: int, seed: int = 0) -> np.ndarray:
    """Uint64 [G] that look random, and are the same everywhere, of int64 keys [G] and a draw."""
    salt = _mixed(np.array([seed], np.uint64) + np.array([draw + 1], np.uint64) * _GOLDEN)
    return _mixed(keys.astype(np.int64).view(np.uint64) ^ salt)


class WeightedMetrics:
    """The metrics of rows taken `weights` times; all sorting is done once.

    Ties share their place as in `optdist.evaluation.metrics`, and the copies of a row are ties.
    """

    def __init__(self, y: np.ndarray, prediction: np.ndarray) -> None:
        """Sort [N] labels and predictions, both in currency units."""
        self.y, self.prediction, self.error = y, prediction, np.abs(y - prediction)
        self.positive = y > 0
        self.all = _Ranking(y, prediction)
        self.some = _Ranking(y[self.positive], prediction[self.positive])

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        """The metrics of rows taken `weights` [N] times, integers >= 0.

        Raises:
            DataError: no positive row has a weight.
        """
        w = weights.astype(np.float64)
        w_positive = w[self.positive]
        if not w_positive.any():
            raise DataError(
                "A bootstrap resample has no positive label. The test split has too few positive "
                "entities for intervals: set bootstrap.replicates to 0, or use more data."
            )
        return {
            "mae": float((w * self.error).sum() / w.sum()),
            "normalized_gini": self.all.normalized_gini(w),
            "spearman": self.all.spearman(w),
            "normalized_gini_positive": self.some.normalized_gini(w_positive),
            "spearman_positive": self.some.spearman(w_positive),
            "total_ratio": float((w * self.prediction).sum() / (w * self.y).sum()),
        }


def resampled_metrics(
    y: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    group_key: np.ndarray,
    replicates: int,
    seed: int,
) -> dict[str, dict[str, np.ndarray]]:
    """The metrics of each prediction on each resample.

    Args:
        y: [N] labels in currency units.
        predictions: [N] each, by name.
        group_key: int64 [N], the entity of each row.
        replicates: how many resamples.
        seed: of the bootstrap.

    Returns:
        {name: {metric: [replicates]}}.
    """
    keys, entity = np.unique(group_key, return_inverse=True)
    y = np.asarray(y, np.float64)
    metrics = {n: WeightedMetrics(y, np.asarray(p, np.float64)) for n, p in predictions.items()}
    found = {name: {m: np.empty(replicates) for m in RESAMPLED} for name in predictions}
    for i in range(replicates):
        weights = entity_counts(keys, i, seed)[entity]
        for name, measured in metrics.items():
            for metric, value in measured(weights).items():
                found[name][metric][i] = value
    return found


def pack(values: np.ndarray) -> dict[str, Any]:
    """Values [B] as 16-bit steps from their middle, for JSON: 2.7 characters a value.

    The step is the range over 65,534, far below what a bootstrap of any size can tell.
    """
    low, high = float(values.min()), float(values.max())
    middle, step = (low + high) / 2, (high - low) / 65_534 or 1.0
    steps = np.rint((values - middle) / step).astype("<i2")
    return {"middle": middle, "step": step, "int16": base64.b64encode(steps.tobytes()).decode()}


def unpack(packed: Mapping[str, Any]) -> np.ndarray:
    """The float64 values [B] of `pack`."""
    steps = np.frombuffer(base64.b64decode(packed["int16"]), "<i2")
    return packed["middle"] + packed["step"] * steps.astype(np.float64)


class _Order:
    """Rows in groups of equal value, ascending."""

    def __init__(self, value: np.ndarray) -> None:
        distinct, self.group = np.unique(value, return_inverse=True)
        self.count = len(distinct)

    def sums(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.group, weights=weights, minlength=self.count)


class _Ranking:
    """The rank metrics of one set of rows."""

    def __init__(self, y: np.ndarray, prediction: np.ndarray) -> None:
        self.y = y
        self.by_y, self.by_prediction = _Order(y), _Order(prediction)

    def normalized_gini(self, w: np.ndarray) -> float:
        return self._gini(self.by_prediction, w) / self._gini(self.by_y, w)

    def spearman(self, w: np.ndarray) -> float:
        a, a_square = self._ranks(self.by_y, w)
        b, b_square = self._ranks(self.by_prediction, w)
        scale = np.sqrt(a_square * b_square)
        return float((w * a * b).sum() / scale) if scale > 0 else 0.0

    def _gini(self, order: _Order, w: np.ndarray) -> float:
        """2 mean(C) - 1 with C the cumulative share of value, from the highest down.

        A group of W rows and value V that begins at S adds W S + V (W + 1) / 2 to the sum of C.
        """
        rows, value = order.sums(w)[::-1], order.sums(w * self.y)[::-1]
        start = np.cumsum(value) - value
        area = (rows * start + value * (rows + 1) / 2).sum()
        return float(2 * area / (rows.sum() * value.sum()) - 1)

    @staticmethod
    def _ranks(order: _Order, w: np.ndarray) -> tuple[np.ndarray, float]:
        """Each row's average rank less the mean rank, and the sum of their squares."""
        rows = order.sums(w)
        centred = np.cumsum(rows) - rows / 2 - rows.sum() / 2
        return centred[order.group], float((rows * centred**2).sum())


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(value: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014), on uint64."""
    z = value + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
