"""OptDist: candidate distributions, their selection, and the alignment of both (section 3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from optdist.alignment import alignment_ce, alignment_kl, hard_label, soft_label
from optdist.config import Model
from optdist.layers import StackedMLP, build_representation
from optdist.schema import FeatureSchema
from optdist.selection import gumbel_noise, selection_weights
from optdist.ziln import (
    Bounds,
    Ziln,
    mixture_quantile,
    ziln_mean,
    ziln_nll,
    ziln_parameters,
    ziln_quantile,
)

Inputs = dict[str, tf.Tensor]


class Outputs(NamedTuple):
    """What the networks say of B rows and L candidate distributions."""

    sdns: Ziln  # each [B, L]
    log_alpha: tf.Tensor  # [B, L]


class OptDist(keras.Model):
    """L sub-distribution networks and a selection network on one shared representation."""

    supports_jit = False  # routing by SDN has shapes that depend on the data

    def __init__(self, schema: FeatureSchema, config: Model | None = None, seed: int = 1) -> None:
        """Make the networks.

        Args:
            schema: the encoded features, and the label statistics that outputs start from.
            config: sizes and settings; the paper's where it gives them.
            seed: of the initial weights and, under `fit`, of the Gumbel noise.
        """
        super().__init__(name="optdist")
        self.schema, self.config = schema, config or Model()
        label = schema.label
        count = self.config.num_sdns
        self.bounds = Bounds(
            label.log_min, label.log_max, self.config.sigma_min, self.config.sigma_max
        )
        self.representation = build_representation(schema, self.config, seed)
        self.dlm = StackedMLP(
            count, [*self.config.sdn, 3], seed, _output_start(schema, self.config), name="dlm"
        )
        self.dsm = StackedMLP(1, [*self.config.dsm, count], seed + 1000, name="dsm")
        self.noise_seed = seed
        self.noise_step = self.add_weight(
            name="noise_step", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def build_variables(self) -> None:
        """Make all variables, by a pass over one empty row."""
        self(
            {
                "categorical": tf.zeros([1, len(self.schema.categorical_columns)], tf.int32),
                "numeric": tf.zeros([1, len(self.schema.numeric_columns)], tf.float32),
            }
        )

    def call(self, inputs: Inputs, training: bool = False) -> Outputs:
        """Compute every SDN's distribution and the selection probabilities (Eq. 7)."""
        h = self.representation(inputs)
        logits = tf.transpose(self.dlm(h), [1, 0, 2])  # [B, L, 3]
        return Outputs(ziln_parameters(logits, self.bounds), self._log_alpha(h))

    def loss_terms(self, y: tf.Tensor, outputs: Outputs, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """The loss and its parts, each a mean over the batch in nats (Eq. 6, 11, 14, 15).

        Args:
            y: labels [B] in currency units.
            outputs: of `call`.
            noise: Gumbel noise [B, L].
        """
        c = self.config
        sdn_nll = ziln_nll(y[:, None], *outputs.sdns)
        pi = selection_weights(outputs.log_alpha, noise, c.temperature, c.gumbel)
        selected_nll = tf.reduce_mean(tf.reduce_sum(pi * sdn_nll, axis=-1))
        ce = tf.reduce_mean(alignment_ce(outputs.log_alpha, hard_label(sdn_nll), c.focal_exponent))
        kl = tf.reduce_mean(alignment_kl(outputs.log_alpha, soft_label(sdn_nll)))
        loss = selected_nll + c.ce_weight * ce + c.kl_weight * kl
        return {"loss": loss, "selected_nll": selected_nll, "ce": ce, "kl": kl}

    def predict_distribution(
        self, inputs: Inputs, quantiles: tuple[float, ...] = ()
    ) -> dict[str, tf.Tensor]:
        """Predict (Eq. 18-19), by the rule of `config.inference`.

        "hard" is the paper's: each row pays for the SDN that the DSM selects, and no other. "soft"
        is the alpha-weighted mixture: mean and quantiles are the mixture's, while p, mu and sigma
        stay the selected SDN's.

        Returns:
            [B] each: predicted_cltv (currency), p, mu, sigma, selected_sdn (int32),
            selected_probability, and one `qNN` (currency) per quantile.
        """
        h = self.representation(inputs)
        log_alpha = self._log_alpha(h)
        selected = tf.argmax(log_alpha, axis=-1, output_type=tf.int32)
        if self.config.inference == "hard":
            chosen = ziln_parameters(self._routed(h, selected), self.bounds)
            mean = ziln_mean(chosen.p, chosen.mu, chosen.sigma)
            levels = [ziln_quantile(q, chosen.p, chosen.mu, chosen.sigma) for q in quantiles]
        else:
            logits = tf.transpose(self.dlm(h), [1, 0, 2])
            sdns = ziln_parameters(logits, self.bounds)
            alpha = tf.exp(log_alpha)
            chosen = Ziln(*(tf.gather(x, selected, axis=1, batch_dims=1) for x in sdns))
            mean = tf.reduce_sum(alpha * ziln_mean(sdns.p, sdns.mu, sdns.sigma), axis=-1)
            levels = [mixture_quantile(q, alpha, sdns.p, sdns.mu, sdns.sigma) for q in quantiles]
        return {
            "predicted_cltv": mean,
            "p": chosen.p,
            "mu": chosen.mu,
            "sigma": chosen.sigma,
            "selected_sdn": selected,
            "selected_probability": tf.exp(tf.reduce_max(log_alpha, axis=-1)),
        } | {quantile_name(q): level for q, level in zip(quantiles, levels, strict=True)}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any
    ) -> tf.Tensor:
        """Eq. 15 for `keras.Model.fit`, with fresh Gumbel noise at every step."""
        self.noise_step.assign_add(1)
        seed = tf.stack([self.noise_seed, self.noise_step.value])
        outputs = Outputs(Ziln(*y_pred[0]), y_pred[1])
        noise = gumbel_noise(tf.shape(outputs.log_alpha), seed)
        return self.loss_terms(tf.reshape(tf.cast(y, tf.float32), [-1]), outputs, noise)["loss"]

    def predict_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Predictions for `keras.Model.predict`, as `predict_distribution` gives them."""
        return self.predict_distribution(data[0] if isinstance(data, tuple) else data)

    def _log_alpha(self, h: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(self.dsm(h)[0], axis=-1)

    def _routed(self, h: tf.Tensor, selected: tf.Tensor) -> tf.Tensor:
        """Logits [B, 3] of each row's selected SDN, each SDN computing its own rows alone."""
        count = self.config.num_sdns
        rows = tf.dynamic_partition(tf.range(tf.shape(h)[0]), selected, count)
        parts = tf.dynamic_partition(h, selected, count)
        logits = [self.dlm.one(part, i) for i, part in enumerate(parts)]
        return tf.ensure_shape(tf.dynamic_stitch(rows, logits), [None, 3])


def quantile_name(q: float) -> str:
    """The column of a quantile: 0.05 is q05, 0.995 is q99_5."""
    return "q" + f"{100 * q:04.1f}".removesuffix(".0").replace(".", "_")


def _output_start(schema: FeatureSchema, config: Model) -> np.ndarray:
    """Where the outputs [L, 3] start: at the training labels' share, log-mean and log-deviation.

    Choice: mu is spread by a quarter of the deviation to either side, so that the SDNs differ from
    the first step on.
    """
    label = schema.label
    share = np.clip(label.positive_share, 1e-4, 1 - 1e-4)
    sigma = np.clip(label.log_std, 2 * config.sigma_min, 0.9 * config.sigma_max)
    spread = np.linspace(-0.25, 0.25, config.num_sdns) if config.num_sdns > 1 else np.zeros(1)
    start = np.empty((config.num_sdns, 3))
    start[:, 0] = np.log(share / (1 - share))
    start[:, 1] = label.log_mean + spread * label.log_std
    start[:, 2] = np.log(np.expm1(sigma))  # the inverse of softplus
    return start
