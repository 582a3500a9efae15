"""Implements two-stage: who will buy, then for how much (Drachen et al., 2018; paper 4.1.3)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from optdist.config import TwoStageConfig
from optdist.data.schema import FeatureSchema
from optdist.layers import StackedMLP, build_representation
from optdist.models.base import Inputs
from optdist.models.conversion import (
    ConversionValue,
    ConversionValueModel,
    conversion_ce,
    squared_error,
)
from optdist.models.initial_biases import inverse_softplus, share_logit
from optdist.seeds import derive


class TwoStage(ConversionValueModel):
    """A classifier of conversion and a regressor of revenue that share no parameter.

    Choice: no parameter sees the other stage's gradient, so learning both in the same steps is
    learning one after the other, with one stopping epoch and one norm to clip by.
    `model.shared_representation` shares the embeddings, which the stages of the cited work do
    not.

    The regressor's rows are a setting, `model.rows`. "converted" learns E[y | x, y > 0], whose
    product with p is the mean. "weighted" counts each row by its predicted conversion, as section
    4.2 hints ("more sufficient for those users with a high predicted conversion rate"), and "all"
    counts each alike: both learn from the zeros too, so that the product with p counts conversion
    twice, calibration has to correct the total, and validation rows were ranked worse.
    """

    config_class = TwoStageConfig
    config: TwoStageConfig

    def __init__(
        self, schema: FeatureSchema, config: TwoStageConfig | None = None, seed: int = 1
    ) -> None:
        """Make both stages, their outputs starting at the training labels' statistics."""
        super().__init__(schema, config, seed)
        c = self.config
        share = np.array([[share_logit(schema.label)]])
        mean = 1.0 if c.rows == "converted" else schema.label.positive_share
        value = np.array([[inverse_softplus(mean)]])
        self.classifier = StackedMLP(
            1, [*c.tower, 1], derive(seed, "classifier"), share, name="classifier"
        )
        self.regressor = StackedMLP(
            1, [*c.tower, 1], derive(seed, "regressor"), value, name="regressor"
        )
        self.value_representation = (
            self.representation
            if c.shared_representation
            else build_representation(schema, c, derive(seed, "value_representation"))
        )

    def call(self, inputs: Inputs, training: bool = False) -> ConversionValue:
        """Compute both stages."""
        p_logit = self.classifier(self.representation(inputs))[0, :, 0]
        value = self.value_of(self.regressor(self.value_representation(inputs))[0, :, 0])
        return ConversionValue(p_logit, value)

    def row_losses(
        self, y: tf.Tensor, outputs: ConversionValue, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Cross-entropy in nats, and squared error in mean positive labels squared."""
        ce = conversion_ce(y, outputs.p_logit)
        weight = {
            "converted": tf.cast(y > 0, tf.float32),
            "weighted": tf.stop_gradient(tf.sigmoid(outputs.p_logit)),
            "all": tf.ones_like(y),
        }[self.config.rows]
        mse = weight * squared_error(y, outputs.value, self.unit)
        return {"loss": ce + mse, "ce": ce, "mse": mse}
