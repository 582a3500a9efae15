"""Where the outputs of networks start: at the training labels' statistics."""

from __future__ import annotations

import numpy as np

from optdist.config import Model
from optdist.schema import LabelStatistics


def share_start(label: LabelStatistics) -> float:
    """The logit of the share of positive labels."""
    share = float(np.clip(label.positive_share, 1e-4, 1 - 1e-4))
    return float(np.log(share / (1 - share)))


def softplus_start(value: float) -> float:
    """The output whose softplus is `value` > 0."""
    return float(np.log(np.expm1(value)))


def ziln_start(label: LabelStatistics, config: Model, spread: np.ndarray) -> np.ndarray:
    """Biases [L, 3] of L networks that output (p, mu, sigma): share, log-mean, log-deviation.

    Args:
        label: the training labels' statistics.
        config: the bounds of sigma.
        spread: [L], how many deviations each mu starts from the log-mean.
    """
    sigma = np.clip(label.log_std, 2 * config.sigma_min, 0.9 * config.sigma_max)
    start = np.empty((len(spread), 3))
    start[:, 0] = share_start(label)
    start[:, 1] = label.log_mean + spread * label.log_std
    start[:, 2] = softplus_start(sigma)
    return start
