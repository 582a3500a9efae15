"""What of a grid is finished, and which trials won."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.experiments.plan.grid import Cell, Grid, Task
from pipelines.experiments.plan.store import Record, Store


class Results:
    """The records of a grid's cells, those of other settings or other data left out."""

    def __init__(self, grid: Grid, store: Store, fingerprints: Mapping[str, str]) -> None:
        """Read the `store` for `grid`; `fingerprints` are of the data, by data set."""
        self.grid, self.store, self.fingerprints = grid, store, fingerprints
        self.failures: dict[str, str] = {}  # what failed in this process, and why

    def record(self, cell: Cell) -> Record | None:
        """A cell's record, failed or not."""
        data = self.fingerprints.get(cell.dataset, "")
        return self.store.find(cell, self.grid.settings(cell), data)

    def finished(self, cell: Cell, test: bool = False) -> Record | None:
        """A cell's record if it succeeded, and, where `test`, has test metrics."""
        record = self.record(cell)
        if record is None or "error" in record or (test and not self._tested(record)):
            return None
        return record

    def _tested(self, record: Record) -> bool:
        """Whether a record has test metrics, on the resamples that the experiment asks for."""
        wanted, resamples = self.grid.experiment.bootstrap, record.get("bootstrap", {})
        same = all(resamples.get(key) == getattr(wanted, key) for key in ("replicates", "seed"))
        return record["test"] is not None and (same or not wanted.replicates)

    def _validated(self, cell: Cell) -> Record | None:
        """A cell's record with validation metrics, also where reading the test split failed."""
        record = self.record(cell)
        return record if record is not None and "validation" in record else None

    def current(self) -> list[Record]:
        """The records, failed or not, of the grid's cells as they are now."""
        found = {}
        for task in self.grid.tasks():
            cell = self.cell(task)
            record = cell and self.record(cell)
            if cell and record:
                found[cell] = record
        return list(found.values())

    def tuning(self, dataset: str, model: str, seed: int) -> dict[str, Cell]:
        """The cells by which a model's trial is chosen for a seed."""
        of = self.grid.tune_seed(seed)
        return {trial: Cell(dataset, model, trial, of) for trial in self.grid.trials(model)}

    def choice(self, dataset: str, model: str, seed: int) -> tuple[str, float] | None:
        """The trial of the best validation Norm-GINI among the finished ones, and that value.

        None before any is finished; where a model has one trial, that is it.
        """
        cells, values = self.tuning(dataset, model, seed), {}
        for trial, cell in cells.items():
            record = self._validated(cell)
            if record is not None:
                metrics = record["validation"][record["inference"]]
                values[trial] = metrics["normalized_gini"]
        if len(cells) == 1:
            return next(iter(cells)), values.get(next(iter(cells)), float("nan"))
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
            cell.name in self.failures or self._validated(cell) for cell in cells
        )

    def done(self, task: Task) -> bool:
        """Whether there is nothing left to do for a task."""
        if task.trial is None and not self.tuned(task):
            return False
        cell = self.cell(task)
        return cell is not None and self.finished(cell, task.test) is not None
