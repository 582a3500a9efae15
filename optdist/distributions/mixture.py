"""Defines mixtures of zero-inflated lognormals, which OptDist predicts under soft inference."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

import tensorflow as tf

from optdist.distributions.ziln import TINY, ziln_cdf, ziln_mean, ziln_nll

_CERTAIN = math.inf  # the logit of probability 1
_SQRT_HALF = math.sqrt(0.5)
_STEPS_OF_ALL = 5  # of a search, after which few rows need more
_LAST_STEP = 1e-4  # of log-currency: Newton's method leaves about the square of it
_LAST_MISS = 1e-3  # of the probit, before the last step


class ZilnMixture(NamedTuple):
    """A mixture of K zero-inflated lognormals per row; one distribution is a mixture of K = 1.

    It keeps log-weights and logits: float32 cannot tell probabilities near 0 and 1 apart, and the
    likelihood of a label far from the prediction would be cut off there.
    """

    log_weights: tf.Tensor  # [B, K], <= 0; the weights of a row sum to 1
    p_logit: tf.Tensor  # [B, K], of the probabilities of y > 0
    mu: tf.Tensor  # [B, K], log-currency
    sigma: tf.Tensor  # [B, K], log-currency, > 0

    @classmethod
    def from_probabilities(cls, weights: Any, p: Any, mu: Any, sigma: Any) -> Self:
        """Make a mixture from weights and probabilities.

        Args:
            weights: [B, K], each row sums to 1.
            p: [B, K], probabilities of y > 0, in 0..1.
            mu: [B, K], log-currency.
            sigma: [B, K], log-currency, > 0.
        """
        return cls(tf.math.log(weights), tf.math.log(p) - tf.math.log1p(-p), mu, sigma)

    @property
    def weights(self) -> tf.Tensor:
        """The weights [B, K], each row sums to 1."""
        return tf.exp(self.log_weights)

    @property
    def p(self) -> tf.Tensor:
        """The probabilities [B, K] of y > 0."""
        return tf.sigmoid(self.p_logit)

    def mean(self) -> tf.Tensor:
        """Expected value [B] in currency units (Eq. 19, weighted)."""
        return tf.reduce_sum(self.weights * ziln_mean(self.p, self.mu, self.sigma), axis=-1)

    def zero_mass(self) -> tf.Tensor:
        """P(Y = 0) [B]."""
        return tf.reduce_sum(self.weights * tf.sigmoid(-self.p_logit), axis=-1)

    def cdf(self, y: Any) -> tf.Tensor:
        """P(Y <= y) [B] for y [B] >= 0 in currency units."""
        parts = ziln_cdf(y[:, None], self.p, self.mu, self.sigma)
        return tf.reduce_sum(self.weights * parts, axis=-1)

    def nll(self, y: Any) -> tf.Tensor:
        """Negative log-likelihood [B] of labels y [B], in nats."""
        parts = ziln_nll(y[:, None], self.p_logit, self.mu, self.sigma)
        return -tf.reduce_logsumexp(self.log_weights - parts, axis=-1)

    def if_positive(self) -> ZilnMixture:
        """The distribution of Y given Y > 0: lognormals alone, weighted by how likely each paid."""
        paid = tf.nn.log_softmax(self.log_weights - tf.nn.softplus(-self.p_logit), axis=-1)
        certain = tf.fill(tf.shape(paid), tf.constant(_CERTAIN, paid.dtype))
        return ZilnMixture(paid, certain, self.mu, self.sigma)

    def quantile(self, q: float | tf.Tensor, steps: int = 60) -> tf.Tensor:
        """The smallest y [B] in currency units with P(Y <= y) >= q.

        Only rows whose quantile is above 0 are searched.

        Args:
            q: 0 < q < 1, a number or [B].
            steps: largest number of steps of the search.
        """
        zero, paid = self.zero_mass(), self.if_positive()
        level = tf.cast(q, self.mu.dtype) * tf.ones_like(zero)
        rows = tf.where(level > zero)
        inside = tf.gather_nd((level - zero) / tf.maximum(1 - zero, TINY), rows)
        parts = [tf.gather_nd(x, rows) for x in (paid.weights, self.mu, self.sigma)]
        z = _log_quantile(_Lognormals(*parts), inside, steps)
        return tf.scatter_nd(rows, tf.exp(z), tf.shape(zero, out_type=rows.dtype))


class _Lognormals(NamedTuple):
    """A mixture of K lognormals per row."""

    weights: tf.Tensor  # [N, K]
    mu: tf.Tensor  # [N, K]
    sigma: tf.Tensor  # [N, K]


class _Search(NamedTuple):
    """The state of the search for quantiles, [N] each."""

    z: tf.Tensor  # log-currency
    low: tf.Tensor  # the bracket's ends
    high: tf.Tensor
    open: tf.Tensor  # whether the row needs more steps


def _log_quantile(mixture: _Lognormals, level: tf.Tensor, steps: int) -> tf.Tensor:
    """Quantiles [N] in log-currency at `level` [N]."""
    target = tf.math.ndtri(tf.clip_by_value(level, TINY, 1 - TINY))
    parts = mixture.mu + mixture.sigma * target[:, None]
    if mixture.mu.shape[-1] == 1:
        return parts[:, 0]
    start = tf.reduce_sum(mixture.weights * parts, axis=-1)
    low, high = tf.reduce_min(parts, axis=-1), tf.reduce_max(parts, axis=-1)
    state = _Search(start, low, high, tf.ones_like(start, tf.bool))
    state = _search(mixture, target, state, _STEPS_OF_ALL)
    left = tf.where(state.open)  # the few rows that need more steps
    rest = _search(
        _Lognormals(*(tf.gather_nd(x, left) for x in mixture)),
        tf.gather_nd(target, left),
        _Search(*(tf.gather_nd(x, left) for x in state)),
        steps - _STEPS_OF_ALL,
    )
    return tf.tensor_scatter_nd_update(state.z, left, rest.z)


def _search(mixture: _Lognormals, target: tf.Tensor, start: _Search, steps: int) -> _Search:
    """Newton's method on probit(P(z)): a line for one lognormal, and nearly one for several.

    A step that leaves the bracket is replaced by the bracket's middle.
    """

    def step(z: tf.Tensor, low: tf.Tensor, high: tf.Tensor, _: tf.Tensor) -> _Search:
        u = (z[:, None] - mixture.mu) / mixture.sigma
        share = tf.reduce_sum(mixture.weights * tf.math.erfc(-u * _SQRT_HALF), axis=-1) / 2
        density = tf.reduce_sum(mixture.weights * tf.exp(-0.5 * u**2) / mixture.sigma, axis=-1)
        probit = tf.math.ndtri(tf.clip_by_value(share, TINY, 1 - TINY))
        short = probit < target
        low, high = tf.where(short, z, low), tf.where(short, high, z)
        newton = z - (probit - target) / (density * tf.exp(0.5 * probit**2))
        fits = (newton >= low) & (newton <= high)  # false for NaN, where the density is 0
        new = tf.where(fits, newton, 0.5 * (low + high))
        far = (tf.abs(probit - target) > _LAST_MISS) & (high - low > _LAST_STEP)
        return _Search(new, low, high, far | (tf.abs(new - z) > _LAST_STEP))

    return _Search(  # a loop of the graph: unrolled, it would take seconds to trace
        *tf.while_loop(
            lambda *state: tf.reduce_any(_Search(*state).open),
            lambda *state: tuple(step(*state)),
            tuple(start),
            maximum_iterations=steps,
        )
    )
