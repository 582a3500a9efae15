"""Implements ideas beyond the paper, each a few lines over OptDist or its representation."""

import keras
import numpy as np
import tensorflow as tf

from optdist.distributions.mixture import ZilnMixture
from optdist.distributions.ziln import ziln_nll
from optdist.layers import CrossNetwork, StackedMLP
from optdist.layers.representation import Embedding
from optdist.models import OptDist
from optdist.models.optdist import Outputs
from optdist.objectives.gumbel import gumbel_noise, selection_weights
from optdist.seeds import derive


def mixture_nll(y: tf.Tensor, outputs: Outputs) -> tf.Tensor:
    """The negative log-likelihood [B] of the whole mixture, which soft inference predicts by."""
    joint = outputs.log_alpha - ziln_nll(y[:, None], *outputs.sdns)
    return -tf.reduce_logsumexp(joint, axis=-1)


class MixtureLikelihood(OptDist):
    """The mixture's likelihood instead of Eq. 6 and of both alignments."""

    def row_losses(self, y, outputs, seed):
        return {"loss": mixture_nll(y, outputs)}


class AddedMixture(OptDist):
    """The mixture's likelihood added to the paper's loss."""

    def row_losses(self, y, outputs, seed):
        return {"loss": super().row_losses(y, outputs, seed)["loss"] + mixture_nll(y, outputs)}


class TweedieMean(OptDist):
    """Tweedie deviance (power 1.5) of the mixture's mean, added to the paper's loss."""

    def row_losses(self, y, outputs, seed):
        typical = self.schema.label.mean
        mean = ZilnMixture(outputs.log_alpha, *outputs.sdns).mean()
        mean = tf.maximum(mean, 1e-3 * typical)
        # without its term of y alone, in units of the mean label's root
        deviance = (4 * y / tf.sqrt(mean) + 4 * tf.sqrt(mean)) / typical**0.5
        return {"loss": super().row_losses(y, outputs, seed)["loss"] + deviance}


class Scheduled(OptDist):
    """Other selection weights than Eq. 9's, by a number that `at_epoch` sets."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.number = self.add_weight(name="number", shape=(), trainable=False)
        self.at_epoch(0)

    def at_epoch(self, epoch):
        raise NotImplementedError

    def selection(self, log_alpha, noise):
        raise NotImplementedError

    def row_losses(self, y, outputs, seed):
        terms = super().row_losses(y, outputs, seed)
        noise = gumbel_noise(tf.shape(outputs.log_alpha), seed)
        pi = self.selection(outputs.log_alpha, noise)
        nll = tf.reduce_sum(pi * ziln_nll(y[:, None], *outputs.sdns), axis=-1)
        return {"loss": terms["loss"] - terms["selected_nll"] + nll}


class Annealed(Scheduled):
    """A temperature that falls from 2 to 0.2 over the first six epochs."""

    def at_epoch(self, epoch):
        self.number.assign(2 * 0.1 ** (min(epoch, 5) / 5))

    def selection(self, log_alpha, noise):
        tau = self.number.value
        return selection_weights(log_alpha / tau, noise / tau, 1.0, "soft")


class WarmStart(Scheduled):
    """A first epoch in which all SDNs learn from every row alike, before selection begins."""

    def at_epoch(self, epoch):
        self.number.assign(1.0 if epoch else 0.0)

    def selection(self, log_alpha, noise):
        selecting = self.number.value
        pi = selection_weights(log_alpha, noise, self.config.temperature, self.config.gumbel)
        return selecting * pi + (1 - selecting) / self.config.num_sdns


class Dropout(OptDist):
    """A tenth of the representation dropped in training."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.representation = Dropped(self.representation)


class Dropped(keras.layers.Layer):
    """The representation with dropout behind it."""

    def __init__(self, whole: keras.layers.Layer):
        super().__init__()
        self.whole, self.drop = whole, keras.layers.Dropout(0.1)

    def call(self, inputs):
        return self.drop(self.whole(inputs))


class OwnConversion(OptDist):
    """A tower of its own for the conversion in each SDN."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dlm = TwinTowers(self.dlm)


class TwinTowers(keras.layers.Layer):
    """Two stacks of perceptrons side by side: the conversion's, and the value's."""

    def __init__(self, whole: StackedMLP):
        super().__init__()
        count, hidden, start = whole.count, whole.units[:-1], whole.last_bias
        self.conversion = StackedMLP(
            count, [*hidden, 1], derive(whole.first_seed, "conversion"), start[:, :1]
        )
        self.value = StackedMLP(
            count, [*hidden, 2], derive(whole.first_seed, "value"), start[:, 1:]
        )

    def call(self, h):
        return tf.concat([self.conversion(h), self.value(h)], axis=-1)

    def routed(self, h, selected):
        parts = self.conversion.routed(h, selected), self.value.routed(h, selected)
        return tf.concat(parts, axis=-1)


class CrossedSelection(OptDist):
    """A cross of DCN v2 before the selection network, where the paper names it (section 3.4)."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cross = CrossNetwork(1, self.config.cross_rank, derive(self.noise_seed, "interaction"))

    def _log_alpha(self, h):
        return super()._log_alpha(self.cross(h))


class PlainStart(OptDist):
    """Outputs that start near zero, not at the training labels' statistics."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dlm = StackedMLP(self.dlm.count, self.dlm.units, self.dlm.first_seed)


class LevelStart(OptDist):
    """SDNs that all start at the training labels' statistics, mu not spread."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        start = np.tile(self.dlm.last_bias.mean(axis=0), (self.dlm.count, 1))
        self.dlm = StackedMLP(self.dlm.count, self.dlm.units, self.dlm.first_seed, start)


class Periodic(Embedding):
    """Sines and cosines of the numbers at eight learned frequencies, next to their encodings."""

    def build(self, input_shape):
        super().build(input_shape)
        self.frequency = self.add_weight(
            name="frequency",
            shape=(self.numbers, 8),
            initializer=keras.initializers.RandomNormal(
                0.0, 0.1, seed=derive(self.first_seed, "factors")
            ),
        )

    def call(self, inputs):
        angle = 6.2831853 * inputs["numeric"][:, : self.numbers, None] * self.frequency.value
        waves = tf.reshape(tf.concat([tf.sin(angle), tf.cos(angle)], -1), [-1, 16 * self.numbers])
        return tf.concat([super().call(inputs), waves], axis=-1)


class FactorizationMachine(Embedding):
    """The second-order interactions of DeepFM: products of all pairs of embeddings, summed."""

    def call(self, inputs):
        embedded = tf.gather(self.table.value, inputs["categorical"] + self.offsets)
        total = tf.reduce_sum(embedded, axis=1)
        pairs = (total**2 - tf.reduce_sum(embedded**2, axis=1)) / 2
        return tf.concat([super().call(inputs), pairs], axis=-1)
