"""Metrics (4.1.2) of rows that a resample takes several times each, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from optdist.config.metrics import PAPER_METRICS
from optdist.errors import DataError

METRICS = PAPER_METRICS
RESAMPLED = (*METRICS, "total_ratio")


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

    def __call__(self, weights: np.ndarray, names: Sequence[str] = RESAMPLED) -> dict[str, float]:
        """The metrics of rows that are taken several times each.

        Args:
            weights: [N], how often each row is taken: integers >= 0.
            names: the metrics to compute, of `RESAMPLED`.

        Raises:
            DataError: no positive row has a weight.
        """
        w = weights.astype(np.float64)
        w_positive = w[self.positive]
        if not w_positive.any():
            raise DataError(
                "A bootstrap resample has no positive label. The test split has too few positive "
                "entities for a bootstrap: set its replicates to 0 (`bootstrap.replicates` of an "
                "experiment), or use more data."
            )
        formulas: dict[str, Callable[[], float]] = {
            "mae": lambda: float((w * self.error).sum() / w.sum()),
            "normalized_gini": lambda: self.all.normalized_gini(w),
            "spearman": lambda: self.all.spearman(w),
            "normalized_gini_positive": lambda: self.some.normalized_gini(w_positive),
            "spearman_positive": lambda: self.some.spearman(w_positive),
            "total_ratio": lambda: float((w * self.prediction).sum() / (w * self.y).sum()),
        }
        return {name: formulas[name]() for name in names}


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
        value = w * self.y
        perfect = float((value * self._ranks(self.by_y, w)).sum())
        ranked = float((value * self._ranks(self.by_prediction, w)).sum())
        return ranked / perfect if perfect > 0 else 0.0

    def spearman(self, w: np.ndarray) -> float:
        a, b = self._ranks(self.by_y, w), self._ranks(self.by_prediction, w)
        scale = np.sqrt((w * a**2).sum() * (w * b**2).sum())
        return float((w * a * b).sum() / scale) if scale > 0 else 0.0

    @staticmethod
    def _ranks(order: _Order, w: np.ndarray) -> np.ndarray:
        """Each row's rank, the mean over its ties and copies, less the mean of all."""
        rows = order.sums(w)
        centred: np.ndarray = np.cumsum(rows) - rows / 2 - rows.sum() / 2
        return centred[order.group]
