"""Trains one epoch on one rank: equally many steps on every rank, and every planned row counted."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice

import numpy as np
import tensorflow as tf

from optdist.config import TrainingConfig
from optdist.data.feature_table import FeatureTable
from optdist.data.shards import Batch, Shard, shard_rows
from optdist.errors import DataError, TrainingError
from optdist.ranks import pulse
from optdist.seeds import derive
from optdist.training.communicator import Ranks
from optdist.training.event_file import OnEvent
from optdist.training.learner import Learner

Passes = Iterator[Iterator[Batch]]  # over the shard's batches, a pass for each epoch


class EpochTrainer:
    """This rank's shard of the training rows, and the steps of an epoch over it.

    All ranks take the same number of steps, as many as the smallest shard has batches; what larger
    shards have beyond that is dropped. The smallest shard's last batch may be short.
    """

    def __init__(self, table: FeatureTable, training: TrainingConfig, ranks: Ranks) -> None:
        """Check this rank's shard; nothing is read yet.

        Raises:
            DataError: the table has too few row groups, or a file differs from its manifest.
        """
        self.ranks, self.seed = ranks, training.seed
        self.batch_size = max(1, training.batch_size // ranks.size)
        rows = shard_rows(table, "train", ranks.size)
        self.steps = math.ceil(min(rows) / self.batch_size)
        self.shard_rows = [min(part, self.steps * self.batch_size) for part in rows]
        self.shard = Shard(
            table,
            "train",
            self.batch_size,
            ranks.rank,
            ranks.size,
            keys=["label"],
            buffer_rows=training.shuffle_buffer_rows,
        )

    def passes(self, epochs: Iterable[int]) -> AbstractContextManager[Passes]:
        """Stream the shard for each of `epochs`; the next one is read while this one trains."""
        return self.shard.passes(derive(self.seed, "rows", epoch) for epoch in epochs)

    def train(self, learner: Learner, epoch: int, passes: Passes, on_event: OnEvent) -> float:
        """Take the steps of an epoch.

        Args:
            learner: what takes the steps.
            epoch: its number, from 1.
            passes: the result of `EpochTrainer.passes`, at this epoch.
            on_event: called after each step.

        Returns:
            The mean loss over the rows of all ranks.

        Raises:
            TrainingError: the loss is no longer finite.
            DataError: the reader lost rows.
        """
        total, read, started = 0.0, 0, time.monotonic()
        for step, (inputs, keys) in enumerate(islice(next(passes), self.steps)):
            loss = float(learner.step(inputs, keys["label"], self._noise_seed(epoch, step)))
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss is {loss} at epoch {epoch}, step {step + 1}. Lower "
                    f"training.learning_rate or set training.clip_norm."
                )
            rows = int(keys["label"].shape[0])
            total, read = total + loss * rows, read + rows
            pulse.beat()
            on_event(
                {
                    "event": "step",
                    "epoch": epoch,
                    "step": step + 1,
                    "steps": self.steps,
                    "loss": total / read,
                    "rows_per_second": self.ranks.size * read / (time.monotonic() - started),
                }
            )
        self._check_rows(epoch, read)
        sums = self.ranks.gather(np.array([[total, read]], np.float64)).sum(axis=0)
        return float(sums[0] / sums[1])

    def _noise_seed(self, epoch: int, step: int) -> tf.Tensor:
        """The seed of a step's Gumbel noise: another one for each step and rank."""
        number = (epoch - 1) * self.steps + step
        return tf.constant([self.seed, number * self.ranks.size + self.ranks.rank])

    def _check_rows(self, epoch: int, read: int) -> None:
        planned = self.shard_rows[self.ranks.rank]
        if read != planned:
            raise DataError(
                f"Rank {self.ranks.rank} read {read} training rows in epoch {epoch}, but its shard "
                f"has {planned}. The reader lost rows: check the petastorm version (0.12.1)."
            )
