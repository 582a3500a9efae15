"""Measures a version's held-out rows in groups: tenths, dates, networks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optdist.evaluation.metrics import normalized_gini
from pipelines.monitoring.data_report.periods import period_starts
from pipelines.registry.card.rows import HeldOut

_RESAMPLES, _SEED = 300, 2024
_LEAST_POSITIVES = 20  # for a Norm-GINI that says something


@dataclass(frozen=True)
class Group:
    """Some held-out rows.

    Args:
        name: what they have in common.
        rows: how many.
        positive_share: of them with a positive label.
        actual: mean label [currency].
        predicted: mean prediction [currency].
        low: lower end of the mean label's 90% interval, by resampling rows [currency].
        high: its upper end.
        coverage: share of labels inside their prediction intervals; None: there are none.
        gini: Norm-GINI; None: too few positive labels.
    """

    name: str
    rows: int
    positive_share: float
    actual: float
    predicted: float
    low: float
    high: float
    coverage: float | None
    gini: float | None

    @property
    def ratio(self) -> float | None:
        """Predicted over actual; None where nothing was spent."""
        return self.predicted / self.actual if self.actual > 0 else None


def tenths(rows: HeldOut, groups: int = 10) -> list[Group]:
    """Equal parts of the rows, the highest predictions first.

    Args:
        rows: what was predicted.
        groups: how many parts.
    """
    order = np.argsort(-rows.predicted, kind="stable")
    parts = np.array_split(order, min(groups, len(order)))
    return [_group(str(i), rows, part) for i, part in enumerate(parts, 1)]


def by_date(rows: HeldOut) -> list[Group]:
    """The rows of each date, or of each week, month and so on where there are many."""
    if rows.day is None:
        return []
    known = np.flatnonzero(~np.isnat(rows.day))
    days: list[dt.date] = np.unique(rows.day[known]).tolist()
    starts = np.array(period_starts(days), "datetime64[D]")
    place = np.searchsorted(starts, rows.day[known], side="right") - 1
    groups = []
    for i in np.unique(place):
        part = known[place == i]
        first, last = rows.day[part].min(), rows.day[part].max()
        name = str(first) if first == last else f"{first} to {last}"
        groups.append(_group(name, rows, part))
    return groups


def by_network(rows: HeldOut) -> list[Group]:
    """The rows that each network predicts; none where the model selects none."""
    if rows.selected is None:
        return []
    return [
        _group(f"SDN {i}", rows, np.flatnonzero(rows.selected == i))
        for i in np.unique(rows.selected)
    ]


def calibration_error(groups: Sequence[Group]) -> float:
    """The share of the groups' total value that their predictions are off."""
    total = sum(group.rows * group.actual for group in groups)
    off = sum(group.rows * abs(group.predicted - group.actual) for group in groups)
    return off / total if total else float("nan")


def _group(name: str, rows: HeldOut, part: np.ndarray) -> Group:
    label, predicted, inside = rows.label[part], rows.predicted[part], rows.inside
    rng = np.random.default_rng(_SEED)
    # a mean of resampled rows has about this distribution, also for few rows that are not normal
    draws = rng.gamma(1.0, size=(_RESAMPLES, min(len(part), 2_000)))
    sample = label if len(part) <= 2_000 else rng.choice(label, 2_000, replace=False)
    means = draws @ sample / draws.sum(axis=1)
    spread = (means - means.mean()) * (len(sample) / len(part)) ** 0.5 + label.mean()
    low, high = np.quantile(spread, [0.05, 0.95])
    positives = int((label > 0).sum())
    return Group(
        name=name,
        rows=len(part),
        positive_share=positives / len(part),
        actual=float(label.mean()),
        predicted=float(predicted.mean()),
        low=float(low),
        high=float(high),
        coverage=None if inside is None else float(inside[part].mean()),
        gini=normalized_gini(label, predicted) if positives >= _LEAST_POSITIVES else None,
    )
