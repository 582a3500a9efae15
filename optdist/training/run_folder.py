"""Reads and writes the files of one training run's folder; nothing else knows their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from optdist.data.schema import first_problem
from optdist.errors import TrainingError
from optdist.files import write_atomically, write_json
from optdist.ranks.crew import rank_log
from optdist.serving.package import Package
from optdist.training.checkpoint import (
    CHECKPOINT,
    load_arrays,
    load_checkpoint,
    save_checkpoint,
)
from optdist.training.result import EpochRecord, TrainingResult
from optdist.training.warm_start import Carried

if TYPE_CHECKING:
    import keras

_BEST, _FAILURE = "best-{}.npz", "error-{}.txt"  # of an epoch, of a rank
_STARTED = "mlflow_run.txt"
_PREDICTIONS = "{}_predictions.npz"  # of a split
_HISTORY = TypeAdapter(list[EpochRecord])


class Registration(BaseModel):
    """The MLflow run that a folder's model was registered by, and the version that it became."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    version: str


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes a run's folder.

    A run writes, in this order: the epochs' checkpoint, best weights and history; the model's
    package, the test predictions and the result; and, once it is registered, the registration.
    """

    path: Path

    @property
    def package(self) -> Package:
        """The model's package."""
        return Package(self.path / "package")

    @property
    def events(self) -> Path:
        """The file by which rank 0 reports its progress."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """The name after which the files of what ranks print are named."""
        return self.path / "horovod.log"

    def log_of(self, rank: int | str) -> Path:
        """What a rank prints; '*' stands for every rank."""
        return rank_log(self.log, rank)

    def prepare(self) -> None:
        """Make the folder and remove what an earlier start reported; checkpoints stay."""
        self.path.mkdir(parents=True, exist_ok=True)
        for old in [self.events, *self.path.glob(self.log_of("*").name)]:
            old.unlink(missing_ok=True)
        self.forget_failures()

    def forget_failures(self) -> None:
        """Remove the reasons why ranks of an earlier start failed."""
        for old in self.path.glob(_FAILURE.format("*")):
            old.unlink(missing_ok=True)

    # Epochs ---------------------------------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        """All variables and the state after the last epoch."""
        return self.path / CHECKPOINT

    def best(self, epoch: int) -> Path:
        """The model's weights after the best epoch so far."""
        return self.path / _BEST.format(epoch)

    def save_best(self, epoch: int, variables: Sequence[keras.Variable]) -> None:
        """Keep the weights of an epoch that is the best so far."""
        save_checkpoint(self.best(epoch), variables, {"epoch": epoch})

    def load_best(self, epoch: int, variables: Sequence[keras.Variable]) -> None:
        """Fill `variables` with the weights of the best epoch."""
        load_checkpoint(self.best(epoch), variables)

    def save_checkpoint(self, variables: Sequence[keras.Variable], state: dict[str, Any]) -> None:
        """Keep what the next start needs to continue after this epoch."""
        save_checkpoint(self.checkpoint, variables, state)

    def load_checkpoint(self, variables: Sequence[keras.Variable]) -> dict[str, Any]:
        """Fill `variables` with those of the last epoch and return the state.

        Raises:
            TrainingError: the file is damaged or is of another model.
        """
        return load_checkpoint(self.checkpoint, variables)

    def remove_beaten(self, best: int) -> None:
        """Remove the weights of epochs other than the best one."""
        for old in self.path.glob(_BEST.format("*")):
            if old != self.best(best):
                old.unlink()

    def history(self) -> list[EpochRecord]:
        """The records of all epochs so far, those before a restart included."""
        with self._valid("history.json") as text:
            return _HISTORY.validate_json(text)

    def write_history(self, records: Sequence[EpochRecord]) -> None:
        """Write the records of all epochs so far."""
        write_json(self.path / "history.json", [record.model_dump() for record in records])

    def write_carried(self, carried: Carried) -> None:
        """Keep what the run has taken over from another model."""
        write_json(self.path / "warm_start.json", carried.model_dump())

    def carried(self) -> Carried | None:
        """What the run has taken over from another model; None: nothing."""
        path = self.path / "warm_start.json"
        return Carried.model_validate_json(path.read_text()) if path.exists() else None

    # The end --------------------------------------------------------------------------------------

    def result(self) -> TrainingResult:
        """The finished run's result.

        Raises:
            TrainingError: the run has not finished, or the file is damaged.
        """
        with self._valid("metrics.json") as text:
            return TrainingResult.model_validate_json(text)

    def write_result(self, result: TrainingResult) -> None:
        """Write the finished run's result."""
        write_json(self.path / "metrics.json", result.model_dump())

    @property
    def predicted_splits(self) -> list[str]:
        """The splits whose rows were predicted, and are still kept."""
        files = sorted(self.path.glob(_PREDICTIONS.format("*")))
        return [file.name.removesuffix(_PREDICTIONS.format("")) for file in files]

    @property
    def has_predictions(self) -> bool:
        """Whether rows that were held out were predicted, and are still kept."""
        return bool(self.predicted_splits)

    def predictions(self, split: str = "test") -> dict[str, np.ndarray]:
        """The arrays of a split's rows, [N] each, as `Evaluation.final` describes them."""
        return load_arrays(self.path / _PREDICTIONS.format(split))

    def write_predictions(self, rows: Mapping[str, np.ndarray], split: str = "test") -> None:
        """Write the arrays of a split's rows, [N] each."""
        path = self.path / _PREDICTIONS.format(split)
        write_atomically(path, lambda file: np.savez(file, **dict(rows)))

    def started_run(self) -> str | None:
        """The MLflow run of the last start, or None; a damaged file is as good as none."""
        try:
            return (self.path / _STARTED).read_text()
        except (OSError, UnicodeDecodeError):
            return None

    def write_started_run(self, run_id: str) -> None:
        """Say which MLflow run has started, for the next start if this one is killed."""
        write_atomically(self.path / _STARTED, lambda file: file.write(run_id.encode()))

    def registration(self) -> Registration | None:
        """The version that this run has registered, or None."""
        if not (self.path / "registered.json").exists():
            return None
        with self._valid("registered.json") as text:
            return Registration.model_validate_json(text)

    def write_registration(self, registration: Registration) -> None:
        """Say which version this run has registered."""
        write_json(self.path / "registered.json", registration.model_dump())

    # Failures -------------------------------------------------------------------------------------

    def write_failure(self, rank: int, reason: str) -> None:
        """Leave the reason why a rank failed; its first paragraph is for the user."""
        path = self.path / _FAILURE.format(rank)
        write_atomically(path, lambda file: file.write(reason.encode()))

    def failure(self) -> str | None:
        """The first paragraph that the first failed rank left, or None."""
        for path in sorted(self.path.glob(_FAILURE.format("*"))):
            return path.read_text().split("\n\n")[0]
        return None

    @contextmanager
    def _valid(self, name: str) -> Iterator[str]:
        """A file's text, for a block that checks it."""
        text = self._text(name)
        try:
            yield text
        except ValidationError as error:
            raise TrainingError(
                f"{self.path / name} is damaged: {first_problem(error)}. Remove {self.path} to "
                f"train from the start."
            ) from error

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise TrainingError(
                f"{self.path / name} cannot be read ({error}). Has the run finished?"
            ) from error
