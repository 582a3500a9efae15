"""Measures of a feature from counts by bin: how well it ranks labels alone, and how it drifts."""

from __future__ import annotations

import numpy as np

PRIOR_ROWS = 20.0  # of the mean of all bins, added to each bin's own rows


def bin_scores(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What training says of each bin: its share of positive labels and its mean label.

    Args:
        train: [bins, 3] training rows, positive labels and value by bin.

    Returns:
        Both [bins], of few rows drawn to the mean of all.
    """
    rows, sums = train[:, :1], train.sum(axis=0)
    means = (train[:, 1:] + PRIOR_ROWS * sums[1:] / max(sums[0], 1)) / (rows + PRIOR_ROWS)
    return means[:, 0], means[:, 1]


def binned_auc(score: np.ndarray, counts: np.ndarray) -> float | None:
    """The chance that a positive row has a higher score than a row of zero; ties count half.

    Args:
        score: [bins] of each bin.
        counts: [bins, 3] rows, positive labels and value by bin.

    Returns:
        The area under the ROC curve; None without positives or without zeros.
    """
    _, rows, positives, _ = _ascending(score, counts)
    zeros = rows - positives
    if not positives.sum() or not zeros.sum():
        return None
    below = np.cumsum(zeros) - zeros / 2
    return float((positives * below).sum() / (positives.sum() * zeros.sum()))


def binned_gini(score: np.ndarray, counts: np.ndarray, labels: np.ndarray) -> float | None:
    """The Norm-GINI of a score that all rows of a bin share, as of `normalized_gini`.

    Args:
        score: [bins] of each bin.
        counts: [bins, 3] rows, positive labels and value by bin.
        labels: [label bins, 3] the same rows by label, ascending; those of a bin share their rank.

    Returns:
        The ratio; None where there is nothing to rank.
    """
    perfect = _area(np.arange(len(labels), dtype=float), labels)
    return float(np.clip(_area(score, counts) / perfect, -1, 1)) if perfect > 0 else None


def stability_index(part: np.ndarray, whole: np.ndarray) -> float:
    """The population stability index of two counts by bin, less what chance alone may give.

    By chance it has about the mean and twice the deviation of a chi-squared of its bins.

    Args:
        part: [bins] rows of one date.
        whole: [bins] rows of all dates.

    Returns:
        Sum of (p - q) log(p / q), at least 0; from 0.25 on a distribution is held to have changed.
    """
    used = (part + whole) > 0
    bins = int(used.sum())
    p = (part[used] + 0.5) / (part[used].sum() + 0.5 * bins)
    q = (whole[used] + 0.5) / (whole[used].sum() + 0.5 * bins)
    freedom = max(bins - 1, 0)
    chance = (freedom + 2 * (2 * freedom) ** 0.5) * (
        1 / max(part.sum(), 1) + 1 / max(whole.sum(), 1)
    )
    return max(0.0, float(((p - q) * np.log(p / q)).sum()) - chance)


def _ascending(
    score: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The distinct scores, ascending, and the rows, positive labels and value of each."""
    distinct, group = np.unique(score, return_inverse=True)
    rows, positives, total = (np.bincount(group, counts[:, i]) for i in range(3))
    return distinct, rows, positives, total


def _area(score: np.ndarray, counts: np.ndarray) -> float:
    """The sum of value times centred rank."""
    _, rows, _, total = _ascending(score, counts)
    rank = np.cumsum(rows) - rows / 2 - rows.sum() / 2
    return float((total * rank).sum())
