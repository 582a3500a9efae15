"""Computes each metric of the registry on rows that may be taken several times, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from optdist.config.metrics import PAPER_METRICS
from optdist.errors import DataError

RESAMPLED = (*PAPER_METRICS, "total_ratio")


class WeightedMetrics:
    """Labels and predictions whose metrics are taken under weights; all sorting is done once.

    Ties share their place, and the copies of a row are ties.
    """

    def __init__(
        self, y: np.ndarray, prediction: np.ndarray, columns: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Keep [N] rows.

        Args:
            y: [N] labels in currency units, >= 0.
            prediction: [N] predictions in currency units.
            columns: [N] each, what the metrics of distributions read: `nll` in nats, and `q50`,
                `interval_low`, `interval_high`, `if_positive_low`, `if_positive_high` in currency
                units.
        """
        self.y, self.prediction, self.columns = y, prediction, columns or {}
        self.positive = y > 0

    @cached_property
    def all(self) -> _Ranking:
        """The order of all rows."""
        return _Ranking(self.y, self.prediction)

    @cached_property
    def some(self) -> _Ranking:
        """The order of the rows with a positive label."""
        return _Ranking(self.y[self.positive], self.prediction[self.positive])

    def __call__(self, weights: np.ndarray, names: Sequence[str] = RESAMPLED) -> dict[str, float]:
        """The metrics of rows that are taken several times each.

        Args:
            weights: [N], how often each row is taken: integers >= 0.
            names: the metrics to compute, of the registry.

        Raises:
            DataError: no positive row has a weight.
        """
        w = weights.astype(np.float64)
        if not w[self.positive].any():
            raise DataError(
                "A bootstrap resample has no positive label. The test split has too few positive "
                "entities for a bootstrap: set its replicates to 0 (`bootstrap.replicates` of an "
                "experiment), or use more data."
            )
        return {name: float(FORMULAS[name](self, w)) for name in names}

    def inside(self, interval: str) -> np.ndarray:
        """Which labels [N] lie inside an interval of the columns."""
        low, high = self.columns[f"{interval}_low"], self.columns[f"{interval}_high"]
        inside: np.ndarray = (self.y >= low) & (self.y <= high)
        return inside


class _Order:
    """Rows in groups of equal value, ascending."""

    def __init__(self, value: np.ndarray) -> None:
        distinct, self.group = np.unique(value, return_inverse=True)
        self.count = len(distinct)

    def ranks(self, w: np.ndarray) -> np.ndarray:
        """Each row's rank, the mean over its ties and copies, less the mean of all."""
        rows = np.bincount(self.group, weights=w, minlength=self.count)
        centred: np.ndarray = np.cumsum(rows) - rows / 2 - rows.sum() / 2
        return centred[self.group]


class _Ranking:
    """The rank metrics of one set of rows."""

    def __init__(self, y: np.ndarray, prediction: np.ndarray) -> None:
        self.y = y
        self.by_y, self.by_prediction = _Order(y), _Order(prediction)

    def normalized_gini(self, w: np.ndarray) -> float:
        """The formula of `optdist.evaluation.metrics.normalized_gini`."""
        value = w * self.y
        perfect = float((value * self.by_y.ranks(w)).sum())
        return float((value * self.by_prediction.ranks(w)).sum()) / perfect if perfect > 0 else 0.0

    def spearman(self, w: np.ndarray) -> float:
        """The correlation of both ranks."""
        a, b = self.by_y.ranks(w), self.by_prediction.ranks(w)
        scale = np.sqrt((w * a**2).sum() * (w * b**2).sum())
        return float((w * a * b).sum() / scale) if scale > 0 else 0.0


def _mean(values: np.ndarray, w: np.ndarray) -> float:
    return float((w * values).sum() / w.sum())


def _total_ratio(rows: WeightedMetrics, w: np.ndarray) -> float:
    total = (w * rows.y).sum()
    return float((w * rows.prediction).sum() / total) if total > 0 else float("inf")


def _decile_error(rows: WeightedMetrics, w: np.ndarray) -> float:
    """The sum over tenths of the rows of |predicted - actual total|, over the actual total."""
    total = (w * rows.y).sum()
    place = rows.all.by_prediction.ranks(w) / w.sum() + 0.5  # of a row, in (0, 1)
    tenth = np.minimum((place * 10).astype(int), 9)
    off = np.bincount(tenth, w * (rows.prediction - rows.y), minlength=10)
    return float(np.abs(off).sum() / total) if total > 0 else float("inf")


# A metric of the registry takes the rows and their weights, float64 [N].
FORMULAS: dict[str, Callable[[WeightedMetrics, np.ndarray], float]] = {
    "mae": lambda rows, w: _mean(np.abs(rows.y - rows.prediction), w),
    "normalized_gini": lambda rows, w: rows.all.normalized_gini(w),
    "spearman": lambda rows, w: rows.all.spearman(w),
    "normalized_gini_positive": lambda rows, w: rows.some.normalized_gini(w[rows.positive]),
    "spearman_positive": lambda rows, w: rows.some.spearman(w[rows.positive]),
    "total_ratio": _total_ratio,
    "decile_error": _decile_error,
    "nll": lambda rows, w: _mean(rows.columns["nll"], w),
    "mae_q50": lambda rows, w: _mean(np.abs(rows.y - rows.columns["q50"]), w),
    "coverage": lambda rows, w: _mean(rows.inside("interval"), w),
    "coverage_if_positive": lambda rows, w: _mean(rows.inside("if_positive"), w * rows.positive),
    "interval_width": lambda rows, w: _mean(
        rows.columns["interval_high"] - rows.columns["interval_low"], w
    ),
}
