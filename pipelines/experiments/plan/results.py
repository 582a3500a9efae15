"""Finds which cells of a grid are finished, and which trials won."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.experiments.plan.coordinates import Cell, Task
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.records import Failure, Record
from pipelines.experiments.plan.schedule import schedule
from pipelines.experiments.plan.store import Store


class Results:
    """The records of a grid's cells; records with other settings or other data do not count."""

    def __init__(self, grid: Grid, store: Store, fingerprints: Mapping[str, str]) -> None:
        """Look for a grid's cells in a store.

        Args:
            grid: what is to be trained.
            store: where records are.
            fingerprints: data set -> its data's fingerprint.
        """
        self.grid, self.store, self.fingerprints = grid, store, fingerprints
        self.failures: dict[str, str] = {}  # what failed in this process, and why

    def record(self, cell: Cell) -> Record | Failure | None:
        """A cell's record, finished or failed."""
        data = self.fingerprints.get(cell.dataset, "")
        return self.store.find(cell, self.grid.settings(cell), data)

    def finished(self, cell: Cell, test: bool = False) -> Record | None:
        """A cell's record if it succeeded, and, where `test`, has test metrics."""
        record = self.record(cell)
        finished = isinstance(record, Record) and (not test or self._tested(record))
        return record if isinstance(record, Record) and finished else None

    def _tested(self, record: Record) -> bool:
        """Whether a record has test metrics, on the resamples that the experiment asks for."""
        settings, resamples = self.grid.experiment.bootstrap, record.bootstrap
        same = resamples is not None and (
            (resamples.replicates, resamples.seed) == (settings.replicates, settings.seed)
        )
        return record.test is not None and (same or not settings.replicates)

    def _validation_gini(self, cell: Cell) -> float | None:
        """A cell's validation Norm-GINI, also where reading the test split failed later."""
        record = self.record(cell)
        return None if record is None else record.validation_gini

    def current(self) -> list[Record | Failure]:
        """The records, finished or failed, of the grid's cells as they are now."""
        records = {}
        for task in schedule(self.grid):
            cell = self.cell(task)
            record = cell and self.record(cell)
            if cell and record:
                records[cell] = record
        return list(records.values())

    def tuning(self, dataset: str, model: str, seed: int) -> dict[str, Cell]:
        """The cells by which a model's trial is chosen for a seed.

        Args:
            dataset: the data set's name.
            model: the model's name in the tables.
            seed: the seed of training, >= 1.
        """
        tune_seed = self.grid.tune_seed(seed)
        return {trial: Cell(dataset, model, trial, tune_seed) for trial in self.grid.trials(model)}

    def choice(self, dataset: str, model: str, seed: int) -> tuple[str, float] | None:
        """The trial of the best validation Norm-GINI among the finished ones, and that value.

        None before any is finished; where a model has one trial, that is it.

        Args:
            dataset: the data set's name.
            model: the model's name in the tables.
            seed: the seed of training, >= 1.
        """
        cells = self.tuning(dataset, model, seed)
        known = {trial: self._validation_gini(cell) for trial, cell in cells.items()}
        values = {trial: value for trial, value in known.items() if value is not None}
        if len(cells) == 1:
            [only] = cells
            return only, values.get(only, float("nan"))
        best = max(values, key=lambda trial: values[trial], default=None)
        return None if best is None else (best, values[best])

    def cell(self, task: Task) -> Cell | None:
        """The cell of a task; None before its trial is known."""
        if task.trial is not None:
            return Cell(task.dataset, task.variant, task.trial, task.seed)
        choice = self.choice(task.dataset, task.base, task.seed)
        return choice and Cell(task.dataset, task.variant, choice[0], task.seed)

    def tuned(self, task: Task) -> bool:
        """Whether every trial of the task's model has come to its end."""
        cells = self.tuning(task.dataset, task.base, task.seed).values()
        return len(cells) == 1 or all(
            cell.name in self.failures or self._validation_gini(cell) is not None for cell in cells
        )

    def done(self, task: Task) -> bool:
        """Whether there is nothing left to do for a task."""
        if task.trial is None and not self.tuned(task):
            return False
        cell = self.cell(task)
        return cell is not None and self.finished(cell, task.test) is not None
