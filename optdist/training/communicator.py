"""Connects the ranks of a run; the only module of the library that imports Horovod."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from optdist.config import HorovodConfig


class Ranks(Protocol):
    """The processes that train together."""

    rank: int
    size: int
    local_rank: int
    local_size: int

    def gradients(
        self, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]
    ) -> list[tf.Tensor]:
        """Gradients, averaged over the ranks.

        Args:
            tape: what recorded the loss.
            loss: the mean loss of this rank's rows, a scalar.
            variables: what to differentiate by.
        """

    def broadcast(self, variables: list[tf.Variable]) -> None:
        """Give all ranks the values of rank 0."""

    def broadcast_array(self, values: np.ndarray) -> np.ndarray:
        """An array of rank 0, on all ranks."""

    def gather(self, values: np.ndarray) -> np.ndarray:
        """The ranks' arrays, one after the other along the first axis."""


class OneRank:
    """A single process without Horovod."""

    rank, size, local_rank, local_size = 0, 1, 0, 1

    def gradients(
        self, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]
    ) -> list[tf.Tensor]:
        """Gradients of this process."""
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]

    def broadcast(self, variables: list[tf.Variable]) -> None:
        """Nothing to do."""

    def broadcast_array(self, values: np.ndarray) -> np.ndarray:
        """The array itself."""
        return values

    def gather(self, values: np.ndarray) -> np.ndarray:
        """The array itself."""
        return values


class HorovodRanks:
    """This process among Horovod's.

    `DistributedGradientTape` and `broadcast_variables` on plain TensorFlow variables are what works
    with Keras 3; Horovod's Keras optimizer wrapper silently averages nothing.
    """

    def __init__(self, sparse_as_dense: bool = True) -> None:
        """Join the ranks that the launcher started."""
        import horovod.tensorflow as hvd

        hvd.init()
        self.hvd: Any = hvd
        self.rank, self.size = hvd.rank(), hvd.size()
        self.local_rank, self.local_size = hvd.local_rank(), hvd.local_size()
        self.sparse_as_dense = sparse_as_dense

    def gradients(
        self, tape: tf.GradientTape, loss: tf.Tensor, variables: list[tf.Variable]
    ) -> list[tf.Tensor]:
        """Gradients averaged over the ranks; small tables travel densely."""
        distributed = self.hvd.DistributedGradientTape(tape, sparse_as_dense=self.sparse_as_dense)
        return [tf.convert_to_tensor(g) for g in distributed.gradient(loss, variables)]

    def broadcast(self, variables: list[tf.Variable]) -> None:
        """Give all ranks the values of rank 0."""
        self.hvd.broadcast_variables(variables, root_rank=0)

    def broadcast_array(self, values: np.ndarray) -> np.ndarray:
        """An array of rank 0, on all ranks."""
        result: np.ndarray = self.hvd.broadcast(tf.constant(values), root_rank=0).numpy()
        return result

    def gather(self, values: np.ndarray) -> np.ndarray:
        """The ranks' arrays along the first axis; their lengths may differ."""
        result: np.ndarray = self.hvd.allgather(tf.constant(values)).numpy()
        return result


def misses_a_rank(error: Exception) -> bool:
    """Whether Horovod raised an error because another rank is gone."""
    text = str(error).lower()
    return isinstance(error, tf.errors.OpError) and ("horovod" in text or "gloo" in text)


def broadcast_text(ranks: Ranks, text: str) -> str:
    """The text of rank 0, on all ranks."""
    data = np.frombuffer(text.encode(), np.uint8)
    length = int(ranks.broadcast_array(np.array([len(data)], np.int64))[0])
    padded = np.resize(data, length) if len(data) else np.zeros(length, np.uint8)
    return ranks.broadcast_array(padded).tobytes().decode()


def stall_limit(horovod: HorovodConfig) -> dict[str, str]:
    """Variables that make all ranks end when one hangs; by default Horovod only warns."""
    return {"HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": str(horovod.stall_timeout_seconds)}
