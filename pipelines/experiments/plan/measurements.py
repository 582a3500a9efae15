"""Defines what a training run measures, as plain values that survive JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

Metrics = dict[str, float | None]  # metric -> value; None where it was not finite


class Part(BaseModel):
    """A part of a record: checked when it is read, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cost(Part):
    """The cost of training and scoring.

    Args:
        parameters: trained weights, or leaves of trees.
        train_rows_per_second: rate of a typical epoch.
        seconds: time of all training steps.
        seconds_to_best: time of the training steps until the epoch that was kept.
        score_rows_per_second: rule of inference -> raw rows; None where the test split is not read.
        cell_seconds: time of the whole cell, evaluation included.
    """

    parameters: int
    train_rows_per_second: float
    seconds: float
    seconds_to_best: float
    score_rows_per_second: dict[str, float] | None = None
    cell_seconds: float = 0.0


class SdnRows(Part):
    """The test rows that select one sub-distribution.

    Args:
        share: share of all test rows, in [0, 1].
        actual: quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 of their values; None without rows.
        predicted: the same quantiles of their predictions.
    """

    share: float
    actual: list[float] | None
    predicted: list[float] | None


class SdnSummary(Part):
    """Which sub-distributions are selected."""

    validation_share: list[float] | None = None  # of each, at the epoch that was kept
    test: list[SdnRows]


class PackedValues(Part):
    """Values as 16-bit steps from their middle: 2.7 characters a value in JSON."""

    middle: float
    step: float
    int16: str  # base64

    @classmethod
    def pack(cls, values: np.ndarray) -> Self:
        """Pack values [B] to a step of their range over 65,534: no bootstrap can tell less."""
        low, high = float(values.min()), float(values.max())
        middle, step = (low + high) / 2, (high - low) / 65_534 or 1.0
        steps = np.rint((values - middle) / step).astype("<i2")
        return cls(middle=middle, step=step, int16=base64.b64encode(steps.tobytes()).decode())

    def unpack(self) -> np.ndarray:
        """The values, float64 [B]."""
        steps = np.frombuffer(base64.b64decode(self.int16), "<i2")
        return self.middle + self.step * steps.astype(np.float64)


class Resamples(Part):
    """Metrics on each resample of the bootstrap."""

    replicates: int
    seed: int
    metrics: dict[str, dict[str, PackedValues]]  # rule of inference -> metric -> [replicates]

    def values(self, rule: str) -> dict[str, np.ndarray]:
        """Metric -> [replicates] under a rule of inference."""
        return {metric: packed.unpack() for metric, packed in self.metrics[rule].items()}


class Trained(Part):
    """The result of training a network or LightGBM.

    Args:
        inference: the rule of inference that the settings ask for.
        validation: rule of inference -> metrics of validation rows.
        test: the same of test rows; None where the job says not to read them.
        history: the validation Norm-GINI of each epoch.
        best_epoch: the epoch that was kept, from 1.
        epochs: how many were trained.
        sdn: which sub-distributions are selected; None for models without any.
        cost: cost of training and scoring.
    """

    inference: str
    validation: dict[str, Metrics]
    test: dict[str, Metrics] | None = None
    history: list[float | None]
    best_epoch: int
    epochs: int
    sdn: SdnSummary | None = None
    cost: Cost


class Measurements(Trained):
    """What a worker reports of a finished cell."""

    bootstrap: Resamples | None = None
    date: str
    versions: dict[str, str | None]


def gini(metrics: Mapping[str, Metrics], rule: str) -> float:
    """The Norm-GINI under a rule of inference; NaN where it was not finite."""
    value = metrics[rule]["normalized_gini"]
    return math.nan if value is None else value
