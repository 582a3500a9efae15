"""The paper's metrics (4.1.2), with ties sharing their place, and the references beside MAE."""

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
    a, b = rankdata(y), rankdata(prediction)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def normalized_gini(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Gini coefficient of the order by prediction over that of the perfect order, at most 1.

    With C the cumulative share of value in descending order of prediction, the coefficient is
    2 mean(C) - 1. Rows of equal prediction share their gain, so that the result does not depend on
    the order in which rows come.

    Args:
        y_true: [N] values >= 0, with a positive sum.
        y_pred: [N] predictions; only their order matters.

    Raises:
        ValueError: the shapes differ, a value is not finite, or no value is positive.
    """
    y, prediction = _pair(y_true, y_pred)
    if y.min() < 0 or y.sum() <= 0:
        raise ValueError("`y_true` must be >= 0 with a positive sum for a Gini coefficient.")
    return _gini(y, prediction) / _gini(y, y)


def total_ratio(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Total predicted over total actual; 1 is calibrated in the sum."""
    y, prediction = _pair(y_true, y_pred)
    return float(prediction.sum() / y.sum()) if y.sum() > 0 else float("inf")


def evaluate(y_true: ArrayLike, y_pred: ArrayLike, train: LabelStatistics) -> dict[str, float]:
    """All metrics of [N] predictions, with the MAE of constant predictors beside the model's.

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


def _gini(y: np.ndarray, prediction: np.ndarray) -> float:
    order = np.argsort(-prediction, kind="stable")
    _, group = np.unique(-prediction[order], return_inverse=True)
    shared = np.bincount(group, weights=y[order]) / np.bincount(group)  # ties share their gain
    cumulative = np.cumsum(shared[group]) / y.sum()
    return float(2 * cumulative.mean() - 1)


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
