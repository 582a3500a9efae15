"""Turns alpha into the selection weights pi of the distribution selection module (3.4)."""

from __future__ import annotations

import tensorflow as tf


def gumbel_noise(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Standard Gumbel noise g = -log(-log U) (Eq. 8).

    Args:
        shape: the result's shape, [B, L].
        seed: int32 [2]; the same seed gives the same noise.
    """
    tiny = 1e-7
    u = tf.random.stateless_uniform(shape, seed, minval=tiny, maxval=1.0 - tiny)
    return -tf.math.log(-tf.math.log(u))


def selection_weights(
    log_alpha: tf.Tensor, noise: tf.Tensor, temperature: float, gumbel: str
) -> tf.Tensor:
    """Selection weights pi [B, L], each row summing to 1 (Eq. 9).

    Args:
        log_alpha: [B, L], log-probabilities of the selection network (Eq. 7).
        noise: [B, L], Gumbel noise.
        temperature: tau > 0; towards 0 the weights become one-hot.
        gumbel: "soft" is Eq. 9 as in Algorithm 1; "hard" is its straight-through form, one-hot
            forwards with the soft gradient backwards; "none" is alpha itself (Table 3, w/o
            Gumbel-softmax).
    """
    if temperature <= 0:
        raise ValueError(f"`temperature` must be > 0. Received: temperature={temperature}.")
    if gumbel == "none":
        return tf.exp(log_alpha)
    soft = tf.nn.softmax((log_alpha + noise) / temperature, axis=-1)
    if gumbel == "soft":
        return soft
    if gumbel == "hard":
        one_hot = tf.one_hot(tf.argmax(soft, axis=-1), soft.shape[-1], dtype=soft.dtype)
        return soft + tf.stop_gradient(one_hot - soft)
    raise ValueError(f'`gumbel` must be "soft", "hard" or "none". Received: gumbel={gumbel!r}.')
