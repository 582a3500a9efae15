"""What a rank is told: everything that one training run needs, as plain data."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from optdist.config import AnyModelConfig, TrainingConfig, fingerprint


class TrainingPlan(BaseModel):
    """One training run; it travels to the ranks as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str  # the finished feature table's folder
    table_fingerprint: str
    folder: str  # where checkpoints, history, package and predictions go
    model: AnyModelConfig
    training: TrainingConfig
    test: bool = True  # False leaves the test split unread, to choose settings on validation

    @property
    def path(self) -> Path:
        """The run's folder."""
        return Path(self.folder)

    @property
    def fingerprint(self) -> str:
        """Of everything that decides the weights; a checkpoint of another plan is not resumed."""
        machine = {"start_timeout_seconds", "nics", "threads_per_rank"}
        training = self.training.model_dump(exclude=machine)
        return fingerprint([self.table_fingerprint, self.model.model_dump(), training])
