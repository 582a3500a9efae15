"""Trains in memory with Keras' own loop, for benchmarks that need no trainer."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from optdist.config import Config
from optdist.data.feature_table import FeatureTable
from optdist.data.shards import Shard
from optdist.models.base import CltvModel
from pipelines.features.build import finished_features

Rows = dict[str, np.ndarray]


def built_table(config: Config) -> FeatureTable | None:
    """The data set's feature table; if there is none, a printed line says how to build it."""
    table = finished_features(config)
    if table is None:
        name = config.dataset.name
        print(
            f"skipped: {name} has no feature table. "
            f"./spark-submit.sh jobs/build_features.py --dataset {name} builds it."
        )
    return table


def read(table: FeatureTable, split: str, keys: Sequence[str] = ("label", "group_key")) -> Rows:
    """A split's encoded rows, labels and group keys."""
    with Shard(table, split, 65_536, keys=list(keys)).one_pass() as batches:
        parts = [inputs | keys for inputs, keys in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def fit(
    model: CltvModel,
    rows: Rows,
    optimizer: keras.optimizers.Optimizer,
    batch: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Train on shuffled rows."""
    model.compile(optimizer)
    data = dataset(rows).shuffle(len(rows["label"]), seed=model.noise_seed).batch(batch)
    model.fit(data, epochs=epochs, verbose=0, callbacks=list(callbacks))


def cosine(
    rate: float, rows: Rows, batch: int, epochs: int
) -> keras.optimizers.schedules.CosineDecay:
    """The learning rate of the trainer's default schedule."""
    return keras.optimizers.schedules.CosineDecay(
        rate, epochs * -(-len(rows["label"]) // batch), 0.02
    )


def predicted(model: CltvModel, rows: Rows) -> np.ndarray:
    """The predicted values [N] of the model's rule of inference, float64."""
    values = model.predict(dataset(rows).batch(16_384), verbose=0)["predicted_cltv"]
    return values.astype(np.float64)


def dataset(rows: Rows) -> tf.data.Dataset:
    """Inputs and labels, one row an element."""
    inputs = {name: rows[name] for name in ("categorical", "numeric")}
    return tf.data.Dataset.from_tensor_slices((inputs, rows["label"]))
