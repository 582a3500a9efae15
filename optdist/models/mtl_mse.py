"""Implements MTL-MSE: conversion and value as two tasks (Ma et al., SIGIR 2018; paper 4.1.3)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from optdist.config import MtlMseConfig
from optdist.data.schema import FeatureSchema
from optdist.layers import StackedMLP
from optdist.models.base import Inputs
from optdist.models.conversion import (
    ConversionValue,
    ConversionValueModel,
    conversion_ce,
    squared_error,
)
from optdist.models.initial_biases import inverse_softplus, share_logit
from optdist.seeds import derive


class MTLMSE(ConversionValueModel):
    """Two heads on a shared bottom, trained by cross-entropy and squared error.

    The sources leave two points open, both settings. `model.shared` names what the tasks share: the
    "representation" alone, with a tower each, as in the cited ESMM; or the "tower" too, which
    then has two outputs. `model.error` is the target of the squared error: the "value", over
    converted rows; or the "product" of p and value, over all rows, as ESMM trains its product.
    Choice: "representation" and "value", as in ESMM and in two-stage. The shared tower is level
    with them (docs/baselines.md); the shared embeddings are all that sets this model apart from
    two-stage.
    """

    config_class = MtlMseConfig
    config: MtlMseConfig

    def __init__(
        self, schema: FeatureSchema, config: MtlMseConfig | None = None, seed: int = 1
    ) -> None:
        """Make the towers, their outputs starting at the training labels' statistics."""
        super().__init__(schema, config, seed)
        c = self.config
        start = np.array([share_logit(schema.label), inverse_softplus(1.0)])
        if c.shared == "tower":
            self.towers = StackedMLP(
                1, [*c.tower, 2], derive(seed, "towers"), start[None, :], name="towers"
            )
        else:
            self.towers = StackedMLP(
                2, [*c.tower, 1], derive(seed, "towers"), start[:, None], name="towers"
            )

    def call(self, inputs: Inputs, training: bool = False) -> ConversionValue:
        """Compute both heads."""
        outputs = self.towers(self.representation(inputs))
        if self.config.shared == "tower":
            return ConversionValue(outputs[0, :, 0], self.value_of(outputs[0, :, 1]))
        return ConversionValue(outputs[0, :, 0], self.value_of(outputs[1, :, 0]))

    def row_losses(
        self, y: tf.Tensor, outputs: ConversionValue, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Cross-entropy in nats, and squared error in mean positive labels squared."""
        c = self.config
        ce = conversion_ce(y, outputs.p_logit)
        if c.error == "product":
            product = tf.sigmoid(outputs.p_logit) * outputs.value
            mse = squared_error(y, product, self.unit)
        else:
            converted = tf.cast(y > 0, tf.float32)
            mse = converted * squared_error(y, outputs.value, self.unit)
        return {"loss": ce + c.mse_weight * mse, "ce": ce, "mse": mse}
