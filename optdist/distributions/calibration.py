"""Fits a scale that makes totals agree, and the level at which intervals contain enough rows.

Choice: a scale, not isotonic regression, because it keeps the order of customers (isotonic
regression makes ties) and has one parameter. It changes the mean alone: the mean of a lognormal
depends on its far tail, which says little about the median. It is fitted on training and validation
rows together: the totals of a small split depend on a few customers, and one factor cannot overfit
(`docs/benchmarks.md` has the figures).
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

STEPS = 1000  # levels of intervals, from 1 / STEPS to 1


class Calibration(BaseModel):
    """The calibration of one rule of inference, fitted after training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = 1.0  # multiplies the predicted mean, so that totals agree
    coverage: float = 0.9  # the share of rows that intervals should contain
    level: float = 0.9  # the nominal level at which they contained it
    level_if_positive: float = 0.9  # the same, of intervals of y given y > 0


def fit_scale(actual: float, predicted: float) -> float:
    """The actual total over the predicted one, both in currency; 1 if either is 0."""
    return actual / predicted if actual > 0 and predicted > 0 else 1.0


def interval_levels(level: float, zero_mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The quantile levels of the ends of an interval that contains the value at `level`.

    The tails are equal, unless P(Y = 0) fills the lower one: the interval then starts at 0, at the
    quantile level 0, and the whole error is above it.

    Args:
        level: in (0, 1).
        zero_mass: P(Y = 0) [N].

    Returns:
        Levels [N] of the lower and the upper end.
    """
    tail = (1 - level) / 2
    from_zero = zero_mass >= tail
    return np.where(from_zero, 0.0, tail), np.where(from_zero, level, 1 - tail)


def contains(level: float, y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray) -> np.ndarray:
    """Whether the interval of `level` contains each label.

    Args:
        level: in (0, 1).
        y: labels [N] >= 0.
        cdf: P(Y <= y) [N] under the model.
        zero_mass: P(Y = 0) [N] under the model.
    """
    low, high = interval_levels(level, zero_mass)
    return np.where(y > 0, (cdf >= low) & (cdf <= high), low == 0)


def contained_counts(
    y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """How many labels the interval of each level 0.001, 0.002, ..., 1 contains.

    The counts of the parts of a split add up to those of the whole. The levels whose interval
    contains a label have closed forms. The tails are equal below the level 1 - 2 P(Y = 0); from
    there on the interval starts at 0. With equal tails, a positive label is inside from the level
    |2 P(Y <= y) - 1| on, and 0 never is. From 0, a positive label is inside from the level
    P(Y <= y) on, and 0 always is. Where the rule changes, the upper end falls, so a label may be
    inside, then outside, then inside again.

    Args:
        y: labels [N] >= 0.
        cdf: P(Y <= y) [N] under the model.
        zero_mass: P(Y = 0) [N] under the model.
        weight: [N], what each label counts, >= 0; None counts all as 1.

    Returns:
        [1000]; the last one, of level 1, is of all labels.
    """
    from_zero = _steps(1 - 2 * zero_mass)
    upper = np.where(y > 0, np.maximum(from_zero, _steps(cdf)), from_zero)
    equal = np.where(y > 0, np.minimum(from_zero, _steps(np.abs(2 * cdf - 1))), from_zero)
    gained, lost, gained_again = (
        np.bincount(steps, weight, minlength=STEPS) for steps in (equal, from_zero, upper)
    )
    counts: np.ndarray = np.cumsum(gained - lost + gained_again)
    return counts


def smallest_level(coverage: float, counts: np.ndarray) -> float:
    """The smallest level, to 0.001, whose intervals contain the share `coverage` of labels.

    Where zeros alone are more than that share, even the smallest level contains more.

    Args:
        coverage: in (0, 1).
        counts: [1000], of `contained_counts`.

    Returns:
        In 0.001..0.999; `coverage` itself where there are no labels.
    """
    if not counts[-1]:
        return coverage
    enough = np.flatnonzero(counts[:-1] / counts[-1] >= coverage)
    return float((enough[0] + 1 if len(enough) else STEPS - 1) / STEPS)


def fit_level(coverage: float, y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray) -> float:
    """The smallest level, to 0.001, whose intervals contain the share `coverage` of labels.

    Args:
        coverage: in (0, 1).
        y: labels [N] >= 0.
        cdf: P(Y <= y) [N] under the model.
        zero_mass: P(Y = 0) [N] under the model.
    """
    return smallest_level(coverage, contained_counts(y, cdf, zero_mass))


def _steps(level: np.ndarray) -> np.ndarray:
    """The place among 0.001, 0.002, ..., 1 of the first level that is not below `level`."""
    return np.clip(np.ceil(STEPS * level.astype(np.float64)) - 1, 0, STEPS - 1).astype(np.intp)
