"""Computes likelihood, mean and quantiles of the zero-inflated lognormal distribution.

Every function broadcasts: labels of [B, 1] against parameters of [B, L], or [B] against [B].
NumPy arrays, Python numbers and tensors are all accepted; the result is a tensor, in float64 when
any argument is float64 and else in float32.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

TINY = 1e-7  # a probability this side of 0 or 1 has a finite logarithm in float32
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


class Bounds(NamedTuple):
    """The range that training labels support for mu and sigma, both in log-currency."""

    mu_min: float
    mu_max: float
    sigma_min: float
    sigma_max: float


class Ziln(NamedTuple):
    """Parameters of zero-inflated lognormals, all of one shape."""

    p_logit: tf.Tensor  # of the probability of y > 0
    mu: tf.Tensor  # log-currency
    sigma: tf.Tensor  # log-currency, > 0

    @property
    def p(self) -> tf.Tensor:
        """The probability of y > 0."""
        return tf.sigmoid(self.p_logit)


def ziln_parameters(logits: tf.Tensor, bounds: Bounds) -> Ziln:
    """Map logits [..., 3] to (p, mu, sigma), the same way for the loss and for the prediction.

    Choice: mu is clipped to the range of log y seen in training and sigma to `bounds`, because the
    lognormal mean exp(mu + sigma^2/2) multiplies a small excess of either into totals that are
    wrong by an order of magnitude.
    """
    p_logit, mu, sigma = tf.unstack(logits, num=3, axis=-1)
    return Ziln(
        p_logit,
        tf.clip_by_value(mu, bounds.mu_min, bounds.mu_max),
        tf.clip_by_value(tf.nn.softplus(sigma), bounds.sigma_min, bounds.sigma_max),
    )


def ziln_nll(y: Any, p_logit: Any, mu: Any, sigma: Any) -> tf.Tensor:
    """Negative log-likelihood in nats (Eq. 5).

    Args:
        y: labels >= 0 in currency units, for example [B, 1].
        p_logit: logit of the probability of y > 0, for example [B, L].
        mu: mean of log y for y > 0.
        sigma: standard deviation of log y for y > 0, > 0.

    Returns:
        The loss of each label under each distribution, for example [B, L].
    """
    y, p_logit, mu, sigma = _tensors(y, p_logit, mu, sigma)
    converted = y > 0
    log_y = tf.math.log(tf.where(converted, y, tf.ones_like(y)))  # a safe y keeps gradients finite
    lognormal = log_y + _LOG_SQRT_2PI + tf.math.log(sigma) + 0.5 * ((log_y - mu) / sigma) ** 2
    # -log p = softplus(-logit) and -log(1 - p) = softplus(logit)
    return tf.where(converted, tf.nn.softplus(-p_logit) + lognormal, tf.nn.softplus(p_logit))


def ziln_mean(p: Any, mu: Any, sigma: Any) -> tf.Tensor:
    """Expected value in currency units (Eq. 19).

    Args:
        p: probabilities of a positive value, in [0, 1].
        mu: means of log y given y > 0, in log-currency.
        sigma: deviations of log y given y > 0, in log-currency, > 0.
    """
    p, mu, sigma = _tensors(p, mu, sigma)
    return p * tf.exp(mu + 0.5 * sigma**2)


def ziln_quantile(q: Any, p: Any, mu: Any, sigma: Any) -> tf.Tensor:
    """The smallest y in currency units with P(Y <= y) >= q, for 0 < q < 1.

    It is 0 where the mass at zero, 1 - p, already reaches q.

    Args:
        q: levels, in (0, 1).
        p: probabilities of a positive value, in [0, 1].
        mu: means of log y given y > 0, in log-currency.
        sigma: deviations of log y given y > 0, in log-currency, > 0.
    """
    q, p, mu, sigma = _tensors(q, p, mu, sigma)
    positive = q > 1 - p
    half = tf.fill(tf.shape(positive), tf.constant(0.5, q.dtype))
    inside = tf.where(positive, (q - (1 - p)) / tf.where(positive, p, tf.ones_like(p)), half)
    value = tf.exp(mu + sigma * tf.math.ndtri(inside))
    return tf.where(positive, value, tf.zeros_like(value))


def ziln_cdf(y: Any, p: Any, mu: Any, sigma: Any) -> tf.Tensor:
    """P(Y <= y) for y >= 0 in currency units.

    Args:
        y: values in currency units, >= 0.
        p: probabilities of a positive value, in [0, 1].
        mu: means of log y given y > 0, in log-currency.
        sigma: deviations of log y given y > 0, in log-currency, > 0.
    """
    y, p, mu, sigma = _tensors(y, p, mu, sigma)
    positive = y > 0
    log_y = tf.math.log(tf.where(positive, y, tf.ones_like(y)))
    normal = 0.5 * tf.math.erfc((mu - log_y) / (sigma * math.sqrt(2.0)))
    return 1 - p + p * tf.where(positive, normal, tf.zeros_like(normal))


def _tensors(*values: Any) -> list[tf.Tensor]:
    double = any(getattr(v, "dtype", None) in (np.float64, tf.float64) for v in values)
    dtype = tf.float64 if double else tf.float32
    return [
        tf.cast(v, dtype) if hasattr(v, "dtype") else tf.convert_to_tensor(v, dtype) for v in values
    ]
