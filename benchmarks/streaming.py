"""Training fed by Petastorm against the same model fed from memory, as a ratio in one run."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import tensorflow as tf
from _table import write_train_split

from optdist.config import Model, Training
from optdist.data import open_shard
from optdist.training import TrainingPlan
from optdist.training.ranks import OneRank
from optdist.training.worker import _Run


def main() -> None:
    """Print rows/s of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = write_train_split(Path(folder), options.rows)
        plan = TrainingPlan(
            table=folder,
            table_fingerprint=table.manifest["fingerprint"],
            folder=folder,
            model=Model(),
            training=Training(ranks=1, threads_per_rank=1, schedule="constant"),
        )
        run = _Run(plan, OneRank(), lambda event: None)
        batch, buffer = plan.training.batch_size, plan.training.shuffle_buffer_rows
        noise = tf.constant([1, 2])
        with open_shard(table, "train", batch, seed=1, shuffle_rows=buffer) as batches:
            memory = [(x, keys["label"]) for x, keys in batches]

        def from_memory() -> float:
            started = time.perf_counter()
            for x, y in memory:
                run.step_function(x, y, noise).numpy()
            return options.rows / (time.perf_counter() - started)

        def streamed(seed: int) -> float:
            started = time.perf_counter()
            with open_shard(table, "train", batch, seed=seed, shuffle_rows=buffer) as batches:
                for x, keys in batches:
                    run.step_function(x, keys["label"], noise).numpy()
            return options.rows / (time.perf_counter() - started)

        from_memory(), streamed(1)  # warm up
        pairs = [(from_memory(), streamed(seed + 2)) for seed in range(options.passes)]
        memory_rate, stream_rate = (
            statistics.median(column) for column in zip(*pairs, strict=True)
        )
        ratios = [stream / held for held, stream in pairs]
        print(f"from memory {memory_rate:,.0f} rows/s, streamed {stream_rate:,.0f} rows/s")
        print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
