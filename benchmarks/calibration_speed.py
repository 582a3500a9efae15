"""Compares two ways to find the level of intervals: counting, and trying every level on every row.

One thread, random rows of which some are 0. Both levels are printed with the
ratio.
"""

import argparse
import statistics
import time

import numpy as np
from scipy.stats import norm

from optdist.distributions.calibration import contains, fit_level

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--passes", type=int, default=5, help="passes of the library's way")
    options = parser.parse_args()
    for positive in (0.1, 0.5, 0.95):
        rows = drawn(options.rows, positive)
        seconds = []
        for _ in range(options.passes):
            started = time.process_time()
            counted = fit_level(0.9, *rows)
            seconds.append(time.process_time() - started)
        started = time.process_time()
        tried = searched_level(0.9, *rows)
        slow, fast = time.process_time() - started, statistics.median(seconds)
        print(
            f"{options.rows:,} rows, {positive:.0%} positive: {1e3 * fast:.0f} ms against "
            f"{slow:.1f} s of CPU, ratio {slow / fast:.0f}; levels {counted:.3f} and {tried:.3f}"
        )


def drawn(rows: int, positive: float) -> Rows:
    """Labels, their P(Y <= y) and P(Y = 0), float32 as models give them, [rows] each."""
    rng = np.random.default_rng(1)
    zero = rng.beta(4 * (1 - positive), 4 * positive, rows)
    paid = rng.random(rows) >= zero
    cdf = np.where(paid, zero + (1 - zero) * norm.cdf(rng.normal(0, 1.2, rows)), zero)
    return paid.astype(np.float32), cdf.astype(np.float32), zero.astype(np.float32)


def searched_level(coverage: float, y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray) -> float:
    """Try every level of a grid on every row."""
    grid = np.arange(1, 1000) / 1000
    shares = np.array([contains(level, y, cdf, zero_mass).mean() for level in grid])
    enough = np.flatnonzero(shares >= coverage)
    return float(grid[enough[0]] if len(enough) else grid[-1])


if __name__ == "__main__":
    main()
