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

STEPS = 1000  # levels of intervals that are tried


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


def held_counts(
    y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """How many labels the interval of each level 0.001, 0.002, ..., 1 holds.

    The counts of parts of a split add up to those of the whole. The levels that hold a label have
    closed forms. The tails are equal up to the level 1 - 2 P(Y = 0), and from there on the interval
    starts at 0. With equal tails, a positive label is held from the level |2 P(Y <= y) - 1| on, and
    0 never is; with the interval from 0, a positive label is held from P(Y <= y) on, and 0 always
    is. (Where the rule changes, the upper end falls, so a label may be held, lost and held again.)

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
    """The smallest level, to 0.001, whose intervals hold the share `coverage` of labels.

    Where zeros alone are more than that share, even the smallest level holds more.

    Args:
        coverage: in (0, 1).
        counts: [1000], of `held_counts`.

    Returns:
        In 0.001..0.999; `coverage` itself where there are no labels.
    """
    if not counts[-1]:
        return coverage
    enough = np.flatnonzero(counts[:-1] / counts[-1] >= coverage)
    return float((enough[0] + 1 if len(enough) else STEPS - 1) / STEPS)


def fit_level(coverage: float, y: np.ndarray, cdf: np.ndarray, zero_mass: np.ndarray) -> float:
    """The smallest level, to 0.001, whose intervals hold the share `coverage` of validation rows.

    Args:
        coverage: in (0, 1).
        y: labels [N] >= 0.
        cdf: P(Y <= y) [N] under the model.
        zero_mass: P(Y = 0) [N] under the model.
    """
    return smallest_level(coverage, held_counts(y, cdf, zero_mass))


def _steps(level: np.ndarray) -> np.ndarray:
    """The place among 0.001, 0.002, ..., 1 of the first level that is not below `level`."""
    return np.clip(np.ceil(STEPS * level.astype(np.float64)) - 1, 0, STEPS - 1).astype(np.intp)
