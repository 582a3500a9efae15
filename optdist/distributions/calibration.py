"""Calibration: totals by a scale factor, intervals by their level on the validation split.

Choice: a scale, not isotonic regression, because it keeps the order of customers (isotonic makes
ties) and has one parameter. It moves the mean alone: the mean of a lognormal hangs on its far tail,
which says little about the median. It is fitted on training and validation rows together: the
totals of a small split hang on a few customers, and one factor cannot overfit
(`docs/benchmarks.md` has the figures).
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict


class Calibration(BaseModel):
    """What was fitted after training, for one rule of inference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = 1.0  # of the predicted mean, so that totals agree
    coverage: float = 0.9  # the share of rows that an interval is to hold
    level: float = 0.9  # the nominal level at which intervals held it
    level_if_positive: float = 0.9  # the same for the interval of the value given a purchase


def fit_scale(actual: float, predicted: float) -> float:
    """Actual over predicted total, in currency; 1 if either is 0."""
    return actual / predicted if actual > 0 and predicted > 0 else 1.0


def interval_levels(level: float, zero_mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two quantile levels of an interval that is to hold a row's value with `level`.

    The tails are equal, unless P(Y = 0) fills the lower one: the interval then starts at 0, which
    is its level 0, and all of the error lies above.

    Args:
        level: in (0, 1).
        zero_mass: P(Y = 0) [N].

    Returns:
        Levels [N] of the lower and the upper end.
    """
    tail = (1 - level) / 2
    from_zero = zero_mass >= tail
    return np.where(from_zero, 0.0, tail), np.where(from_zero, level, 1 - tail)


def held(level: float, y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray) -> np.ndarray:
    """Whether the interval of `level` holds each label.

    Args:
        level: in (0, 1).
        y: labels [N] >= 0.
        cdf: P(Y <= y) [N] under the model.
        zero_mass: P(Y = 0) [N] under the model.
    """
    low, high = interval_levels(level, zero_mass)
    return np.where(y > 0, (cdf >= low) & (cdf <= high), low == 0)


def fit_level(coverage: float, y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray) -> float:
    """The smallest level, to 0.001, whose intervals hold the share `coverage` of validation rows.

    Where zeros alone are more than that share, even the smallest level holds more.
    """
    if not len(y):
        return coverage
    grid = np.arange(1, 1000) / 1000
    shares = np.array([held(level, y, cdf, zero_mass).mean() for level in grid])
    enough = np.flatnonzero(shares >= coverage)
    return float(grid[enough[0]] if len(enough) else grid[-1])
