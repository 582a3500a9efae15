"""Tests whether one model beats another, by a paired t-test over seeds and a paired bootstrap.

Both tests are two-sided. The larger p counts (both must be significant); it is then corrected after
Holm over the five metrics of a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from optdist.config.metrics import METRICS, PAPER_METRICS

MIN_SEEDS, LEVEL = 5, 0.05


@dataclass(frozen=True)
class Scores:
    """The test metrics of a model over seeds: one split, the seeds vary the training."""

    values: Mapping[str, np.ndarray]  # metric -> [seeds]
    resampled: Mapping[str, np.ndarray] | None  # metric -> [seeds, replicates]


@dataclass(frozen=True)
class Comparison:
    """One model against its best rival in one metric."""

    metric: str
    rival: str
    gain: float  # of the mean over seeds; positive is better, also for MAE
    t_p: float
    bootstrap_p: float
    p: float  # the larger, after Holm
    seeds: int

    @property
    def significant(self) -> bool:
        """Better, by both tests, over enough seeds."""
        return self.seeds >= MIN_SEEDS and self.gain > 0 and self.p < LEVEL


def compare(ours: Scores, rivals: Mapping[str, Scores], overlap: float = 0.0) -> list[Comparison]:
    """Compare with the best rival in each metric, which is the one with the best mean over seeds.

    The rival is chosen by the test metric itself, the hardest choice for `ours`.

    Args:
        ours: scores of the model in question.
        rivals: scores of the others, by name.
        overlap: as in `t_test`.
    """
    tests = []
    for metric in PAPER_METRICS:
        sign = METRICS[metric].sign
        rival = max(rivals, key=lambda name: sign * float(rivals[name].values[metric].mean()))
        theirs = rivals[rival]
        gains = sign * (ours.values[metric] - theirs.values[metric])
        resampled = np.array([])
        if ours.resampled is not None and theirs.resampled is not None:
            resampled = sign * (ours.resampled[metric] - theirs.resampled[metric]).mean(axis=0)
        p_values = t_test(gains, overlap), bootstrap_test(resampled)
        tests.append((metric, rival, float(gains.mean()), *p_values))
    corrected = holm([max(t_p, b_p) for *_, t_p, b_p in tests])
    seeds = len(ours.values[PAPER_METRICS[0]])
    return [Comparison(*test, p=p, seeds=seeds) for test, p in zip(tests, corrected, strict=True)]


def t_test(differences: np.ndarray, overlap: float = 0.0) -> float:
    """The two-sided p of paired differences [n] with mean 0; 1 where it is undefined.

    Args:
        differences: one per seed.
        overlap: test rows over training rows where each seed has another split of the same rows:
            their training rows overlap, which widens the error (Nadeau and Bengio, 2003).
    """
    n = len(differences)
    if n < 2 or np.ptp(differences) == 0:
        return 1.0
    error = np.sqrt((1 / n + overlap) * differences.var(ddof=1))
    return float(2 * stats.t.sf(abs(differences.mean()) / error, n - 1))


def bootstrap_test(differences: np.ndarray) -> float:
    """The two-sided p of resampled differences [B]: twice the share beyond 0, itself counted in."""
    if not len(differences):
        return 1.0
    beyond = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(differences) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979)."""
    order = np.argsort(p_values)
    corrected, highest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = highest
    return corrected
