"""Takes steps of gradient descent on one rank, in step with the other ranks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optdist.config import TrainingConfig
from optdist.errors import TrainingError
from optdist.models.base import CltvModel
from optdist.training.communicator import Ranks

_FINAL_RATE = 0.02  # of the first learning rate, at the end of a cosine schedule


class Learner:
    """A model and its optimizer, equal on all ranks before and after each step."""

    def __init__(
        self, model: CltvModel, training: TrainingConfig, steps_per_epoch: int, ranks: Ranks
    ) -> None:
        """Build the optimizer and the step's graph.

        Args:
            model: the model to train.
            training: learning rate, schedule, epochs and clipping.
            steps_per_epoch: the steps of an epoch, which the schedule counts.
            ranks: the processes that train together.
        """
        self.model, self.ranks = model, ranks
        self.optimizer = keras.optimizers.Adam(_learning_rate(training, steps_per_epoch))
        self.optimizer.build(model.trainable_variables)
        self.step = self._step_graph(training.clip_norm)

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables of model and optimizer."""
        return [*self.model.variables, *self.optimizer.variables]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.learning_rate.numpy())

    def broadcast(self) -> None:
        """Give all ranks the variables of rank 0."""
        self.ranks.broadcast([variable.value for variable in self.variables])

    def check_ranks_agree(self) -> None:
        """Compare the norm of the weights over the ranks: averaged gradients keep it equal.

        Raises:
            TrainingError: the ranks have different weights.
        """
        norm = tf.linalg.global_norm([v.value for v in self.model.trainable_variables]).numpy()
        norms = self.ranks.gather(np.array([norm], np.float64))
        if not np.isfinite(norms).all() or np.ptp(norms) > 1e-6 * abs(norms[0]):
            raise TrainingError(
                f"The ranks have different weights: norms {norms.tolist()}. Start the run "
                f"again; it continues after its last checkpoint."
            )

    def _step_graph(self, clip_norm: float | None) -> Any:
        """Return `step(inputs, y [B], seed [2]) -> loss`, which changes the variables."""
        model, optimizer, ranks = self.model, self.optimizer, self.ranks
        label, noise_seed = tf.TensorSpec([None], tf.float32), tf.TensorSpec([2], tf.int32)

        @tf.function(input_signature=[model.input_signature, label, noise_seed])
        def step(inputs: dict[str, tf.Tensor], y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                loss = model.loss_terms(y, outputs, seed)["loss"]
            variables = [variable.value for variable in model.trainable_variables]
            gradients = ranks.gradients(tape, loss, variables)
            if clip_norm is not None:
                gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
            optimizer.apply(gradients, model.trainable_variables)
            return loss

        return step


def _learning_rate(training: TrainingConfig, steps_per_epoch: int) -> Any:
    if training.schedule == "constant":
        return training.learning_rate
    steps = steps_per_epoch * training.epochs
    return keras.optimizers.schedules.CosineDecay(training.learning_rate, steps, _FINAL_RATE)
