"""Defines what a training run reports: a record of each epoch, and the result at its end."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from optdist.config.metrics import METRICS
from optdist.distributions.calibration import Calibration
from optdist.errors import TrainingError

Metrics = dict[str, float]  # value by name, as `optdist.evaluation.metrics` describes them


class EpochRecord(BaseModel):
    """One epoch: its cost, its loss, and how good the model was on the validation split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int  # from 1
    loss: float  # mean over the training rows, in the loss's unit
    learning_rate: float  # at the end of the epoch
    rows_per_second: float  # of all ranks together, evaluation left out
    seconds: float  # of training, evaluation left out
    validation: Metrics  # by the configured rule of inference
    sdn_share: list[float] | None = None  # of validation rows that select each SDN


class TrainingResult(BaseModel):
    """What a finished run achieved; `metrics.json` in its folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    best_epoch: int  # whose weights are in the package
    epochs: int  # that were trained
    inference: str  # the configured rule of inference
    validation: dict[str, Metrics]  # by rule of inference
    test: dict[str, Metrics] | None  # None where the plan leaves the test split unread
    out_of_time: dict[str, Metrics] | None = None  # of the newest dates, where they are held out
    test_sdn_share: list[float] | None = None  # of test rows that select each SDN
    calibration: dict[str, Calibration]  # by rule of inference
    seconds: float  # of training
    rows: dict[str, int]  # the feature table's counts
    parameters: int
    ranks: int
    plan: str  # the plan's fingerprint

    def to_json(self) -> str:
        """The text that `model_validate_json` reads; metrics that are not finite stay so."""
        return json.dumps(self.model_dump(), indent=1)

    @property
    def validation_metrics(self) -> Metrics:
        """Validation metrics by the configured rule of inference."""
        return self.validation[self.inference]

    @property
    def test_metrics(self) -> Metrics:
        """Test metrics by the configured rule of inference.

        Raises:
            TrainingError: the run left the test split unread.
        """
        if self.test is None:
            raise TrainingError("This run did not read the test split, so it has no test metrics.")
        return self.test[self.inference]

    @property
    def out_of_time_metrics(self) -> Metrics:
        """Metrics of the newest dates by the configured rule; none where they are not held out."""
        return (self.out_of_time or {}).get(self.inference, {})


def best_epoch(history: Sequence[EpochRecord], metric: str) -> int:
    """The first epoch with the best value of a validation metric, or 0 before the first epoch."""
    sign = METRICS[metric].sign
    best = max(history, key=lambda record: sign * record.validation[metric], default=None)
    return best.epoch if best else 0
