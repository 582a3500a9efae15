"""Estimates what targeting by a score would have captured: Table 4 (4.5) without a campaign.

The value is what the chosen customers spent anyway. No campaign changed it, so that these figures
say how well a score finds customers of value, not what a campaign would earn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from optdist.evaluation.bootstrap import entity_counts, entity_hash

_HALF = np.uint64(63)  # the bit of a hash that chooses one of two groups


class Targets:
    """Rows in the order of a score, the highest first, of which the top N are taken.

    Rows of equal score are taken in no order: each counts with the share of them that fits, which
    is what a draw among them gives on average. A constant score is therefore chance.
    """

    def __init__(self, score: np.ndarray) -> None:
        """Sort [N] scores; what is not a number comes last."""
        score = np.nan_to_num(np.asarray(score, np.float64), nan=-np.inf)
        distinct, self.group = np.unique(-score, return_inverse=True)
        self.groups = len(distinct)

    def captured(
        self, values: Sequence[np.ndarray], weights: np.ndarray, budgets: np.ndarray
    ) -> np.ndarray:
        """The value of the top rows.

        Args:
            values: [N] each, in currency units.
            weights: [N], how often each row is there, >= 0.
            budgets: [B], how many rows are taken.

        Returns:
            [len(values), B] in currency units; of more rows than there are, the value of all.
        """
        rows = np.bincount(self.group, weights, self.groups)
        filled = np.concatenate([[0.0], np.cumsum(rows)])
        totals = (np.bincount(self.group, weights * value, self.groups) for value in values)
        return np.array(
            [np.interp(budgets, filled, np.concatenate([[0.0], np.cumsum(t)])) for t in totals]
        )


def bootstrap_captured(
    y: np.ndarray,
    scores: Mapping[str, np.ndarray],
    keys: np.ndarray,
    shares: np.ndarray,
    replicates: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """What the top share of each score captures on resamples of the customers.

    Every score sees the same resamples, so that differences can be taken resample by resample.

    Args:
        y: [N] realised values in currency units.
        scores: [N] each, by name.
        keys: int64 [N], the customer of each row: its rows are drawn together.
        shares: [B] of the rows that are taken, in (0, 1].
        replicates: how many resamples.
        seed: of the bootstrap.

    Returns:
        name -> [replicates, B], as if each resample had N rows, in currency units.
    """
    entities, entity = np.unique(keys, return_inverse=True)
    targets = {name: Targets(score) for name, score in scores.items()}
    captured = {name: np.zeros((replicates, len(shares))) for name in scores}
    for i in range(replicates):
        weights = entity_counts(entities, i, seed)[entity].astype(np.float64)
        rows = weights.sum()
        if not rows:
            continue
        for name, target in targets.items():
            value = target.captured([y], weights, shares * rows)[0]
            captured[name][i] = value * (len(y) / rows)
    return captured


def split_in_halves(
    values: Sequence[np.ndarray],
    scores: Mapping[str, np.ndarray],
    keys: np.ndarray,
    budgets: np.ndarray,
    draws: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Table 4's protocol on past data: each half of the customers is targeted by its own score.

    A draw gives each customer to one of two groups with equal chance. Both groups have the same
    budget, so the ratio of two scores' captured values is the ratio of their ROI.

    Args:
        values: [N] each: what rows spent within the first days, for one length after another.
        scores: [N] each, by name.
        keys: int64 [N], the customer of each row: its rows fall in one group.
        budgets: [B], how many rows each group takes.
        draws: how many splits.
        seed: of the splits.

    Returns:
        name -> [draws, 2, len(values), B]: what the score captures in either group.
    """
    targets = {name: Targets(score) for name, score in scores.items()}
    shape = (draws, 2, len(values), len(budgets))
    captured = {name: np.zeros(shape) for name in scores}
    for draw in range(draws):
        second = (entity_hash(keys, draw, seed) >> _HALF).astype(np.float64)
        for group, weights in enumerate((1 - second, second)):
            for name, target in targets.items():
                captured[name][draw, group] = target.captured(values, weights, budgets)
    return captured


def rank_shares(values: np.ndarray) -> np.ndarray:
    """Each value's place among all, in [0, 1], ties at their mean place; [N] of [N]."""
    distinct, group = np.unique(values, return_inverse=True)
    rows = np.bincount(group, minlength=len(distinct)).astype(np.float64)
    places = np.cumsum(rows) - rows / 2
    shares: np.ndarray = places[group] / max(len(values), 1)
    return shares
