"""Computes ordinal regression over K ordered classes (Fu et al., CVPR 2018), and its labels."""

from __future__ import annotations

import tensorflow as tf


def ordinal_ce(logits: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Sum [B] of the K cross-entropies of "the class lies above k", in nats.

    Args:
        logits: [B, K], of P(class > k).
        index: int [B], the class, in 0..K-1.
    """
    classes = tf.range(tf.shape(logits)[-1], dtype=index.dtype)
    above = tf.cast(index[:, None] > classes, logits.dtype)
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(above, logits), axis=-1)


def ordinal_share(logits: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """The classes' probabilities [B, K] that ordinal logits imply, as labels without gradient.

    The K answers are learned apart and need not descend; a difference below 0 counts as 0.

    Args:
        logits: [B, K], of P(class > k).
        real: bool, broadcasts to [B, K]: which classes there are, the first ones.
    """
    real = tf.broadcast_to(tf.cast(real, logits.dtype), tf.shape(logits))
    above = tf.sigmoid(logits[:, :-1]) * real[:, 1:]
    above = tf.concat([tf.ones_like(logits[:, :1]), above, tf.zeros_like(logits[:, :1])], axis=-1)
    share = tf.nn.relu(above[:, :-1] - above[:, 1:])  # sums to 1 or more
    return tf.stop_gradient(share / tf.reduce_sum(share, axis=-1, keepdims=True))
