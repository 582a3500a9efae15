"""Resamples entities for the paired bootstrap: metrics (4.1.2) and totals, equal everywhere.

A resample draws each entity Poisson(1) times, by a hash of its key and of the resample's number.
Every cell of an experiment, on any machine and in any order of rows, is therefore evaluated on the
same resamples, and two cells can be paired later by their metrics alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import poisson

from optdist.config.metrics import METRICS
from optdist.evaluation.weighted import RESAMPLED, WeightedMetrics

# Poisson(1) by the top 16 bits of a hash: each count takes as many of the 65,536 places as its
# probability says, to within 1e-5.
_COUNTS = np.searchsorted(poisson.cdf(np.arange(10), 1.0), (np.arange(2**16) + 0.5) / 2**16).astype(
    np.uint8
)


def entity_counts(keys: np.ndarray, resample: int, seed: int) -> np.ndarray:
    """How often a resample draws each entity.

    Args:
        keys: int64 [G], one per entity.
        resample: the resample's number, >= 0.
        seed: seed of the whole bootstrap.

    Returns:
        uint8 [G].
    """
    return _COUNTS[entity_hash(keys, resample, seed) >> np.uint64(48)]


def entity_hash(keys: np.ndarray, draw: int, seed: int = 0) -> np.ndarray:
    """Hash keys and a draw to uint64 [G] that look random but are the same on every machine.

    Args:
        keys: int64 [G], one for each entity.
        draw: which draw, >= 0: each has hashes of its own.
        seed: seed of all draws, >= 0.
    """
    salt = _mixed(np.array([seed], np.uint64) + np.array([draw + 1], np.uint64) * _GOLDEN)
    return _mixed(keys.astype(np.int64).view(np.uint64) ^ salt)


def resampled_metrics(
    y: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    group_key: np.ndarray,
    replicates: int,
    seed: int,
) -> dict[str, dict[str, np.ndarray]]:
    """The metrics of each prediction on each resample.

    Args:
        y: [N] labels in currency units.
        predictions: [N] each, by name.
        group_key: int64 [N], the entity of each row.
        replicates: how many resamples.
        seed: seed of the bootstrap.

    Returns:
        {name: {metric: [replicates]}}.
    """
    keys, entity = np.unique(group_key, return_inverse=True)
    y = np.asarray(y, np.float64)
    metrics = {n: WeightedMetrics(y, np.asarray(p, np.float64)) for n, p in predictions.items()}
    resampled = {name: {m: np.empty(replicates) for m in RESAMPLED} for name in predictions}
    for i in range(replicates):
        weights = entity_counts(keys, i, seed)[entity]
        for name, measured in metrics.items():
            for metric, value in measured(weights).items():
                resampled[name][metric][i] = value
    return resampled


def paired_bootstrap(
    a: WeightedMetrics,
    b: WeightedMetrics,
    keys: np.ndarray,
    metric: str,
    replicates: int,
    seed: int,
) -> np.ndarray:
    """Compute the gain of prediction A over prediction B on each resample of the entities.

    The share of gains above 0 is the confidence that A is better on other entities like these.

    Args:
        a: [N] rows with their labels and predictions.
        b: the same rows with other predictions.
        keys: int64 [N], the entity of each row: its rows are drawn together.
        metric: a metric of the registry of which higher or lower values are better.
        replicates: how many resamples, > 0.
        seed: seed of the bootstrap, >= 0.

    Returns:
        float64 [replicates], in the metric's unit; above 0 A is better, also for MAE.

    Raises:
        ValueError: the metric is unknown, or neither higher nor lower values of it are better.
        DataError: a resample has no positive label.
    """
    compared = [name for name, known in METRICS.items() if known.better]
    if metric not in compared:
        raise ValueError(f"`metric` must be one of {', '.join(compared)}. Received: {metric!r}.")
    entities, entity = np.unique(keys, return_inverse=True)
    gains = np.empty(replicates)
    for i in range(replicates):
        weights = entity_counts(entities, i, seed)[entity]
        gains[i] = a(weights, [metric])[metric] - b(weights, [metric])[metric]
    return METRICS[metric].sign * gains


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(value: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014), on uint64."""
    z = value + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
