"""Encoded Parquet into tensors: the only door to Petastorm.

A shard is every `shards`-th row group (one per file), so ranks read disjoint files. Every row that
is read is counted against the table's manifest and the Parquet footers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import tensorflow as tf

from optdist.encoding import encode
from optdist.errors import DataError
from optdist.schema import FeatureSchema
from optdist.table import FeatureTable

KEYS = ("label", "row_key", "group_key")

# Petastorm 0.12.1 reads through pyarrow's legacy interface, in a pyarrow pinned to have it.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"petastorm\.")


def shard_rows(table: FeatureTable, split: str, shards: int) -> list[int]:
    """The number of rows of each shard, by the manifest.

    Raises:
        DataError: there are fewer row groups than shards.
    """
    files = sorted(table.split_files(split), key=lambda file: file["name"])
    if len(files) < shards:
        raise DataError(
            f"The {split} split has {len(files)} row groups for {shards} ranks. Lower "
            f"training.ranks, or raise build.min_row_groups and build the features again."
        )
    return [sum(int(file["rows"]) for file in files[shard::shards]) for shard in range(shards)]


def check_shard(table: FeatureTable, split: str, shard: int, shards: int) -> None:
    """Compare the shard's Parquet footers with the manifest before anything is read.

    Raises:
        DataError: a file is missing, damaged, or has other rows than the manifest says.
    """
    folder = Path(table.split_path(split))
    if (folder / "_common_metadata").exists():
        raise DataError(
            f"{folder} holds a _common_metadata file, which may hold a pickle: remove it."
        )
    names = sorted(file["name"] for file in table.split_files(split))
    found = sorted(path.name for path in folder.glob("*.parquet"))
    if names != found:
        raise DataError(
            f"{folder} holds {len(found)} files, its manifest names {len(names)}. {_MEND}"
        )
    rows = {file["name"]: int(file["rows"]) for file in table.split_files(split)}
    for name in names[shard::shards]:
        try:
            metadata = pq.ParquetFile(folder / name).metadata
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / name} cannot be read: {error}. {_MEND}") from error
        if metadata.num_rows != rows[name] or metadata.num_row_groups != 1:
            raise DataError(
                f"{folder / name} has {metadata.num_rows} rows in {metadata.num_row_groups} row "
                f"groups, its manifest says {rows[name]} in one. {_MEND}"
            )


_MEND = "Remove the feature table's folder and build it again."


@contextmanager
def open_shard(
    table: FeatureTable,
    split: str,
    batch_size: int,
    shard: int = 0,
    shards: int = 1,
    seed: int | None = None,
    shuffle_rows: int = 0,
) -> Iterator[tf.data.Dataset]:
    """Stream one pass over a shard.

    Args:
        table: a finished feature table.
        split: "train", "validation" or "test".
        batch_size: rows per batch; the last batch may be smaller.
        shard: which shard, in [0, shards).
        shards: how many shards.
        seed: >= 1; the order of row groups and rows follows from it. None reads in file order.
        shuffle_rows: rows of the buffer that is shuffled as a block, across row groups.

    Yields:
        A data set of ({"categorical": [B, C], "numeric": [B, N]}, {"label": [B], "row_key": [B],
        "group_key": [B]}).
    """
    from petastorm import make_batch_reader
    from petastorm.tf_utils import make_petastorm_dataset

    schema = table.schema
    check_shard(table, split, shard, shards)
    reader = make_batch_reader(
        Path(table.split_path(split)).resolve().as_uri(),
        schema_fields=[*schema.categorical_columns, *schema.numeric_columns, *KEYS],
        reader_pool_type="thread",
        workers_count=1,  # two were slower on plain columns, and one keeps the order
        shuffle_row_groups=seed is not None,
        shuffle_rows=seed is not None,
        seed=seed,
        num_epochs=1,
        cur_shard=shard,
        shard_count=shards,
    )
    with reader:
        columns = make_petastorm_dataset(reader).map(lambda row: _stacked(row._asdict(), schema))
        if seed is not None and shuffle_rows > batch_size:
            columns = columns.rebatch(shuffle_rows).map(
                lambda x, keys: _permuted((x, keys), tf.constant([seed, shard]))
            )
        yield columns.rebatch(batch_size).prefetch(4)


def memory_dataset(
    frame: pd.DataFrame, schema: FeatureSchema, label: str | None = None, batch_size: int = 2048
) -> tf.data.Dataset:
    """Encode a frame in memory into batches for `keras.Model.fit` and `predict`, in its order."""
    row = {name: tf.constant(value) for name, value in encode(frame, schema).items()}
    inputs = stack_inputs(row, schema, len(frame))
    if label is None:
        return tf.data.Dataset.from_tensor_slices(inputs).batch(batch_size)
    y = frame[label].to_numpy(np.float32)
    return tf.data.Dataset.from_tensor_slices((inputs, y)).batch(batch_size)


def stack_inputs(
    columns: dict[str, tf.Tensor], schema: FeatureSchema, rows: int | tf.Tensor
) -> dict[str, tf.Tensor]:
    """Encoded columns [B] to the models' inputs [B, C] and [B, N]."""
    return {
        "categorical": tf.stack([columns[c] for c in schema.categorical_columns], axis=1)
        if schema.categorical
        else tf.zeros([rows, 0], tf.int32),
        "numeric": tf.stack([columns[c] for c in schema.numeric_columns], axis=1)
        if schema.numeric
        else tf.zeros([rows, 0], tf.float32),
    }


def _stacked(
    row: dict[str, tf.Tensor], schema: FeatureSchema
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    keys = {name: row[name] for name in KEYS}
    return stack_inputs(row, schema, tf.shape(keys["label"])[0]), keys


def _permuted(batch: tuple, seed: tf.Tensor) -> tuple:
    rows = tf.shape(batch[1]["label"])[0]
    order = tf.random.experimental.stateless_shuffle(tf.range(rows), seed)
    shuffled: tuple = tf.nest.map_structure(lambda x: tf.gather(x, order), batch)
    return shuffled
