"""A model from outside the package: the mean of a row, by Tweedie deviance."""

import tensorflow as tf
from pydantic import Field

from optdist.config import ModelConfig
from optdist.layers import StackedMLP
from optdist.models import CltvModel
from optdist.seeds import derive


class TweedieConfig(ModelConfig):
    """The settings of `Tweedie`, next to those that all models share."""

    tower: list[int] = Field(default=[16, 8], description="Widths of the hidden layers.")
    power: float = Field(default=1.5, gt=1, lt=2, description="Power of the variance.")


class Tweedie(CltvModel):
    """One tower that outputs the logarithm of the mean."""

    config_class = TweedieConfig
    config: TweedieConfig

    def __init__(self, schema, config=None, seed=1):
        super().__init__(schema, config, seed)
        start = tf.math.log([[schema.label.mean]])
        self.tower = StackedMLP(
            1, [*self.config.tower, 1], derive(seed, "tower"), start, name="tower"
        )

    def call(self, inputs, training=False):
        return self.tower(self.representation(inputs))[0, :, 0]

    def row_losses(self, y, outputs, seed):
        p, unit = self.config.power, self.schema.label.positive_mean
        log_mean = outputs - tf.math.log(unit)
        below = tf.exp((1 - p) * log_mean) / (1 - p)
        return {"loss": tf.exp((2 - p) * log_mean) / (2 - p) - y / unit * below}

    def predict_distribution(self, inputs, quantiles=(), inference=None):
        return {"predicted_cltv": self.calibration(inference).scale * tf.exp(self(inputs))}
