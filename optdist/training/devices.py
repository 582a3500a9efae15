"""Shares a host's GPUs and cores among the ranks that run on it."""

from __future__ import annotations

import os

import tensorflow as tf

from optdist.training.communicator import Ranks


def use_devices(ranks: Ranks, threads: int | None) -> None:
    """Give this rank one of the host's GPUs if it has any, and its part of the cores.

    Args:
        ranks: this rank among the others.
        threads: how many threads TensorFlow uses; None is the cores over the host's ranks.
    """
    gpus = tf.config.list_physical_devices("GPU")
    try:
        if gpus:
            tf.config.set_visible_devices(gpus[ranks.local_rank % len(gpus)], "GPU")
        cores = threads or max(1, len(os.sched_getaffinity(0)) // ranks.local_size)
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:
        pass  # TensorFlow has started already, in a process that it shares with other work
