"""Implements ZILN: a zero-inflated lognormal per row (Wang et al., arXiv 1912.07753; 4.1.3)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from optdist.config import ZilnConfig
from optdist.data.schema import FeatureSchema
from optdist.distributions.mixture import ZilnMixture
from optdist.distributions.ziln import Ziln, ziln_nll, ziln_parameters
from optdist.layers import StackedMLP
from optdist.models.base import DistributionModel, Inputs, Prediction
from optdist.models.initial_biases import ziln_biases
from optdist.seeds import derive


class ZILN(DistributionModel):
    """One tower that outputs p, mu and sigma."""

    config_class = ZilnConfig
    config: ZilnConfig

    def __init__(
        self, schema: FeatureSchema, config: ZilnConfig | None = None, seed: int = 1
    ) -> None:
        """Make the tower, its outputs starting at the training labels' statistics."""
        super().__init__(schema, config, seed)
        start = ziln_biases(schema.label, self.config, np.zeros(1))
        self.network = StackedMLP(
            1, [*self.config.tower, 3], derive(seed, "tower"), start, name="tower"
        )

    def call(self, inputs: Inputs, training: bool = False) -> Ziln:
        """The parameters [B] of each row's distribution."""
        return ziln_parameters(self.network(self.representation(inputs))[0], self.bounds)

    def row_losses(self, y: tf.Tensor, outputs: Ziln, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The negative log-likelihood in nats (Eq. 5)."""
        return {"loss": ziln_nll(y, *outputs)}

    def mixture(
        self, inputs: Inputs, inference: str | None = None
    ) -> tuple[ZilnMixture, Prediction]:
        """The distribution of each row, a mixture of one."""
        one = self(inputs)
        selected = {"p": one.p, "mu": one.mu, "sigma": one.sigma}
        parts = [x[:, None] for x in (tf.zeros_like(one.p_logit), *one)]
        return ZilnMixture(*parts), selected
