"""Embeds numeric features with AutoDis (the paper's reference [15]), as a representation plug-in.

`model.representation: optdist.layers.autodis:AutoDisEmbedding` (section 3.2) uses it
instead of the representation that `model.numeric` chooses.
"""

from __future__ import annotations

from typing import Any, Self

import keras
import tensorflow as tf

from optdist.config import ModelConfig
from optdist.data.schema import FeatureSchema
from optdist.layers.representation import Embedding
from optdist.seeds import derive


@keras.saving.register_keras_serializable(package="optdist")
class AutoDisEmbedding(Embedding):
    """The shared representation with AutoDis next to the z-scores."""

    def __init__(
        self, schema: FeatureSchema, config: ModelConfig, seed: int, **kwargs: Any
    ) -> None:
        """Mix `config.numeric_bins` meta-embeddings of `config.embedding_dim` numbers each.

        Args:
            schema: the encoded features.
            config: the sizes.
            seed: seed of the initial weights.
            kwargs: further arguments of `keras.layers.Layer`.
        """
        super().__init__(schema, config.model_copy(update={"numeric": "zscore"}), seed, **kwargs)
        self.config = config
        if self.numbers:
            self.encoding = AutoDis(
                schema, config.numeric_bins, config.embedding_dim, derive(seed, "autodis")
            )


@keras.saving.register_keras_serializable(package="optdist")
class AutoDis(keras.layers.Layer):
    """Meta-embeddings mixed by a learned soft discretisation (AutoDis; the paper's reference [15]).

    For each feature the score of meta-embedding k is a two-layer network of the value with a skip
    connection; its softmax weighs the feature's meta-embeddings.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        count: int,
        dim: int,
        seed: int,
        name: str = "autodis",
        **kwargs: Any,
    ) -> None:
        """Describe the meta-embeddings.

        Args:
            schema: the numeric features.
            count: number of each feature's meta-embeddings.
            dim: size of a meta-embedding.
            seed: seed of the initial weights.
            name: the layer's name.
            kwargs: further arguments of `keras.layers.Layer`.
        """
        super().__init__(name=name, **kwargs)
        self.schema, self.features = schema, len(schema.numeric)
        self.count, self.dim, self.first_seed = count, dim, seed

    def build(self, input_shape: Any) -> None:
        """Make the weights; each feature has its own."""
        n, k = self.features, self.count
        scale = keras.initializers.VarianceScaling
        self.first = self.add_weight(
            name="first",
            shape=(n, k),
            initializer=keras.initializers.RandomNormal(
                0.0, 1.0, seed=derive(self.first_seed, "first")
            ),
        )
        self.shift = self.add_weight(
            name="shift",
            shape=(n, k),
            initializer=keras.initializers.RandomNormal(
                0.0, 1.0, seed=derive(self.first_seed, "shift")
            ),
        )
        self.second = self.add_weight(
            name="second",
            shape=(n, k, k),
            initializer=scale(1 / k, seed=derive(self.first_seed, "second")),
        )
        self.meta = self.add_weight(
            name="meta",
            shape=(n, k, self.dim),
            initializer=keras.initializers.RandomUniform(
                -0.05, 0.05, seed=derive(self.first_seed, "meta")
            ),
        )

    def call(self, z: tf.Tensor) -> tf.Tensor:
        """Embed z-scores [B, N] as [B, N * dim]."""
        hidden = tf.nn.leaky_relu(z[:, :, None] * self.first.value + self.shift.value)
        scores = tf.einsum("bnk,nkl->bnl", hidden, self.second.value) + hidden
        embedded = tf.einsum("bnk,nkd->bnd", tf.nn.softmax(scores, axis=-1), self.meta.value)
        return tf.reshape(embedded, [-1, self.features * self.dim])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        own = {
            "schema": self.schema.model_dump(mode="json"),
            "count": self.count,
            "dim": self.dim,
            "seed": self.first_seed,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the layer from the result of `get_config`."""
        return cls(**config | {"schema": FeatureSchema.model_validate(config["schema"])})
