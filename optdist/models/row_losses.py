"""Lets `fit` and `evaluate` of a Keras model use the losses of rows that the model defines."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

Inputs = dict[str, tf.Tensor]
_OF_KERAS = ("loss", "loss_weights", "metrics", "weighted_metrics")


class RowLossModel(keras.Model):
    """A Keras model that knows its own loss, a weighted mean of the rows' losses.

    `fit` and `evaluate` report the loss and its parts, each the mean over all rows of the pass.
    """

    supports_jit = False

    def __init__(self, name: str, seed: int) -> None:
        """Start the noise of training.

        Args:
            name: the model's name.
            seed: seed of the noise under `fit`.
        """
        super().__init__(name=name)
        self.noise_seed = seed
        self.noise_step = self.add_weight(
            name="noise_step", shape=(), dtype="int32", initializer="zeros", trainable=False
        )
        # Read-only, so that Keras neither tracks the metrics nor writes them with the weights.
        self._means: MappingProxyType[str, keras.metrics.Mean] = MappingProxyType({})

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """The inputs of a graph for any number of rows."""
        raise NotImplementedError

    def row_losses(self, y: tf.Tensor, outputs: Any, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The loss under "loss" and its parts, [B] each.

        Args:
            y: labels [B] in currency units.
            outputs: the result of `call`.
            seed: int32 [2], for whatever noise the loss needs.
        """
        raise NotImplementedError

    def loss_terms(
        self,
        y: tf.Tensor,
        outputs: Any,
        seed: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """The loss under "loss" and its parts, each a weighted mean over the batch.

        Args:
            y: labels [B] in currency units.
            outputs: the result of `call`.
            seed: int32 [2], for whatever noise the loss needs.
            sample_weight: [B], >= 0; None weights all rows alike.
        """
        rows = self.row_losses(y, outputs, seed)
        if sample_weight is None:
            return {name: tf.reduce_mean(values) for name, values in rows.items()}
        total = tf.reduce_sum(sample_weight)
        return {
            name: tf.math.divide_no_nan(tf.reduce_sum(sample_weight * values), total)
            for name, values in rows.items()
        }

    def build_variables(self) -> None:
        """Make all variables, by a pass over one row of zeros."""
        self._row_of_zeros()

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **settings: Any) -> None:
        """Set the optimizer of `fit`; the loss is the model's own.

        Args:
            optimizer: a Keras optimizer or its name.
            loss: must be None.
            settings: of `keras.Model.compile`, without `loss_weights` and (weighted) `metrics`.

        Raises:
            ValueError: a loss or metrics are given.
        """
        refused = [name for name in _OF_KERAS if (settings | {"loss": loss}).get(name)]
        if refused:
            raise ValueError(
                f"{type(self).__name__} has a loss of its own and reports its parts. "
                f"Call `compile` without {', '.join(f'`{name}`' for name in refused)}."
            )
        super().compile(optimizer, **settings)
        terms = self.row_losses(tf.zeros([1]), self._row_of_zeros(), tf.zeros([2], tf.int32))
        self._means = MappingProxyType({name: keras.metrics.Mean(name=name) for name in terms})

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the saved model was compiled; `load_model` calls this."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means of the loss and its parts over the current pass."""
        return list(self._means.values())

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of `fit`, with fresh noise (Eq. 17)."""
        inputs, y, sample_weight = _unpacked(data)
        self.noise_step.assign_add(1)
        seed = tf.stack([self.noise_seed, self.noise_step.value])
        with tf.GradientTape() as tape:
            terms = self.loss_terms(y, self(inputs, training=True), seed, sample_weight)
        variables = [variable.value for variable in self.trainable_variables]
        self.optimizer.apply(tape.gradient(terms["loss"], variables), self.trainable_variables)
        return self._updated_means(terms, y, sample_weight)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of `evaluate`.

        Choice: noise that training does not use, the same in each step, so that `val_loss` changes
        with the weights alone.
        """
        inputs, y, sample_weight = _unpacked(data)
        seed = tf.constant([self.noise_seed, 0])
        terms = self.loss_terms(y, self(inputs, training=False), seed, sample_weight)
        return self._updated_means(terms, y, sample_weight)

    def _row_of_zeros(self) -> Any:
        """The outputs for one row of zeros."""
        return self(
            {
                name: tf.zeros([1, spec.shape[1]], spec.dtype)
                for name, spec in self.input_signature.items()
            }
        )

    def _updated_means(
        self, terms: dict[str, tf.Tensor], y: tf.Tensor, sample_weight: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Add a batch's means to those of the pass, by the weight of its rows."""
        total = tf.size(y) if sample_weight is None else tf.reduce_sum(sample_weight)
        for name, value in terms.items():
            self._means[name].update_state(value, sample_weight=total)
        return {name: mean.result() for name, mean in self._means.items()}


def _unpacked(data: Any) -> tuple[Inputs, tf.Tensor, tf.Tensor | None]:
    """Inputs, labels [B] and weights [B] of a batch as Keras gives it."""
    inputs, *columns = keras.utils.unpack_x_y_sample_weight(data)
    y, sample_weight = (
        None if column is None else tf.reshape(tf.cast(column, tf.float32), [-1])
        for column in columns
    )
    if y is None:
        raise ValueError("`fit` and `evaluate` need labels: pass `y`, or a dataset with labels.")
    return inputs, y, sample_weight
