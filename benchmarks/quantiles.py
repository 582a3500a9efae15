"""Compares two ways to a mixture's quantiles: Newton's method on the probit, and 40 halvings.

One thread, random mixtures of four lognormals in batches as scoring has them. The largest
difference in probability between both answers is printed with the ratio.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from optdist.distributions.mixture import ZilnMixture
from optdist.distributions.ziln import ziln_quantile
from optdist.serving.predictor import limit_tensorflow

Quantile = Callable[..., tf.Tensor]
LEVELS = (0.05, 0.5, 0.95)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000, help="rows per batch")
    parser.add_argument("--passes", type=int, default=20)
    options = parser.parse_args()
    limit_tensorflow(1)
    ways: dict[str, Quantile] = {
        "newton": tf.function(lambda *parts: newton(ZilnMixture.from_probabilities(*parts))),
        "halvings": tf.function(lambda *parts: halvings(ZilnMixture.from_probabilities(*parts))),
    }
    for positive in (0.1, 0.5, 0.95):
        parts = mixtures(options.rows, positive)
        quantiles = {name: way(*parts).numpy() for name, way in ways.items()}  # warm-up too
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.passes):
            for name, way in ways.items():
                started = time.perf_counter()
                way(*parts)
                seconds[name].append(time.perf_counter() - started)
        fast, slow = (statistics.median(values) for values in seconds.values())
        exact = ZilnMixture.from_probabilities(*(tf.cast(part, tf.float64) for part in parts))
        apart = max(
            np.abs(exact.cdf(quantiles["newton"][i]) - exact.cdf(quantiles["halvings"][i])).max()
            for i in range(len(LEVELS))
        )
        print(
            f"{options.rows:,} rows, {positive:.0%} positive on average, quantiles {LEVELS}: "
            f"{1e3 * fast:.1f} ms against {1e3 * slow:.1f} ms, ratio {slow / fast:.2f}; "
            f"probabilities differ by {apart:.1e} at most"
        )


def mixtures(rows: int, positive: float) -> list[tf.Tensor]:
    """Weights, p, mu and sigma of random mixtures, [rows, 4] each."""
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.full(4, 0.5), rows)
    p = rng.beta(4 * positive, 4 * (1 - positive), (rows, 4))
    mu, sigma = rng.normal(3, 1.5, (rows, 4)), rng.uniform(0.3, 1.5, (rows, 4))
    return [tf.constant(x, tf.float32) for x in (weights, p, mu, sigma)]


def newton(mixture: ZilnMixture) -> tf.Tensor:
    """The library's way."""
    return tf.stack([mixture.quantile(q) for q in LEVELS])


def halvings(mixture: ZilnMixture) -> tf.Tensor:
    """Bisection in log1p(y) between the smallest and the largest quantile of the parts."""

    def one(q: float) -> tf.Tensor:
        parts = ziln_quantile(q, mixture.p, mixture.mu, mixture.sigma)
        low = tf.math.log1p(tf.reduce_min(parts, axis=-1))
        high = tf.math.log1p(tf.reduce_max(parts, axis=-1))

        def halve(low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            middle = 0.5 * (low + high)
            below = mixture.cdf(tf.math.expm1(middle)) < q
            return tf.where(below, middle, low), tf.where(below, high, middle)

        _, high = tf.while_loop(lambda *_: True, halve, (low, high), maximum_iterations=40)
        return tf.where(mixture.zero_mass() >= q, 0.0, tf.math.expm1(high))

    return tf.stack([one(q) for q in LEVELS])


if __name__ == "__main__":
    main()
