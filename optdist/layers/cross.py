"""Computes feature interactions: the cross network of DCN v2 (the paper's reference [36])."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from optdist.seeds import derive


@keras.saving.register_keras_serializable(package="optdist")
class CrossNetwork(keras.layers.Layer):
    """x_{l+1} = x_0 * (U_l V_l x_l + b_l) + x_l, of low rank (Wang et al., WWW 2021, Eq. 2)."""

    def __init__(
        self, layers: int, rank: int, seed: int, name: str = "cross", **kwargs: Any
    ) -> None:
        """Describe the crosses.

        Args:
            layers: number of crosses.
            rank: rank of their matrices.
            seed: seed of the initial weights.
            name: the layer's name.
            kwargs: further arguments of `keras.layers.Layer`.
        """
        super().__init__(name=name, **kwargs)
        self.depth, self.rank, self.first_seed = layers, rank, seed

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make U [rank, D], V [D, rank] and b [D] of each cross."""
        width = input_shape[-1]
        self.crosses = []
        for i in range(self.depth):
            glorot = keras.initializers.GlorotUniform(derive(self.first_seed, i))
            self.crosses.append(
                (
                    self.add_weight(name=f"v_{i}", shape=(width, self.rank), initializer=glorot),
                    self.add_weight(name=f"u_{i}", shape=(self.rank, width), initializer="zeros"),
                    self.add_weight(name=f"b_{i}", shape=(width,), initializer="zeros"),
                )
            )

    def call(self, h: tf.Tensor) -> tf.Tensor:
        """Cross h [B, D] with itself: [B, D]; the identity before training."""
        x = h
        for v, u, b in self.crosses:
            x = h * (tf.matmul(tf.matmul(x, v.value), u.value) + b.value) + x
        return x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        own = {"layers": self.depth, "rank": self.rank, "seed": self.first_seed}
        return super().get_config() | own

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As the input."""
        return input_shape
