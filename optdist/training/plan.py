"""Defines the plan of a training run: everything that a rank needs to know, as plain data."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from optdist.config import MACHINE_SETTINGS, AnyModelConfig, TrainingConfig, fingerprint
from optdist.training.run_folder import RunFolder
from optdist.training.warm_start import WarmStart


class TrainingPlan(BaseModel):
    """One training run; it travels to the ranks as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str  # the finished feature table's folder
    table_fingerprint: str
    folder: str  # the run's folder: checkpoints, history, package and predictions
    model: AnyModelConfig
    training: TrainingConfig
    warm_start: WarmStart | None = None  # None: from initial weights
    test: bool = True  # False leaves the test split unread, to choose settings on validation

    @property
    def run_folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(self.path)

    @property
    def path(self) -> Path:
        """Where the run's folder is."""
        return Path(self.folder)

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides the weights; a checkpoint of another plan is not resumed."""
        training = self.training.model_dump(exclude={*MACHINE_SETTINGS, "warm_start"})
        decisive = [self.table_fingerprint, self.model.model_dump(), training]
        if self.warm_start:
            decisive.append(self.warm_start.digest or self.warm_start.package)
        return fingerprint(decisive)
