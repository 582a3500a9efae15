"""Builds shared representations: encoded features in, h out (section 3.2, the plug-in point)."""

from __future__ import annotations

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from optdist.config import ModelConfig
from optdist.data.schema import FeatureSchema
from optdist.layers.cross import CrossNetwork
from optdist.layers.numeric import PiecewiseLinear
from optdist.plugins import named_class
from optdist.seeds import derive


@keras.saving.register_keras_serializable(package="optdist")
class Embedding(keras.layers.Layer):
    """Embedded categories next to encoded numbers, crosses, then the shared bottom (Eq. 4).

    `model.numeric: zscore` without crosses is the paper's h. A representation of your own is a
    Keras layer with this constructor and this `call`; name it in the config as
    `model.representation: package.module:Class`.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        config: ModelConfig,
        seed: int,
        name: str = "representation",
        **kwargs: Any,
    ) -> None:
        """Describe the representation.

        Args:
            schema: the encoded features.
            config: the sizes.
            seed: seed of the initial weights.
            name: the layer's name.
            kwargs: further arguments of `keras.layers.Layer`.
        """
        super().__init__(name=name, **kwargs)
        self.schema, self.config = schema, config
        sizes = [feature.size for feature in schema.categorical]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        self.rows, self.columns, self.dim = sum(sizes), len(sizes), config.embedding_dim
        self.numbers = len(schema.numeric)
        self.first_seed = seed
        self.encoding: keras.layers.Layer | None = None
        if self.numbers and config.numeric == "piecewise":
            self.encoding = PiecewiseLinear(schema, config.numeric_bins)
        self.cross = (
            CrossNetwork(config.cross_layers, config.cross_rank, derive(seed, "cross"))
            if config.cross_layers
            else None
        )
        self.bottom = [
            keras.layers.Dense(
                width,
                "relu",
                kernel_initializer=keras.initializers.GlorotUniform(derive(seed, "bottom", i)),
            )
            for i, width in enumerate(config.bottom)
        ]

    def build(self, input_shape: dict[str, tuple[int | None, int]]) -> None:
        """Make one table for all categorical features, so that one gather serves them."""
        if self.columns:
            self.table = self.add_weight(
                name="table",
                shape=(self.rows, self.dim),
                initializer=keras.initializers.RandomUniform(
                    -0.05, 0.05, seed=derive(self.first_seed, "table")
                ),
            )

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Map {"categorical": int32 [B, C], "numeric": float32 [B, N]} to h [B, D]."""
        parts = [inputs["numeric"]]
        if self.columns:
            embedded = tf.gather(self.table.value, inputs["categorical"] + self.offsets)
            flat = tf.reshape(embedded, [-1, self.columns * self.dim])
            parts.insert(0, flat)
        if self.encoding is not None:
            parts.append(self.encoding(inputs["numeric"][:, : self.numbers]))
        h = tf.concat(parts, axis=-1)
        if self.cross is not None:
            h = self.cross(h)
        for layer in self.bottom:
            h = layer(h)
        return h

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        own = {
            "schema": self.schema.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json", include=set(ModelConfig.model_fields)),
            "seed": self.first_seed,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the layer from the result of `get_config`."""
        schema = FeatureSchema.model_validate(config["schema"])
        return cls(
            **config | {"schema": schema, "config": ModelConfig.model_validate(config["config"])}
        )


REPRESENTATIONS = {"embedding": Embedding}


def build_representation(
    schema: FeatureSchema, config: ModelConfig, seed: int
) -> keras.layers.Layer:
    """Make the representation that `config.representation` names.

    Args:
        schema: the encoded features.
        config: the model's settings.
        seed: seed of the initial weights, >= 0.

    Raises:
        ConfigError: no such name, or the class cannot be imported.
    """
    plugin = named_class("model.representation", config.representation, REPRESENTATIONS)
    layer: keras.layers.Layer = plugin(schema, config, seed)
    return layer
