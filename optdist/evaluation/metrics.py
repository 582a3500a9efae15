"""Computes the metrics of the registry: the paper's (4.1.2) and those of distributions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from optdist.config.metrics import METRICS
from optdist.data.schema import LabelStatistics

LOWER_IS_BETTER = {name for name, metric in METRICS.items() if metric.sign < 0}


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean absolute error in currency units, of two [N] arrays."""
    y, prediction = _pair(y_true, y_pred)
    return float(np.abs(y - prediction).mean())


def spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1], of two [N] arrays; ties get their average rank.

    It is 0 where one side is constant: a constant ranks nothing.
    """
    y, prediction = _pair(y_true, y_pred)
    a, b = _centred_ranks(y), _centred_ranks(prediction)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


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
    y, prediction = _pair(y_true, y_pred)
    if y.min() < 0 or y.sum() <= 0:
        raise ValueError("`y_true` must be >= 0 with a positive sum for a Gini coefficient.")
    perfect = float((y * _centred_ranks(y)).sum())
    return float((y * _centred_ranks(prediction)).sum()) / perfect if perfect > 0 else 0.0


def total_ratio(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Total predicted over total actual; 1 is calibrated in the sum."""
    y, prediction = _pair(y_true, y_pred)
    return float(prediction.sum() / y.sum()) if y.sum() > 0 else float("inf")


def evaluate(y_true: ArrayLike, y_pred: ArrayLike, train: LabelStatistics) -> dict[str, float]:
    """The metrics of [N] predictions, with the MAE of constant predictors for comparison.

    Args:
        y_true: [N] labels in currency units.
        y_pred: [N] predictions in currency units.
        train: the training labels' statistics, for the mean and the median predictor.
    """
    y, prediction = _pair(y_true, y_pred)
    positive = y > 0
    if not positive.any():
        raise ValueError("No label is positive, so ranking metrics are undefined on these rows.")
    return {
        "mae": mae(y, prediction),
        "normalized_gini": normalized_gini(y, prediction),
        "spearman": spearman(y, prediction),
        "normalized_gini_positive": normalized_gini(y[positive], prediction[positive]),
        "spearman_positive": spearman(y[positive], prediction[positive]),
        "total_ratio": total_ratio(y, prediction),
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
    named = {name: np.asarray(values, np.float64) for name, values in predicted.items()}
    low, high = named["interval_low"], named["interval_high"]
    inside = (y >= low) & (y <= high)
    inside_if = (y >= named["if_positive_low"]) & (y <= named["if_positive_high"])
    return {
        "nll": float(named["nll"].mean()),
        "mae_q50": mae(y, named["q50"]),
        "coverage": float(inside.mean()),
        "interval_width": float((high - low).mean()),
        "coverage_if_positive": float(inside_if[y > 0].mean()),
    }


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ascending ranks [N], their mean over ties, less the mean of all."""
    ranks: np.ndarray = rankdata(values) - (len(values) + 1) / 2
    return ranks


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
