"""Compares training fed by Petastorm with the same training fed from memory, as ratios.

A round trains a few epochs in each way, one after the other, the order rotating; opening the first
reader counts. Ratios are taken within a round, of wall time and of CPU time: the first is what a
user sees, the second hardly depends on what else the machine does.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from _table import write_train_split

from optdist.config import BuildConfig, OptDistConfig, TrainingConfig
from optdist.data.feature_table import FeatureTable
from optdist.data.shards import Shard
from optdist.training import TrainingPlan
from optdist.training.communicator import OneRank
from optdist.training.worker import _Run


def main() -> None:
    """Print rows/s, CPU time and the ratios."""
    options = _options()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    with tempfile.TemporaryDirectory() as folder:
        table = write_train_split(Path(folder), options.rows, options.row_groups)
        ways = _ways(table, options)
        for way in ways.values():  # warm up
            way()
        before = os.getloadavg()[0]
        rounds = []
        for i in range(options.rounds):
            names = list(ways)[i % len(ways) :] + list(ways)[: i % len(ways)]
            rounds.append({name: _timed(ways[name]) for name in names})
    print(
        f"{options.rows:,} rows in {options.row_groups} row groups, batch {options.batch}, SDNs "
        f"{options.sdn}, {options.cores} core(s), {options.rounds} rounds of {options.epochs} "
        f"epochs, load average {before:.1f} to {os.getloadavg()[0]:.1f}"
    )
    trained = options.rows * options.epochs
    for name in ways:
        wall, cpu = zip(*(each[name] for each in rounds), strict=True)
        print(
            f"{name:22} {trained / statistics.median(wall):>9,.0f} rows/s, "
            f"{1e6 * statistics.median(cpu) / trained:.2f} us of CPU a row"
        )
    for name in list(ways)[1:]:
        ratios = [
            [each["memory"][clock] / each[name][clock] for each in rounds] for clock in (0, 1)
        ]
        texts = [f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios]
        print(f"{name} against memory: {texts[0]} by wall time, {texts[1]} by CPU time")


def _ways(table: FeatureTable, options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """How the epochs are fed."""
    plan = TrainingPlan(
        table=str(table.path),
        table_fingerprint=table.manifest.fingerprint,
        folder=str(table.path),
        model=OptDistConfig(sdn=options.sdn),
        training=TrainingConfig(
            ranks=1,
            threads_per_rank=options.cores,
            batch_size=options.batch,
            schedule="constant",
            shuffle_buffer_rows=options.buffer_rows,
        ),
    )
    run = _Run(plan, OneRank(), lambda event: None)
    noise = tf.constant([1, 2])

    def shard(buffer_rows: int) -> Shard:
        return Shard(table, "train", options.batch, keys=["label"], buffer_rows=buffer_rows)

    with shard(options.buffer_rows).one_pass(seed=1) as batches:
        memory = [(inputs, keys["label"]) for inputs, keys in batches]

    def from_memory() -> None:
        for _ in range(options.epochs):
            for inputs, y in memory:
                float(run.step_function(inputs, y, noise))

    def streamed(buffer_rows: int) -> None:
        with shard(buffer_rows).passes(range(1, options.epochs + 1)) as passes:
            for batches in passes:
                for inputs, keys in batches:
                    float(run.step_function(inputs, keys["label"], noise))

    return {
        "memory": from_memory,
        "streamed every epoch": lambda: streamed(options.buffer_rows),
        "kept in the buffer": lambda: streamed(2 * options.rows),
    }


def _timed(way: Callable[[], None]) -> tuple[float, float]:
    """Seconds of wall and of CPU time, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - wall, time.process_time() - cpu


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--row-groups", type=int, default=BuildConfig().min_row_groups)
    parser.add_argument("--buffer-rows", type=int, default=TrainingConfig().shuffle_buffer_rows)
    parser.add_argument("--batch", type=int, default=TrainingConfig().batch_size)
    parser.add_argument("--sdn", type=int, nargs="+", default=OptDistConfig().sdn)
    parser.add_argument("--epochs", type=int, default=4, help="epochs of each way in a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--cores", type=int, default=1, help="cores that the process is pinned to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
