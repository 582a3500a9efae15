"""Compares predicted and realised totals of groups of rows: deciles, or a column's categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optdist.evaluation.bootstrap import entity_counts


@dataclass(frozen=True)
class GroupTotals:
    """Rows and totals of each group, [G] each, and totals of resamples, [replicates, G]."""

    rows: np.ndarray
    predicted: np.ndarray
    realised: np.ndarray
    resampled_predicted: np.ndarray
    resampled_realised: np.ndarray

    def ratio(self, group: int) -> float | None:
        """Predicted over realised; None where nothing was realised."""
        realised = float(self.realised[group])
        return float(self.predicted[group]) / realised if realised > 0 else None

    def interval(self, group: int, level: float = 0.9) -> tuple[float, float] | None:
        """The interval of the ratio over resamples; None where a resample has none.

        Args:
            group: the group's number.
            level: the share of resamples inside.
        """
        realised = self.resampled_realised[:, group]
        if not len(realised) or (realised <= 0).any():
            return None
        low, high = interval_of(self.resampled_predicted[:, group] / realised, level)
        return low, high


def group_totals(
    group: np.ndarray,
    y: np.ndarray,
    prediction: np.ndarray,
    keys: np.ndarray,
    replicates: int,
    seed: int,
) -> GroupTotals:
    """Totals of each group, and on resamples of the customers.

    Args:
        group: int [N], each row's group, from 0.
        y: [N] realised values in currency units.
        prediction: [N] in currency units.
        keys: int64 [N], the customer of each row: its rows are drawn together.
        replicates: how many resamples.
        seed: of the bootstrap.
    """
    groups = int(group.max()) + 1 if len(group) else 0
    entities, entity = np.unique(keys, return_inverse=True)
    predicted, realised = np.zeros((replicates, groups)), np.zeros((replicates, groups))
    for i in range(replicates):
        weights = entity_counts(entities, i, seed)[entity].astype(np.float64)
        predicted[i] = np.bincount(group, weights * prediction, groups)
        realised[i] = np.bincount(group, weights * y, groups)
    return GroupTotals(
        rows=np.bincount(group, minlength=groups),
        predicted=np.bincount(group, prediction, groups),
        realised=np.bincount(group, y, groups),
        resampled_predicted=predicted,
        resampled_realised=realised,
    )


def decile_of(prediction: np.ndarray, parts: int = 10) -> np.ndarray:
    """The part of each row, int [N], from 0 with the highest predictions; parts of equal size.

    Args:
        prediction: [N].
        parts: how many.
    """
    order = np.argsort(-prediction, kind="stable")
    part = np.empty(len(prediction), np.int64)
    for number, rows in enumerate(np.array_split(order, parts)):
        part[rows] = number
    return part


def interval_of(values: np.ndarray, level: float = 0.9) -> tuple[float, float]:
    """The middle share of values [n].

    Args:
        values: the values, at least one.
        level: the share inside.
    """
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
