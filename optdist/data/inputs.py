"""Builds the models' inputs from encoded columns or from a frame in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import tensorflow as tf

from optdist.data.encoding import encode
from optdist.data.schema import FeatureSchema


def memory_dataset(
    frame: pd.DataFrame,
    schema: FeatureSchema,
    label: str | None = None,
    batch_size: int = 2048,
    shuffle: bool = False,
    seed: int | None = None,
    sample_weight: str | None = None,
) -> tf.data.Dataset:
    """Encode a frame in memory into batches for `keras.Model.fit`, `evaluate` and `predict`.

    Args:
        frame: B raw rows, with the schema's raw columns.
        schema: how to encode them.
        label: the column of labels, >= 0, in currency units; None leaves them out.
        batch_size: rows of a batch; the last batch may have fewer.
        shuffle: put all rows in a new random order on each pass; else they keep the frame's.
        seed: seed of the orders; None draws other orders in every process.
        sample_weight: the column of weights of the rows' losses, >= 0; needs `label`.

    Returns:
        Batches of the inputs, of (inputs, labels), or of (inputs, labels, weights).

    Raises:
        ValueError: there are weights without labels.
    """
    if sample_weight is not None and label is None:
        raise ValueError("`sample_weight` weights the losses of labels. Set `label` too.")
    columns = {name: tf.constant(value) for name, value in encode(frame, schema).items()}
    inputs = stack_inputs(columns, schema, len(frame))
    targets = [frame[name].to_numpy(np.float32) for name in (label, sample_weight) if name]
    rows = (inputs, *map(tf.constant, targets)) if targets else inputs
    order = tf.data.Dataset.range(len(frame))
    if shuffle:
        order = order.shuffle(max(1, len(frame)), seed, reshuffle_each_iteration=True)
    return order.batch(batch_size).map(
        lambda batch: tf.nest.map_structure(lambda values: tf.gather(values, batch), rows)
    )


def stack_inputs(
    columns: dict[str, tf.Tensor], schema: FeatureSchema, rows: int | tf.Tensor
) -> dict[str, tf.Tensor]:
    """Stack encoded columns [B] into the models' inputs [B, C] and [B, N].

    Args:
        columns: the encoded columns, [B] each, by name.
        schema: which of them are categorical and which numeric.
        rows: B, for a schema that has only one of the two kinds.

    Returns:
        "categorical" int32 [B, C] and "numeric" float32 [B, N].
    """
    return {
        "categorical": tf.stack([columns[c] for c in schema.categorical_columns], axis=1)
        if schema.categorical
        else tf.zeros([rows, 0], tf.int32),
        "numeric": tf.stack([columns[c] for c in schema.numeric_columns], axis=1)
        if schema.numeric
        else tf.zeros([rows, 0], tf.float32),
    }
