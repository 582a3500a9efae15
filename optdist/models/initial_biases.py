"""Computes initial biases of output layers from the training labels' statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optdist.config import DistributionConfig
from optdist.data.schema import LabelStatistics


def logit(p: npt.ArrayLike) -> np.ndarray:
    """The output whose sigmoid is `p`, in (0, 1)."""
    return np.asarray(np.log(p) - np.log1p(np.negative(p)))


def share_logit(label: LabelStatistics) -> float:
    """The logit of the share of positive labels."""
    return float(logit(_share(label)))


def class_logits(label: LabelStatistics, count: int) -> np.ndarray:
    """Logits [1 + count] of a class of zeros and `count` equal classes of positive labels."""
    share = _share(label)
    return np.log(np.array([1 - share, *[share / count] * count]))


def inverse_softplus(value: float) -> float:
    """The output whose softplus is `value` > 0."""
    return float(np.log(np.expm1(value)))


def ziln_biases(
    label: LabelStatistics, config: DistributionConfig, spread: np.ndarray
) -> np.ndarray:
    """Biases [L, 3] of L networks that output (p, mu, sigma): share, log-mean, log-deviation.

    Args:
        label: the training labels' statistics.
        config: the bounds of sigma.
        spread: [L], how many deviations each mu starts from the log-mean.
    """
    sigma = np.clip(label.log_std, 2 * config.sigma_min, 0.9 * config.sigma_max)
    biases = np.empty((len(spread), 3))
    biases[:, 0] = share_logit(label)
    biases[:, 1] = label.log_mean + spread * label.log_std
    biases[:, 2] = inverse_softplus(sigma)
    return biases


def _share(label: LabelStatistics) -> float:
    return float(np.clip(label.positive_share, 1e-4, 1 - 1e-4))
