"""Implements OptDist: candidate distributions, their selection, and their alignment (section 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from optdist.config import OptDistConfig
from optdist.data.schema import FeatureSchema
from optdist.distributions.mixture import ZilnMixture
from optdist.distributions.ziln import Ziln, ziln_nll, ziln_parameters
from optdist.layers import StackedMLP
from optdist.models.base import DistributionModel, Inputs, Prediction
from optdist.models.initial_biases import ziln_biases
from optdist.objectives.alignment import alignment_ce, alignment_kl, hard_label, soft_label
from optdist.objectives.gumbel import gumbel_noise, selection_weights
from optdist.seeds import derive


class Outputs(NamedTuple):
    """The networks' outputs for B rows and L candidate distributions."""

    sdns: Ziln  # each [B, L]
    log_alpha: tf.Tensor  # [B, L]


class OptDist(DistributionModel):
    """L sub-distribution networks and a selection network on one shared representation.

    It predicts by one of three rules. "hard" is the paper's (Eq. 18): each row pays for the SDN
    that the DSM selects, and no other. "top2" is the mixture of the two likeliest SDNs, and each
    row pays for these. "soft" is the alpha-weighted mixture of all. Under the latter two, mean and
    quantiles are the mixture's, while p, mu and sigma in a score row stay the selected SDN's.
    """

    config_class = OptDistConfig
    config: OptDistConfig

    selects = True

    def __init__(
        self, schema: FeatureSchema, config: OptDistConfig | None = None, seed: int = 1
    ) -> None:
        """Make the networks; each SDN has a seed of its own (section 3.1.2)."""
        super().__init__(schema, config, seed)
        c = self.config
        # Choice: mu is spread by a quarter of the deviation to either side, so that the SDNs differ
        # from the first step on.
        spread = np.linspace(-0.25, 0.25, c.num_sdns) if c.num_sdns > 1 else np.zeros(1)
        start = ziln_biases(schema.label, c, spread)
        self.networks = c.num_sdns
        self.dlm = StackedMLP(c.num_sdns, [*c.sdn, 3], derive(seed, "dlm"), start, name="dlm")
        self.dsm = StackedMLP(1, [*c.dsm, c.num_sdns], derive(seed, "dsm"), name="dsm")

    def call(self, inputs: Inputs, training: bool = False) -> Outputs:
        """Compute every SDN's distribution and the selection probabilities (Eq. 7)."""
        h = self.representation(inputs)
        logits = tf.transpose(self.dlm(h), [1, 0, 2])  # [B, L, 3]
        return Outputs(ziln_parameters(logits, self.bounds), self._log_alpha(h))

    def row_losses(self, y: tf.Tensor, outputs: Outputs, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The loss and its parts in nats (Eq. 6, 11, 14, 15); `seed` is the Gumbel noise's."""
        c = self.config
        sdn_nll = ziln_nll(y[:, None], *outputs.sdns)
        noise = gumbel_noise(tf.shape(outputs.log_alpha), seed)
        pi = selection_weights(outputs.log_alpha, noise, c.temperature, c.gumbel)
        selected_nll = tf.reduce_sum(pi * sdn_nll, axis=-1)
        ce = alignment_ce(outputs.log_alpha, hard_label(sdn_nll), c.focal_exponent)
        kl = alignment_kl(outputs.log_alpha, soft_label(sdn_nll))
        loss = selected_nll + c.ce_weight * ce + c.kl_weight * kl
        return {"loss": loss, "selected_nll": selected_nll, "ce": ce, "kl": kl}

    def mixture(
        self, inputs: Inputs, inference: str | None = None
    ) -> tuple[ZilnMixture, Prediction]:
        """The distribution of each row by a rule of inference (Eq. 18 for "hard")."""
        h = self.representation(inputs)
        log_alpha = self._log_alpha(h)
        count = {"hard": 1, "top2": 2, "soft": self.config.num_sdns}[inference or self.inference]
        count = min(count, self.config.num_sdns)
        log_weights, order = tf.math.top_k(log_alpha, count)  # [B, K], likeliest first
        if count < self.config.num_sdns:
            logits = tf.stack([self.dlm.routed(h, order[:, k]) for k in range(count)], axis=1)
        else:
            logits = tf.gather(tf.transpose(self.dlm(h), [1, 0, 2]), order, axis=1, batch_dims=1)
        sdns = ziln_parameters(logits, self.bounds)
        selected = {
            "p": sdns.p[:, 0],
            "mu": sdns.mu[:, 0],
            "sigma": sdns.sigma[:, 0],
            "selected_sdn": order[:, 0],
            "selected_probability": tf.exp(log_weights[:, 0]),
        }
        return ZilnMixture(tf.nn.log_softmax(log_weights, axis=-1), *sdns), selected

    def _log_alpha(self, h: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(self.dsm(h)[0], axis=-1)
