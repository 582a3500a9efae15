"""Implements MDAN: a channel per bucket, fused by probabilities (Liu et al., PAKDD 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from optdist.config import MdanConfig
from optdist.data.schema import FeatureSchema
from optdist.layers import StackedMLP
from optdist.models.base import CltvModel, Inputs, Prediction
from optdist.models.buckets import bucket_edges, bucket_of
from optdist.models.conversion import squared_error
from optdist.models.initial_biases import class_logits, inverse_softplus
from optdist.seeds import derive


class Outputs(NamedTuple):
    """The networks' outputs for B rows and N buckets, the first of them for zeros."""

    log_share: tf.Tensor  # [B, N], of the buckets
    channels: tf.Tensor  # [N, B, E], each bucket's embedding of each row
    fused: tf.Tensor  # [B, E], weighted by the buckets' probabilities
    value: tf.Tensor  # [B], currency


class MDAN(CltvModel):
    """Multi-distribution adaptive networks.

    A classifier predicts the bucket of the label: zeros have their own, the positive labels
    `model.buckets` of equal frequency. One channel network per bucket embeds the row, the
    classifier's softmax weights the embeddings, and one head predicts the value from their sum.

    The cited paper's abstract says that its distance similarity loss tells apart the
    representations of different values; its formula is not public. Choice: the cosine of two
    embeddings should be 1 for the same bucket and fall to 0 for the two farthest, in squared error.
    `model.similarity` says of which two: "channels", two channels' embeddings of one row, by the
    distance of the channels' buckets; "rows", the fused embeddings of two rows of a batch, by the
    distance of their labels' buckets. Both rank validation rows as well as a model without this
    loss (docs/baselines.md).

    Choice: the value's error is squared, in units of the mean positive training label, and the head
    has one hidden layer of the embedding's size.
    """

    config_class = MdanConfig
    config: MdanConfig

    has_conversion = True

    def __init__(
        self, schema: FeatureSchema, config: MdanConfig | None = None, seed: int = 1
    ) -> None:
        """Make buckets and networks, outputs starting at the training labels' statistics."""
        super().__init__(schema, config, seed)
        c = self.config
        self.unit = schema.label.positive_mean
        self.edges = bucket_edges(schema.label, c.buckets)
        self.count = len(self.edges)  # the positive buckets and that of zeros
        classes = class_logits(schema.label, self.count - 1)[None, :]
        value = np.array([[inverse_softplus(schema.label.positive_share)]])
        self.classifier = StackedMLP(
            1, [*c.tower, self.count], derive(seed, "classifier"), classes, name="classifier"
        )
        self.channels = StackedMLP(self.count, c.sdn, derive(seed, "channels"), name="channels")
        self.head = StackedMLP(1, [c.sdn[-1], 1], derive(seed, "head"), value, name="head")

    def call(self, inputs: Inputs, training: bool = False) -> Outputs:
        """Compute the buckets' probabilities, the channels, their sum and the value."""
        h = self.representation(inputs)
        log_share = tf.nn.log_softmax(self.classifier(h)[0], axis=-1)
        channels = self.channels(h)
        fused = tf.einsum("bn,nbe->be", tf.exp(log_share), channels)
        value = self.unit * tf.nn.softplus(self.head(fused)[0, :, 0])
        return Outputs(log_share, channels, fused, value)

    def row_losses(self, y: tf.Tensor, outputs: Outputs, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Cross-entropy in nats, squared error in mean positive labels, similarity loss in 0..4."""
        c = self.config
        bucket = tf.where(y > 0, 1 + bucket_of(y, self.edges), 0)
        ce = -tf.gather(outputs.log_share, bucket, axis=1, batch_dims=1)
        mse = squared_error(y, outputs.value, self.unit)
        if c.similarity == "rows":
            similarity = _similarity_of_rows(outputs.fused, bucket / (self.count - 1))
        else:
            similarity = _similarity_of_channels(outputs.channels)
        loss = ce + c.mse_weight * mse + c.similarity_weight * similarity
        return {"loss": loss, "ce": ce, "mse": mse, "similarity": similarity}

    def predict_distribution(
        self, inputs: Inputs, quantiles: Sequence[float] = (), inference: str | None = None
    ) -> Prediction:
        """Predict p and the value; see `CltvModel`."""
        outputs = self(inputs)
        return {
            "predicted_cltv": self.calibration(inference).scale * outputs.value,
            "p": 1 - tf.exp(outputs.log_share[:, 0]),
        }


def _similarity_of_rows(fused: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """The loss [B] of each row and the one before it in the (shuffled) batch.

    `place` [B] is the place of the row's bucket, 0..1.
    """
    place = tf.cast(place, fused.dtype)
    direction = tf.math.l2_normalize(fused, axis=-1)
    cosine = tf.reduce_sum(direction * tf.roll(direction, 1, axis=0), axis=-1)
    target = 1 - tf.abs(place - tf.roll(place, 1, axis=0))
    return tf.square(cosine - target)


def _similarity_of_channels(channels: tf.Tensor) -> tf.Tensor:
    """The mean loss [B] over all pairs of a row's N channels."""
    direction = tf.math.l2_normalize(channels, axis=-1)
    cosine = tf.einsum("nbe,mbe->bnm", direction, direction)
    n = np.arange(channels.shape[0])
    target = 1 - np.abs(n[:, None] - n) / n[-1]
    return tf.reduce_mean(tf.square(cosine - target.astype(np.float32)), axis=[1, 2])
