"""Predicts raw rows with the model of a package, in batches of bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from optdist.data.encoding import Batch, encode
from optdist.data.inputs import stack_inputs
from optdist.errors import ModelError
from optdist.models import CltvModel
from optdist.models.base import DistributionModel, Inputs
from optdist.serving.package import Package


class Predictor:
    """A model that predicts raw rows, batch by batch."""

    def __init__(self, model: CltvModel, batch_rows: int = 10_000) -> None:
        """Wrap `model`; `batch_rows` bounds the memory of one step."""
        self.model, self.schema, self.batch_rows = model, model.schema, batch_rows
        self.inference = model.inference
        self._functions: dict[tuple[float, ...], tf.types.experimental.GenericFunction] = {}

    def predict(self, batch: Batch, quantiles: Sequence[float] = ()) -> dict[str, np.ndarray]:
        """Predict raw rows.

        Args:
            batch: B rows with at least the schema's raw columns.
            quantiles: levels in (0, 1).

        Returns:
            [B] arrays as `CltvModel.predict_distribution` describes them.
        """
        function = self._function(tuple(quantiles))
        parts = [function(inputs) for _, inputs in self._steps(batch)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def nll(self, batch: Batch, y: np.ndarray) -> np.ndarray:
        """The negative log-likelihood [B] of labels under the predicted distributions, in nats.

        Args:
            batch: B rows with at least the schema's raw columns.
            y: [B] labels in currency units.

        Raises:
            ModelError: the model does not predict a distribution.
        """
        if not isinstance(self.model, DistributionModel):
            raise ModelError(f"{self.model.config.name} does not predict a distribution.")
        labels = np.asarray(y, np.float32)
        parts = [
            self.model.mixture(inputs)[0].nll(labels[rows]) for rows, inputs in self._steps(batch)
        ]
        return np.concatenate(parts)

    def _steps(self, batch: Batch) -> Iterator[tuple[slice, Inputs]]:
        """The rows and inputs of each step of at most `batch_rows`."""
        columns = encode(batch, self.schema)
        count = len(next(iter(columns.values())))
        for start in range(0, max(count, 1), self.batch_rows):
            rows = slice(start, start + self.batch_rows)
            part = {name: column[rows] for name, column in columns.items()}
            yield rows, stack_inputs(part, self.schema, min(self.batch_rows, count - start))

    def _function(self, quantiles: tuple[float, ...]) -> tf.types.experimental.GenericFunction:
        if quantiles not in self._functions:
            self._functions[quantiles] = prediction_function(self.model, quantiles)
        return self._functions[quantiles]


def prediction_function(
    model: CltvModel, quantiles: tuple[float, ...] = ()
) -> tf.types.experimental.GenericFunction:
    """`model.predict_distribution` as one graph for any number of rows."""
    return tf.function(
        lambda inputs: model.predict_distribution(inputs, quantiles),
        input_signature=[model.input_signature],
    )


def load_predictor(
    folder: str | os.PathLike[str], batch_rows: int = 10_000, threads: int | None = None
) -> Predictor:
    """Load a package for prediction.

    Args:
        folder: the package.
        batch_rows: rows per step.
        threads: TensorFlow's threads in this process; 1 in a Spark worker, which has one core.

    Raises:
        ModelError: a file is missing or damaged, or the package is not the expected one.
    """
    if threads:
        limit_tensorflow(threads)
    package = folder if isinstance(folder, Package) else Package(Path(folder))
    return Predictor(package.load_model(), batch_rows)


def limit_tensorflow(threads: int) -> None:
    """Keep TensorFlow off the GPUs and within `threads`, unless it has started already."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass  # TensorFlow runs already, with the threads that it was given first
