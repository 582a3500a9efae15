"""Computes the metrics of the registry: the paper's (4.1.2) and those of distributions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from optdist.config.metrics import METRICS
from optdist.data.schema import LabelStatistics
from optdist.evaluation.weighted import FORMULAS, WeightedMetrics

MEAN_METRICS = [name for name, metric in METRICS.items() if not metric.needs_distribution]
DISTRIBUTION_METRICS = [name for name, metric in METRICS.items() if metric.needs_distribution]


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean absolute error in currency units, of two [N] arrays."""
    return _measure("mae", y_true, y_pred)


def spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1], of two [N] arrays; ties get their average rank.

    It is 0 where one side is constant: a constant ranks nothing.
    """
    return _measure("spearman", y_true, y_pred)


def normalized_gini(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Gini coefficient of the order by prediction over that of the perfect order, in [-1, 1].

    The coefficient is 2 A - 1, with A the area under the curve of the cumulative share of value in
    descending order of prediction. Written with ranks r, which rows of equal prediction share, it
    is 2 cov(y, r) / (N mean(y)), so the ratio is cov(y, r(prediction)) / cov(y, r(y)). A constant
    scores 0 and the reverse of the perfect order -1, for any N.

    Choice: A by trapezoids, because the usual 2 mean(C) - 1, with C the share at each row's right
    end, gives everyone 1/N: a constant then scores 0.06 on 20 rows. The paper (4.1.2) has no
    formula, and on its 100,000 and more test rows both agree to 1e-5. docs/choices.md says by how
    much figures from before this choice differ.

    Args:
        y_true: [N] values >= 0, with a positive sum.
        y_pred: [N] predictions; only their order matters.

    Returns:
        The ratio, and 0 where all labels are equal: there is nothing to rank.

    Raises:
        ValueError: the shapes differ, a value is not finite, or no value is positive.
    """
    y, _ = _pair(y_true, y_pred)
    if y.min() < 0 or y.sum() <= 0:
        raise ValueError("`y_true` must be >= 0 with a positive sum for a Gini coefficient.")
    return _measure("normalized_gini", y_true, y_pred)


def total_ratio(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Total predicted over total actual; 1 is calibrated in the sum."""
    return _measure("total_ratio", y_true, y_pred)


def evaluate(y_true: ArrayLike, y_pred: ArrayLike, train: LabelStatistics) -> dict[str, float]:
    """The metrics of [N] predictions, with the MAE of constant predictors for comparison.

    Args:
        y_true: [N] labels in currency units.
        y_pred: [N] predictions in currency units.
        train: the training labels' statistics, for the mean and the median predictor.
    """
    y, prediction = _pair(y_true, y_pred)
    if not (y > 0).any():
        raise ValueError("No label is positive, so ranking metrics are undefined on these rows.")
    return WeightedMetrics(y, prediction)(np.ones_like(y), MEAN_METRICS) | {
        "mae_zero": mae(y, np.zeros_like(y)),
        "mae_mean": mae(y, np.full_like(y, train.mean)),
        "mae_median": mae(y, np.full_like(y, train.median)),
    }


def evaluate_distribution(
    y_true: ArrayLike, predicted: Mapping[str, ArrayLike]
) -> dict[str, float]:
    """Metrics of predicted distributions.

    Args:
        y_true: [N] labels in currency units.
        predicted: [N] each: `nll`, `q50`, and the ends `interval_low`, `interval_high`,
            `if_positive_low`, `if_positive_high`.

    Returns:
        The mean `nll` in nats; `mae_q50`, the MAE of the median as a prediction; `coverage`, the
        share of labels inside the interval, with `interval_width`, its mean width in currency;
        `coverage_if_positive`, the share of positive labels inside the interval given a purchase.
    """
    y = np.asarray(y_true, np.float64)
    columns = {name: np.asarray(values, np.float64) for name, values in predicted.items()}
    return WeightedMetrics(y, y, columns)(np.ones_like(y), DISTRIBUTION_METRICS)


def _measure(name: str, y_true: ArrayLike, y_pred: ArrayLike) -> float:
    y, prediction = _pair(y_true, y_pred)
    return float(FORMULAS[name](WeightedMetrics(y, prediction), np.ones_like(y)))


def _pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    y, prediction = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if y.ndim != 1 or y.shape != prediction.shape or not len(y):
        raise ValueError(
            f"`y_true` and `y_pred` must be two [N] arrays of one length > 0. "
            f"Received: {y.shape} and {prediction.shape}."
        )
    if not (np.isfinite(y).all() and np.isfinite(prediction).all()):
        raise ValueError("`y_true` and `y_pred` must be finite.")
    return y, prediction
