"""Implements MDME: which range, which bucket, where in it (Li et al., CIKM 2022; paper 4.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from optdist.config import MdmeConfig
from optdist.data.schema import FeatureSchema
from optdist.layers import StackedMLP
from optdist.models.base import CltvModel, Inputs, Prediction
from optdist.models.buckets import bucket_of, nested_buckets, position_in
from optdist.models.initial_biases import class_logits, logit
from optdist.objectives.alignment import alignment_kl
from optdist.objectives.ordinal import ordinal_ce, ordinal_share
from optdist.seeds import derive

NEVER = -1e9  # the logit of a bucket that merged with another


class Outputs(NamedTuple):
    """The towers' outputs for B rows, D sub-distributions of positives and K buckets in each."""

    sub: tf.Tensor  # [B, 1 + D], logits of the sub-distributions, that of zeros first
    sub_ordinal: tf.Tensor  # [B, 1 + D]
    bucket: tf.Tensor  # [B, D, K], logits of the buckets in each sub-distribution
    bucket_ordinal: tf.Tensor  # [B, D, K]
    position: tf.Tensor  # [B, D, K], where in each bucket the value lies, 0..1


class MDME(CltvModel):
    """Multi Distribution Multi Experts (arXiv 2208.13358).

    Zeros are a sub-distribution of their own, the positive labels `model.sub_distributions` of
    equal frequency, each with `model.buckets` of equal frequency. A tower classifies the
    sub-distribution, one tower per sub-distribution the bucket in it, and one network per bucket
    regresses the position in the bucket, in shares of its width. Next to each classifier an ordinal
    tower of the same size learns the order of the classes and teaches it to the classifier; scoring
    does not need it.

    Two rules of inference: "hard" is the cited paper's, the likeliest bucket of the likeliest
    sub-distribution; "soft", the default, is the expectation over all buckets. Choice: where most
    labels are 0, "hard" predicts 0 for most rows and cannot rank them.

    The cited paper leaves the numbers of sub-distributions and buckets to the data, and the weights
    of its losses open: settings. Choice: each loss is a mean over the batch's rows, 0 for those
    outside the sub-distribution or bucket that it trains, so that the classifiers' losses add up to
    the log-likelihood of the bucket.
    """

    config_class = MdmeConfig
    config: MdmeConfig

    has_conversion = True

    def __init__(
        self, schema: FeatureSchema, config: MdmeConfig | None = None, seed: int = 1
    ) -> None:
        """Make buckets and towers, their outputs starting at the training labels' statistics."""
        super().__init__(schema, config, seed)
        c = self.config
        self.buckets = nested_buckets(schema.label, c.sub_distributions, c.buckets)
        d, k = self.buckets.real.shape
        classes = class_logits(schema.label, d)[None, :]
        position = logit(np.clip(self.buckets.mean, 0.01, 0.99)).reshape(d * k, 1)
        self.sub = StackedMLP(1, [*c.sdn, 1 + d], derive(seed, "sub"), classes, name="sub")
        self.sub_ordinal = StackedMLP(
            1, [*c.sdn, 1 + d], derive(seed, "sub_ordinal"), name="sub_ordinal"
        )
        self.bucket = StackedMLP(d, [*c.sdn, k], derive(seed, "bucket"), name="bucket")
        self.bucket_ordinal = StackedMLP(
            d, [*c.sdn, k], derive(seed, "bucket_ordinal"), name="bucket_ordinal"
        )
        self.position = StackedMLP(
            d * k, [*c.sdn, 1], derive(seed, "position"), position, name="position"
        )

    def call(self, inputs: Inputs, training: bool = False) -> Outputs:
        """Compute every tower."""
        h = self.representation(inputs)
        return Outputs(
            self.sub(h)[0],
            self.sub_ordinal(h)[0],
            self._bucket_logits(h),
            tf.transpose(self.bucket_ordinal(h), [1, 0, 2]),
            self._positions(h),
        )

    def row_losses(self, y: tf.Tensor, outputs: Outputs, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Cross-entropies and divergence in nats, squared error in bucket widths squared."""
        c, b = self.config, self.buckets
        k = b.real.shape[1]
        converted = tf.cast(y > 0, tf.float32)
        place = tf.gather(b.place, bucket_of(y, b.edges))  # of zeros too, which `converted` drops
        d, within = place // k, place % k
        towers = [tf.gather(x, d, axis=1, batch_dims=1) for x in outputs[2:]]  # [B, K] each
        position = tf.gather(towers[2], within, axis=1, batch_dims=1)
        target = position_in(
            y, tf.gather(b.low.reshape(-1), place), tf.gather(b.width.reshape(-1), place)
        )
        sub = _learned(
            outputs.sub, outputs.sub_ordinal, tf.where(y > 0, 1 + d, 0), tf.constant([True])
        )
        bucket = _learned(towers[0], towers[1], within, tf.gather(b.real, d))
        ce, ordinal, distillation = (x + converted * z for x, z in zip(sub, bucket, strict=True))
        mse = converted * tf.square(position - target)
        loss = (
            ce
            + c.ordinal_weight * ordinal
            + c.distillation_weight * distillation
            + c.position_weight * mse
        )
        return {
            "loss": loss,
            "ce": ce,
            "ordinal": ordinal,
            "distillation": distillation,
            "mse": mse,
        }

    def predict_distribution(
        self, inputs: Inputs, quantiles: Sequence[float] = (), inference: str | None = None
    ) -> Prediction:
        """Predict p and the value of the likeliest bucket or of all; see `CltvModel`."""
        h = self.representation(inputs)
        sub = tf.nn.softmax(self.sub(h)[0], axis=-1)
        rule = inference or self.inference
        value = self._hard(h, sub) if rule == "hard" else self._soft(h, sub)
        return {
            "predicted_cltv": self.calibration(inference).scale * value,
            "p": tf.reduce_sum(sub[:, 1:], axis=-1),
        }

    def _hard(self, h: tf.Tensor, sub: tf.Tensor) -> tf.Tensor:
        """The likeliest bucket's value; a row pays for its own towers alone."""
        k = self.buckets.real.shape[1]
        chosen = tf.argmax(sub, axis=-1, output_type=tf.int32)
        d = tf.maximum(chosen - 1, 0)
        logits = tf.where(tf.gather(self.buckets.real, d), self.bucket.routed(h, d), NEVER)
        place = d * k + tf.argmax(logits, axis=-1, output_type=tf.int32)
        position = tf.sigmoid(self.position.routed(h, place)[:, 0])
        low, width = (
            tf.gather(x.reshape(-1), place) for x in (self.buckets.low, self.buckets.width)
        )
        return tf.where(chosen > 0, low + position * width, 0.0)

    def _soft(self, h: tf.Tensor, sub: tf.Tensor) -> tf.Tensor:
        """The expectation over all buckets."""
        share = sub[:, 1:, None] * tf.nn.softmax(self._bucket_logits(h), axis=-1)
        value = self.buckets.low + self._positions(h) * self.buckets.width
        return tf.reduce_sum(share * value, axis=[1, 2])

    def _bucket_logits(self, h: tf.Tensor) -> tf.Tensor:
        return tf.where(self.buckets.real, tf.transpose(self.bucket(h), [1, 0, 2]), NEVER)

    def _positions(self, h: tf.Tensor) -> tf.Tensor:
        every = tf.transpose(self.position(h)[:, :, 0])
        return tf.sigmoid(tf.reshape(every, [-1, *self.buckets.real.shape]))


def _learned(
    logits: tf.Tensor, ordinal: tf.Tensor, index: tf.Tensor, real: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A classifier's cross-entropy, its ordinal tower's, and the distillation, [B] each."""
    log_share = tf.nn.log_softmax(logits, axis=-1)
    ce = -tf.gather(log_share, index, axis=1, batch_dims=1)
    return ce, ordinal_ce(ordinal, index), alignment_kl(log_share, ordinal_share(ordinal, real))
