"""Streams encoded Parquet as tensors; the only module that imports Petastorm.

A shard is every `shards`-th row group (one per file), so ranks read disjoint files. Every row that
is read is counted against the table's manifest and the Parquet footers.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from optdist.data.blocks import Rows, length, permute, read_ahead, regroup
from optdist.data.feature_table import FeatureTable
from optdist.errors import DataError
from optdist.files import uri

KEYS = ("label", "row_key", "group_key")
Batch = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]

# Petastorm 0.12.1 reads through pyarrow's legacy interface, in a pyarrow pinned to have it.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"petastorm\.")


def shard_rows(table: FeatureTable, split: str, shards: int) -> list[int]:
    """The number of rows of each shard, by the manifest.

    Args:
        table: a finished feature table.
        split: train, validation or test.
        shards: how many shards, >= 1.

    Raises:
        DataError: there are fewer row groups than shards.
    """
    files = sorted(table.split_files(split), key=lambda file: file.name)
    if len(files) < shards:
        raise DataError(
            f"The {split} split has only {len(files)} row groups for {shards} ranks. Lower "
            f"training.ranks, or raise build.min_row_groups and build the features again."
        )
    return [sum(file.rows for file in files[shard::shards]) for shard in range(shards)]


def check_shard(table: FeatureTable, split: str, shard: int, shards: int) -> None:
    """Compare the shard's files, each byte of them, with the manifest before anything is read.

    Args:
        table: a finished feature table.
        split: train, validation or test.
        shard: which one, in [0, shards).
        shards: how many shards, >= 1.

    Raises:
        DataError: a file is missing, damaged, or does not have the rows that the manifest says.
    """
    folder = table.split_path(split)
    if (folder / "_common_metadata").exists():
        raise DataError(
            f"{folder} contains a _common_metadata file, which may contain a pickle. Remove it."
        )
    names = sorted(file.name for file in table.split_files(split))
    on_disk = sorted(path.name for path in folder.glob("*.parquet"))
    if names != on_disk:
        raise DataError(
            f"{folder} contains {len(on_disk)} files, but its manifest lists {len(names)}. "
            f"{_REBUILD}"
        )
    rows = {file.name: file.rows for file in table.split_files(split)}
    for name in names[shard::shards]:
        try:
            metadata = pq.ParquetFile(folder / name).metadata
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / name} cannot be read: {error}. {_REBUILD}") from error
        if metadata.num_rows != rows[name] or metadata.num_row_groups != 1:
            raise DataError(
                f"{folder / name} has {metadata.num_rows} rows in {metadata.num_row_groups} row "
                f"groups, but its manifest says {rows[name]} in one. {_REBUILD}"
            )
    table.check_files(split, names[shard::shards])


_REBUILD = "Remove the feature table's folder and build it again."


class Shard:
    """A rank's part of a split, streamed pass after pass in a thread that is one block ahead.

    A block is what the buffer holds, and shuffling permutes it whole. A shard that fits into one
    block is read once and kept, so that its later passes read no file.
    """

    def __init__(
        self,
        table: FeatureTable,
        split: str,
        batch_size: int,
        index: int = 0,
        count: int = 1,
        keys: Sequence[str] = KEYS,
        buffer_rows: int = 65_536,
    ) -> None:
        """Check the shard's files against the manifest; nothing is read yet.

        Args:
            table: a finished feature table.
            split: "train", "validation" or "test".
            batch_size: rows per batch; the last batch of a pass may be smaller.
            index: which shard, in [0, count).
            count: how many shards.
            keys: which of `KEYS` are read with the features.
            buffer_rows: rows of a block, rounded down to whole batches; memory holds up to three.

        Raises:
            DataError: there are too few row groups, or a file does not match the manifest.
        """
        self.table, self.split, self.index, self.count = table, split, index, count
        self.batch_size, self.keys = batch_size, tuple(keys)
        self.rows = shard_rows(table, split, count)[index]
        self.block_rows = max(1, buffer_rows // batch_size) * batch_size
        self.kept: Rows | None = None
        check_shard(table, split, index, count)

    @contextmanager
    def passes(self, seeds: Iterable[int | None]) -> Iterator[Iterator[Iterator[Batch]]]:
        """Stream one pass per seed; rows of a pass that the caller does not read are dropped.

        Args:
            seeds: >= 1; a pass's order follows from its seed and the shard alone. None is file
                order.

        Yields:
            The passes, each an iterator of ({"categorical": int32 [B, C], "numeric": float32
            [B, N]}, {"label": float32 [B], "row_key": int64 [B], "group_key": int64 [B]}).

        Raises:
            DataError: a pass gave more or fewer rows than the manifest says.
        """
        with closing(read_ahead(self._blocks(seeds))) as blocks:
            yield self._passes(blocks)

    @contextmanager
    def one_pass(self, seed: int | None = None) -> Iterator[Iterator[Batch]]:
        """Stream a single pass, as `passes` does."""
        with self.passes([seed]) as passes:
            yield next(passes)

    def _passes(self, blocks: Iterator[tuple[Rows, bool]]) -> Iterator[Iterator[Batch]]:
        for block in blocks:
            batches = self._batches(chain([block], blocks))
            yield batches
            for _ in batches:
                pass

    def _batches(self, blocks: Iterator[tuple[Rows, bool]]) -> Iterator[Batch]:
        for rows, last in blocks:
            for start in range(0, length(rows), self.batch_size):
                part = slice(start, start + self.batch_size)
                batch = {name: tf.constant(column[part]) for name, column in rows.items()}
                keys = {name: batch.pop(name) for name in self.keys}
                yield batch, keys
            if last:
                return

    def _blocks(self, seeds: Iterable[int | None]) -> Generator[tuple[Rows, bool], None, None]:
        """Blocks of rows, pass after pass, and whether each is its pass's last."""
        fits = self.rows <= self.block_rows
        for seed in seeds:
            read = 0
            # A block that holds the whole shard is permuted from file order, also the first time.
            groups = self._row_groups(None if fits else seed)
            for block in [self.kept] if self.kept else regroup(groups, self.block_rows):
                read += length(block)
                if read > self.rows:
                    break
                if fits:
                    self.kept = block
                order = None if seed is None else [seed, self.index, read]
                yield permute(block, order) if order else block, read == self.rows
            if read != self.rows:
                raise DataError(
                    f"Shard {self.index} of {self.count} of the {self.split} split gave {read} "
                    f"rows, but its manifest says {self.rows}. The reader lost rows, or a file "
                    f"changed: check the petastorm version (0.12.1). {_REBUILD}"
                )

    def _row_groups(self, seed: int | None) -> Iterator[Rows]:
        """The shard's row groups in an order that follows from the seed; None is file order."""
        from petastorm import make_batch_reader
        from petastorm.workers_pool import thread_pool

        # An idle reader asks for work this often; at its own 1 ms that took 2% of a core.
        thread_pool.IO_TIMEOUT_INTERVAL_S = 0.02
        schema = self.table.schema
        with make_batch_reader(
            uri(self.table.split_path(self.split).resolve()),
            schema_fields=[*schema.categorical_columns, *schema.numeric_columns, *self.keys],
            reader_pool_type="thread",
            workers_count=1,  # two were slower on plain columns, and one keeps the order
            shuffle_row_groups=seed is not None,
            shuffle_rows=False,  # a block is permuted whole
            seed=seed,
            num_epochs=1,
            cur_shard=self.index,
            shard_count=self.count,
        ) as reader:
            for group in reader:
                columns = group._asdict()
                yield {
                    "categorical": _stacked(columns, schema.categorical_columns, np.int32),
                    "numeric": _stacked(columns, schema.numeric_columns, np.float32),
                } | {name: columns[name] for name in self.keys}


def _stacked(columns: Rows, names: list[str], dtype: type) -> np.ndarray:
    """Columns [n] to one array [n, columns], row by row in memory."""
    stacked: np.ndarray = np.empty((length(columns), len(names)), dtype)
    for i, name in enumerate(names):
        stacked[:, i] = columns[name]
    return stacked
