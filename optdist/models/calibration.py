"""Calibrates a model on rows, for the trainer and for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from optdist.distributions.calibration import (
    STEPS,
    Calibration,
    contained_counts,
    fit_scale,
    smallest_level,
)
from optdist.models.base import CltvModel, DistributionModel, Inputs

Reading = dict[str, dict[str, tf.Tensor]]  # by rule of inference, [B] each


def calibrate(
    model: CltvModel, data: Iterable[Any], training: Iterable[Any] = ()
) -> dict[str, Calibration]:
    """Fit the scale of the mean and the levels of the intervals, for each rule of inference.

    Args:
        model: with its weights fitted; its calibration is replaced.
        data: batches of (inputs, labels) or (inputs, labels, weights), as `memory_dataset` gives
            them: rows that the weights were not fitted to, because intervals that contain 90%
            of training rows contain fewer of others.
        training: more batches, whose totals the scale is fitted on too. The totals of few rows
            depend on a few customers.

    Returns:
        The calibration by rule of inference, which the model has too.
    """
    counts = calibration_counts(model, data) + calibration_counts(model, training, levels=False)
    return set_calibration(model, counts)


def calibration_counts(model: CltvModel, batches: Iterable[Any], levels: bool = True) -> np.ndarray:
    """Count what calibration needs; the counts of parts of the rows add up to those of the whole.

    Args:
        model: whose own calibration does not matter.
        batches: batches of (inputs, labels) or (inputs, labels, weights).
        levels: count for the intervals' levels too, not for the scale alone.

    Returns:
        For each of R rules of inference the total label, the total mean, and `contained_counts` of
        the two kinds of interval: float64 [R, 2 + 2 * STEPS].
    """
    levels = levels and model.has_distribution
    read = _reading(model, levels)
    counts = np.zeros([len(model.inferences), 2 + 2 * STEPS])
    for inputs, y, *weights in batches:
        label = np.asarray(y, np.float32).reshape(-1)
        weight = np.asarray(weights[0], np.float64).reshape(-1) if weights else None
        rules = read(inputs, label)
        for row, rule in zip(counts, model.inferences, strict=True):
            columns = {name: values.numpy() for name, values in rules[rule].items()}
            row[:2] += [_total(values, weight) for values in (label, columns["mean"])]
            if levels:
                row[2:] += np.concatenate(list(_contained(label, columns, weight)))
    return counts


def set_calibration(model: CltvModel, counts: np.ndarray) -> dict[str, Calibration]:
    """Fit the model's calibration.

    Args:
        model: whose calibration is replaced.
        counts: the result of `calibration_counts`.
    """
    model.calibrations = {
        rule: Calibration(scale=fit_scale(*row[:2].tolist()), **_levels(model, row[2:]))
        for rule, row in zip(model.inferences, counts, strict=True)
    }
    model.predict_function = None  # Keras would keep the graph with the former calibration
    return dict(model.calibrations)


def _levels(model: CltvModel, counts: np.ndarray) -> dict[str, float]:
    """The target coverage and the fitted levels, for a model that predicts intervals."""
    if not isinstance(model, DistributionModel):
        return {}
    coverage = model.config.interval
    return {
        "coverage": coverage,
        "level": smallest_level(coverage, counts[:STEPS]),
        "level_if_positive": smallest_level(coverage, counts[STEPS:]),
    }


def _reading(model: CltvModel, levels: bool) -> Any:
    """A graph that reads, for each rule, the mean before calibration and what levels need."""

    def of_rule(inputs: Inputs, y: tf.Tensor, rule: str) -> dict[str, tf.Tensor]:
        if not isinstance(model, DistributionModel):
            scaled = model.predict_distribution(inputs, inference=rule)["predicted_cltv"]
            return {"mean": scaled / model.calibration(rule).scale}
        mixture = model.mixture(inputs, rule)[0]
        if not levels:
            return {"mean": mixture.mean()}
        return {
            "mean": mixture.mean(),
            "cdf": mixture.cdf(y),
            "zero_mass": mixture.zero_mass(),
            "cdf_if_positive": mixture.if_positive().cdf(y),
        }

    return tf.function(
        lambda inputs, y: {rule: of_rule(inputs, y, rule) for rule in model.inferences},
        input_signature=[model.input_signature, tf.TensorSpec([None], tf.float32)],
    )


def _contained(
    y: np.ndarray, columns: dict[str, np.ndarray], weight: np.ndarray | None
) -> Iterator[np.ndarray]:
    """`contained_counts` of the intervals of all rows, and of those given a purchase."""
    yield contained_counts(y, columns["cdf"], columns["zero_mass"], weight)
    paid = y > 0
    cdf = columns["cdf_if_positive"][paid]
    yield contained_counts(
        y[paid], cdf, np.zeros_like(cdf), None if weight is None else weight[paid]
    )


def _total(values: np.ndarray, weight: np.ndarray | None) -> float:
    values = values.astype(np.float64)
    return float(values.sum() if weight is None else values @ weight)
