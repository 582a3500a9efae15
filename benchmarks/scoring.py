"""Compares prediction throughput on one thread: each row through its selected SDN, or all SDNs.

Encoded rows in memory, one thread, as a Spark worker has. Both ways predict the same; the largest
difference is printed with the ratio.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from _table import write_train_split

from optdist.config import OptDistConfig
from optdist.data.shards import Shard
from optdist.distributions.ziln import ziln_mean
from optdist.models import OptDist, build_model
from optdist.serving.predictor import limit_tensorflow, prediction_function

Predict = Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]


def all_sdns(model: OptDist) -> Predict:
    """Prediction by every SDN, of which each row then takes its selected one's distribution."""

    @tf.function
    def predict(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        sdns, log_alpha = model(inputs)
        selected = tf.argmax(log_alpha, axis=-1, output_type=tf.int32)
        p, mu, sigma = (
            tf.gather(x, selected, axis=1, batch_dims=1) for x in (sdns.p, sdns.mu, sdns.sigma)
        )
        return {
            "predicted_cltv": ziln_mean(p, mu, sigma),
            "p": p,
            "mu": mu,
            "sigma": sigma,
            "selected_sdn": selected,
            "selected_probability": tf.exp(tf.reduce_max(log_alpha, axis=-1)),
        }

    return predict


def run_all(predict: Predict, batches: list) -> dict[str, np.ndarray]:
    """The predictions of all batches, joined."""
    parts = [predict(inputs) for inputs in batches]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--passes", type=int, default=5, help="timed passes of each way")
    parser.add_argument("--sdns", type=int, default=4)
    args = parser.parse_args()
    limit_tensorflow(1)

    with tempfile.TemporaryDirectory() as folder:
        table = write_train_split(Path(folder), args.rows)
        with Shard(table, "train", args.batch).one_pass() as rows:
            batches = [inputs for inputs, _ in rows]
    model = build_model(table.schema, OptDistConfig(num_sdns=args.sdns, inference="hard"))  # Eq. 18
    ways: dict[str, Predict] = {
        "routed": prediction_function(model),
        "all SDNs": all_sdns(model),
    }

    results = {name: run_all(predict, batches) for name, predict in ways.items()}  # warm-up too
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.passes):
        for name, predict in ways.items():
            started = time.perf_counter()
            run_all(predict, batches)
            seconds[name].append(time.perf_counter() - started)

    routed, dense = results["routed"], results["all SDNs"]
    shares = np.bincount(routed["selected_sdn"], minlength=args.sdns) / args.rows
    speed = {name: args.rows / statistics.median(values) for name, values in seconds.items()}
    print(
        f"{args.rows:,} rows, batches of {args.batch:,}, one thread, untrained weights, "
        f"rows per SDN {' '.join(f'{share:.0%}' for share in shares)}"
    )
    for name, value in speed.items():
        print(f"  {name:<10}{value:>10,.0f} rows/s")
    print(f"  ratio     {speed['routed'] / speed['all SDNs']:>10.3f}")
    same = np.array_equal(routed["selected_sdn"], dense["selected_sdn"])
    print(f"  same SDN selected for every row: {'yes' if same else 'NO'}")
    for name in ("predicted_cltv", "p", "mu", "sigma"):
        apart = np.abs(routed[name] - dense[name])
        relative = (apart / np.maximum(np.abs(dense[name]), 1e-12)).max()
        print(f"  max |difference| of {name:<15}{apart.max():.2e} (relative {relative:.2e})")


if __name__ == "__main__":
    main()
