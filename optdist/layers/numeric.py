"""Encodes numeric features on a basis of their training quantiles (section 3.2).

The paper takes the z-score as it is. A tower then has to build steps and plateaus out of one
number, which trees get for nothing; here it gets them as inputs.
"""

from __future__ import annotations

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from optdist.data.schema import FeatureSchema, NumericFeature


@keras.saving.register_keras_serializable(package="optdist")
class PiecewiseLinear(keras.layers.Layer):
    """How far a value has come through each of T bins of equal training frequency.

    The encoding of value x in bin t is clip((x - b_t) / (b_{t+1} - b_t), 0, 1) (Gorishniy et al.,
    "On Embeddings for Numerical Features", NeurIPS 2022, Eq. 1, here clipped at both ends because
    the z-score stays next to it).
    """

    def __init__(
        self, schema: FeatureSchema, bins: int, name: str = "piecewise_linear", **kwargs: Any
    ) -> None:
        """Take bins from the training quantiles; equal ones make one edge.

        Args:
            schema: the numeric features, with their quantiles.
            bins: largest number of bins of a feature.
            name: the layer's name.
            kwargs: further arguments of `keras.layers.Layer`.
        """
        super().__init__(name=name, **kwargs)
        self.schema, self.bins = schema, bins
        edges = [_edges(feature, bins) for feature in schema.numeric]
        counts = [max(len(edge) - 1, 0) for edge in edges]
        self.feature = np.repeat(np.arange(len(edges)), counts)
        low = np.concatenate([edge[:-1] for edge in edges])
        width = np.concatenate([np.diff(edge) for edge in edges])
        self.low, self.width = low[:, None].astype(np.float32), width[:, None].astype(np.float32)

    def call(self, z: tf.Tensor) -> tf.Tensor:
        """Encode z-scores [B, N] as [B, T] in [0, 1], with T the bins of all features."""
        z = tf.gather(tf.transpose(z), self.feature)  # [T, B]: along axis 1 it is far slower
        return tf.transpose(tf.clip_by_value((z - self.low) / self.width, 0, 1))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        own = {"schema": self.schema.model_dump(mode="json"), "bins": self.bins}
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the layer from the result of `get_config`."""
        return cls(**config | {"schema": FeatureSchema.model_validate(config["schema"])})


def _edges(feature: NumericFeature, bins: int) -> np.ndarray:
    """Ascending edges in z-scores; none for a feature without values in training."""
    known = np.asarray(feature.quantiles, np.float64)
    at = np.linspace(0, max(len(known) - 1, 0), bins + 1).round().astype(int)
    return np.unique((known[at] - feature.mean) / feature.std) if len(known) else known
