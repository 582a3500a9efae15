"""Simulates how often the promotion rule replaces a champion by an equal or a better model.

Made-up customers like Complete Journey's test split: households with many rows each, 42% of the
labels positive and lognormal, and models whose Norm-GINI is about 0.60. A model's score is the true
one plus an error that all models share, for what the features do not tell, and an error of its own
seed; both by household and by row. Equal models differ in the second alone. The better one has less
of the first, so that its Norm-GINI on very many rows is higher by the stated gain. Each round draws
new customers and new errors, and asks `paired_bootstrap`, as `jobs/promote.py` does.

    python benchmarks/quality/promotion_rule.py
"""

from __future__ import annotations

import argparse

import numpy as np

from optdist.evaluation.bootstrap import paired_bootstrap
from optdist.evaluation.weighted import WeightedMetrics

METRIC, CONFIDENCES = "normalized_gini", (0.8, 0.9, 0.95)
HOUSEHOLDS, ROWS = 490, 58  # of a test split
_SHARED, _OWN = 0.6, 0.17  # sizes of the errors; this _OWN gives the spread over seeds seen there


class Customers:
    """Rows of made-up households, with what models can and cannot know of them."""

    def __init__(self, households: int, rng: np.random.Generator) -> None:
        self.household = np.repeat(np.arange(households), ROWS)
        self.rng = rng
        truth = 0.5 * self._by_household() + 0.75 * self._by_row()
        n = len(truth)
        paid = rng.random(n) < 1 / (1 + np.exp(0.4 - 1.3 * truth))
        value = np.exp(1.4 + 0.75 * truth + 0.85 * rng.standard_normal(n))
        self.y = np.where(paid, np.round(value, 2), 0.0)
        self.truth, self.shared = truth, self._errors()

    def model(self, shared: float = _SHARED) -> WeightedMetrics:
        """The rows, scored by a new model that has the shared error in this size."""
        score = self.truth + shared * self.shared + _OWN * self._errors()
        return WeightedMetrics(self.y, np.exp(score))

    def _errors(self) -> np.ndarray:
        return 0.6 * self._by_household() + 0.8 * self._by_row()

    def _by_household(self) -> np.ndarray:
        return self.rng.standard_normal(self.household.max() + 1)[self.household]

    def _by_row(self) -> np.ndarray:
        return self.rng.standard_normal(len(self.household))


def gini(shared: float, households: int = 10_000) -> float:
    """The Norm-GINI of models with the shared error in a size, on very many rows."""
    model = Customers(households, np.random.default_rng(0)).model(shared)
    return model(np.ones(len(model.y)), [METRIC])[METRIC]


def error_of(gain: float) -> float:
    """The size of the shared error with which Norm-GINI is higher by `gain`, by bisection."""
    low, high, target = 0.0, _SHARED, gini(_SHARED) + gain
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if gini(middle) > target else (low, middle)
    return (low + high) / 2


def rounds(shared: float, count: int, resamples: int, seed: int) -> np.ndarray:
    """Gains of a challenger with `shared` error over the champion: [count, 1 + resamples].

    The first column is the gain on the rows themselves.
    """
    gains = np.empty([count, 1 + resamples])
    for i in range(count):
        customers = Customers(HOUSEHOLDS, np.random.default_rng([seed, i]))
        champion, challenger = customers.model(), customers.model(shared)
        ones = np.ones(len(customers.y))
        gains[i, 0] = challenger(ones, [METRIC])[METRIC] - champion(ones, [METRIC])[METRIC]
        gains[i, 1:] = paired_bootstrap(
            challenger, champion, customers.household, METRIC, resamples, seed=i
        )
    return gains


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--resamples", type=int, default=200, help="default: %(default)s")
    args = parser.parse_args()
    level = gini(_SHARED)
    print(f"Norm-GINI of the champion on very many rows: {level:.4f}")
    print(f"{args.rounds} rounds of {HOUSEHOLDS * ROWS:,} rows, {args.resamples} resamples\n")
    heads = ["gain above 0 on the split", *(f"confidence {c:g}" for c in CONFIDENCES)]
    print(f"| challenger | sd of its gain | {' | '.join(heads)} |")
    print("|---|---:|" + "---:|" * len(heads))
    for name, gain in [("equal", 0.0), ("better by 0.005", 0.005), ("better by 0.010", 0.01)]:
        shared = error_of(gain) if gain else _SHARED
        gains = rounds(shared, args.rounds, args.resamples, seed=1 + int(1000 * gain))
        if not gain:  # either may be the champion
            gains = np.concatenate([gains, -gains])
        confidence = (gains[:, 1:] > 0).mean(axis=1)
        shares = [(gains[:, 0] > 0).mean(), *((confidence >= c).mean() for c in CONFIDENCES)]
        cells = " | ".join(f"{share:.0%}" for share in shares)
        print(f"| {name} | {gains[:, 0].std():.4f} | {cells} |")


if __name__ == "__main__":
    main()
