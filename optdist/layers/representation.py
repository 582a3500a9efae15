"""Shared representations: encoded features in, h out (section 3.2, the plug-in point)."""

from __future__ import annotations

import importlib

import keras
import numpy as np
import tensorflow as tf

from optdist.config import Model
from optdist.errors import ConfigError
from optdist.schema import FeatureSchema


class Embedding(keras.layers.Layer):
    """Embedded categories beside z-scores, then the shared bottom layers (Eq. 4).

    A representation of your own is a Keras layer with this constructor and this `call`; name it in
    the config as `model.representation: package.module:Class`.
    """

    def __init__(self, schema: FeatureSchema, config: Model, seed: int) -> None:
        """Take the features from `schema` and the sizes from `config`."""
        super().__init__(name="representation")
        sizes = [feature.size for feature in schema.categorical]
        self.offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        self.rows, self.columns, self.dim = sum(sizes), len(sizes), config.embedding_dim
        self.first_seed = seed
        self.bottom = [
            keras.layers.Dense(
                width, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed + 1 + i)
            )
            for i, width in enumerate(config.bottom)
        ]

    def build(self, input_shape: dict[str, tuple[int | None, int]]) -> None:
        """Make one table for all categorical features, so that one gather serves them."""
        if self.columns:
            self.table = self.add_weight(
                name="table",
                shape=(self.rows, self.dim),
                initializer=keras.initializers.RandomUniform(-0.05, 0.05, seed=self.first_seed),
            )
        width = self.columns * self.dim + input_shape["numeric"][-1]
        for layer in self.bottom:
            layer.build((None, width))
            width = layer.units

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Map {"categorical": int32 [B, C], "numeric": float32 [B, N]} to h [B, D]."""
        h = inputs["numeric"]
        if self.columns:
            embedded = tf.gather(self.table.value, inputs["categorical"] + self.offsets)
            flat = tf.reshape(embedded, [-1, self.columns * self.dim])
            h = tf.concat([flat, h], axis=-1)
        for layer in self.bottom:
            h = layer(h)
        return h


REPRESENTATIONS = {"embedding": Embedding}


def build_representation(schema: FeatureSchema, config: Model, seed: int) -> keras.layers.Layer:
    """Make the representation that `config.representation` names.

    Raises:
        ConfigError: no such name, or the class cannot be imported.
    """
    name = config.representation
    if name in REPRESENTATIONS:
        return REPRESENTATIONS[name](schema, config, seed)
    module, _, attribute = name.partition(":")
    try:
        plugin = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"`model.representation` must be one of {', '.join(REPRESENTATIONS)} or "
            f"`package.module:Class`. Received: {name!r} ({error})."
        ) from error
    layer: keras.layers.Layer = plugin(schema, config, seed)
    return layer
