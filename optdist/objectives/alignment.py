"""Aligns the selection module with the losses of the SDNs (section 3.5).

The pseudo-labels carry a stop-gradient: alignment trains the selection, never the SDNs.
"""

from __future__ import annotations

import tensorflow as tf

_SAFE = 1e-30  # the least 1 - alpha: x ** exponent has an infinite slope at 0 where exponent < 1


def hard_label(sdn_nll: tf.Tensor) -> tf.Tensor:
    """One-hot label [B, L] of the SDN with the smallest loss (Eq. 10)."""
    best = tf.argmin(sdn_nll, axis=-1)
    return tf.stop_gradient(tf.one_hot(best, sdn_nll.shape[-1], dtype=sdn_nll.dtype))


def soft_label(sdn_nll: tf.Tensor) -> tf.Tensor:
    """Weights omega [B, L], a softmax of the negative losses (Eq. 12-13)."""
    return tf.stop_gradient(tf.nn.softmax(-sdn_nll, axis=-1))


def alignment_ce(log_alpha: tf.Tensor, label: tf.Tensor, exponent: float = 2.0) -> tf.Tensor:
    """Focal cross-entropy [B] of alpha against the hard label, in nats (Eq. 11).

    Args:
        log_alpha: [B, L], log-probabilities of the selection network (Eq. 7).
        label: [B, L], one-hot (Eq. 10).
        exponent: gamma >= 0; 0 is the plain cross-entropy.
    """
    rest = tf.maximum(-tf.math.expm1(log_alpha), _SAFE)
    focus = rest**exponent
    return -tf.reduce_sum(label * focus * log_alpha, axis=-1)


def alignment_kl(log_alpha: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence [B] of alpha from the soft label, in nats (Eq. 14)."""
    return tf.reduce_sum(tf.math.xlogy(label, label) - label * log_alpha, axis=-1)
