"""Defines the base of the models that predict p times a value (paper 4.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from optdist.config import ModelConfig
from optdist.data.schema import FeatureSchema
from optdist.models.base import CltvModel, Inputs, Prediction


class ConversionValue(NamedTuple):
    """The networks' outputs for B rows."""

    p_logit: tf.Tensor  # [B], of the probability that y > 0
    value: tf.Tensor  # [B], the revenue of a converted customer, currency, > 0


class ConversionValueModel(CltvModel):
    """A model that predicts probability times value.

    Choice: values and their squared errors are in units of the mean positive training label, so
    that a loss, a learning rate and a gradient norm mean the same in every currency. The sources
    do not say in which unit they take the squared error.
    """

    has_conversion = True

    def __init__(
        self, schema: FeatureSchema, config: ModelConfig | None = None, seed: int = 1
    ) -> None:
        """Take the unit of value from the training labels; see `CltvModel`."""
        super().__init__(schema, config, seed)
        self.unit = schema.label.positive_mean

    def predict_distribution(
        self, inputs: Inputs, quantiles: Sequence[float] = (), inference: str | None = None
    ) -> Prediction:
        """Predict p and p times value; see `CltvModel`."""
        outputs = self(inputs)
        p = tf.sigmoid(outputs.p_logit)
        return {"predicted_cltv": self.calibration(inference).scale * p * outputs.value, "p": p}

    def value_of(self, output: tf.Tensor) -> tf.Tensor:
        """The value [B], in currency, of a network's output; a softplus keeps it positive."""
        return self.unit * tf.nn.softplus(output)


def conversion_ce(y: tf.Tensor, p_logit: tf.Tensor) -> tf.Tensor:
    """Cross-entropy [B] of the conversion, in nats."""
    converted = tf.cast(y > 0, p_logit.dtype)
    return tf.nn.sigmoid_cross_entropy_with_logits(converted, p_logit)


def squared_error(y: tf.Tensor, predicted: tf.Tensor, unit: float) -> tf.Tensor:
    """Squared error [B] in units of `unit` squared; `y` and `predicted` are in currency.

    Args:
        y: labels [B] in currency units.
        predicted: predictions [B] in currency units.
        unit: what one unit of the error is, in currency units, > 0.
    """
    return tf.square((predicted - y) / unit)
