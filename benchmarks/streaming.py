"""Training fed by Petastorm against the same model fed from memory, as a ratio in one run."""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from optdist import encoding
from optdist.config import Features, Model, Training
from optdist.data import open_shard
from optdist.table import FeatureTable
from optdist.training import TrainingPlan
from optdist.training.ranks import OneRank
from optdist.training.worker import _Run

CATEGORIES, NUMBERS, GROUPS = 15, 12, 40


def write_table(folder: Path, rows: int) -> FeatureTable:
    """A made-up encoded table of the default data set's width."""
    rng = np.random.default_rng(0)
    raw = pd.DataFrame({f"c{i}": rng.integers(0, 50 * (i + 1), rows) for i in range(CATEGORIES)})
    raw = raw.assign(**{f"n{i}": rng.exponential(5, rows) for i in range(NUMBERS)})
    raw["label"] = (rng.random(rows) < 0.4) * rng.lognormal(1, 1, rows)
    names = Features(
        categorical=[f"c{i}" for i in range(CATEGORIES)],
        numeric={f"n{i}": {"log1p": True} for i in range(NUMBERS)},
    )
    schema = encoding.fit(raw, names, "label")
    columns = encoding.encode(raw, schema) | {
        "label": raw["label"].to_numpy(np.float32),
        "row_key": np.arange(rows),
        "group_key": np.arange(rows),
    }
    whole, files = pa.table(columns), []
    (folder / "encoded" / "train").mkdir(parents=True)
    for i, part in enumerate(np.array_split(np.arange(rows), GROUPS)):
        name = f"part-{i:05d}.parquet"
        pq.write_table(whole.slice(part[0], len(part)), folder / "encoded" / "train" / name)
        files.append({"name": name, "rows": len(part)})
    schema.save(folder / "schema.json")
    manifest = {"fingerprint": "made", "splits": {"train": {"files": files}}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return FeatureTable.open(folder)


def main() -> None:
    """Print rows/s of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = write_table(Path(folder), options.rows)
        plan = TrainingPlan(
            table=folder,
            table_fingerprint="made",
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
