"""Computes L multilayer perceptrons of one shape as one batched product."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from optdist.seeds import derive


@keras.saving.register_keras_serializable(package="optdist")
class StackedMLP(keras.layers.Layer):
    """L perceptrons with ReLU between layers and a linear last one.

    Each has its own initial seed (section 3.1.2: "different seeds to increase diversity").
    """

    def __init__(
        self,
        count: int,
        units: Sequence[int],
        seed: int,
        last_bias: npt.ArrayLike | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Describe the stack.

        Args:
            count: L, the number of perceptrons.
            units: the width of each layer, the last one's included.
            seed: each perceptron's own is derived from it.
            last_bias: [L, units[-1]] where the outputs start; their kernels then start small.
            name: the layer's name.
            kwargs: further arguments of `keras.layers.Layer`.
        """
        super().__init__(name=name, **kwargs)
        self.count, self.units, self.first_seed = count, tuple(units), seed
        self.last_bias = None if last_bias is None else np.asarray(last_bias)

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make the kernels [L, in, out] and biases [L, 1, out]."""
        widths = (input_shape[-1], *self.units)
        self.kernels, self.biases = [], []
        for k, (fan_in, fan_out) in enumerate(pairwise(widths)):
            last = k == len(self.units) - 1
            kernel = np.stack([self._initial(i, k, fan_in, fan_out) for i in range(self.count)])
            bias = np.zeros((self.count, 1, fan_out), np.float32)
            if last and self.last_bias is not None:
                kernel, bias = 0.1 * kernel, self.last_bias[:, None, :].astype(np.float32)
            self.kernels.append(self._variable(f"kernel_{k}", kernel))
            self.biases.append(self._variable(f"bias_{k}", bias))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        own = {
            "count": self.count,
            "units": list(self.units),
            "seed": self.first_seed,
            "last_bias": None if self.last_bias is None else self.last_bias.tolist(),
        }
        return super().get_config() | own

    def call(self, h: tf.Tensor) -> tf.Tensor:
        """Apply all perceptrons to h [B, D]: [L, B, units[-1]]."""
        return self._forward(tf.expand_dims(h, 0), None)

    def one(self, h: tf.Tensor, index: int) -> tf.Tensor:
        """Apply the perceptron `index` alone to h [B, D]: [B, units[-1]]."""
        return self._forward(h, index)

    def routed(self, h: tf.Tensor, selected: tf.Tensor) -> tf.Tensor:
        """Apply to each row of h [B, D] the perceptron `selected` [B] for it: [B, units[-1]].

        Each perceptron computes only its own rows.
        """
        rows = tf.dynamic_partition(tf.range(tf.shape(h)[0]), selected, self.count)
        parts = tf.dynamic_partition(h, selected, self.count)
        outputs = [self.one(part, i) for i, part in enumerate(parts)]
        return tf.ensure_shape(tf.dynamic_stitch(rows, outputs), [None, self.units[-1]])

    def _forward(self, x: tf.Tensor, which: int | None) -> tf.Tensor:
        for k, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            w, b = kernel.value, bias.value
            if which is not None:  # a slice of everything is not free: its gradient is a copy
                w, b = w[which], b[which]
            x = tf.matmul(x, w) + b
            if k < len(self.units) - 1:
                x = tf.nn.relu(x)
        return x

    def _initial(self, i: int, k: int, fan_in: int, fan_out: int) -> np.ndarray:
        limit = np.sqrt(6.0 / (fan_in + fan_out))  # Glorot uniform
        rng = np.random.default_rng(derive(self.first_seed, i, k))
        return rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)

    def _variable(self, name: str, value: np.ndarray) -> keras.Variable:
        return self.add_weight(
            name=name, shape=value.shape, initializer=lambda shape, dtype: tf.constant(value, dtype)
        )
