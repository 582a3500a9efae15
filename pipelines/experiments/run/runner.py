"""Runs the tasks of a grid on worker processes; finished cells are not trained again."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

from optdist.errors import TrainingError
from pipelines.experiments.plan.coordinates import Cell, Task
from pipelines.experiments.plan.records import Failure, Record, cell_fingerprint
from pipelines.experiments.plan.results import Results
from pipelines.experiments.run.estimate import Estimate
from pipelines.experiments.run.jobs import Job
from pipelines.experiments.run.workers import Worker


class BuiltTable(NamedTuple):
    """A built feature table: its folder and its fingerprint there."""

    folder: str
    fingerprint: str


@dataclass(frozen=True)
class Progress:
    """Where a run is after one more cell."""

    cell: Cell
    record: Record | Failure
    done: int
    total: int
    seconds_left: float


class Runner:
    """A run over a grid."""

    def __init__(
        self,
        results: Results,
        tables: Mapping[str, BuiltTable],
        folder: Path,
        workers: int,
        on_cell: Callable[[Progress], None],
        on_block: Callable[[str], None],
    ) -> None:
        """Prepare a run.

        Args:
            results: the finished cells; new ones are added.
            tables: data set -> its table, of those that have unfinished tasks.
            folder: where unfinished trainings keep their checkpoints.
            workers: how many cells train at once.
            on_cell: called after each cell.
            on_block: called with a block's name once all of its tasks have ended.
        """
        self.results, self.grid, self.tables = results, results.grid, tables
        self.folder, self.workers = folder, workers
        self.on_cell, self.on_block = on_cell, on_block
        self._folds = folder / f"folds-{os.getpid()}"  # of this process, which removes it

    def run(self, tasks: Sequence[Task]) -> None:
        """Run what is not finished of `tasks`, in their order as far as tuning allows.

        A cell that fails is recorded with its reason, also in `results.failures`; the others run.
        """
        waiting = [task for task in tasks if not self.results.done(task)]
        self._left = Counter(task.block for task in waiting)
        self._free = [Worker(self.folder / f"worker{i}.log") for i in range(self.workers)]
        self._running: dict[Worker, tuple[Task, Cell]] = {}
        try:
            while waiting or self._running:
                task = self._next(waiting) if self._free else None
                if task is not None:
                    waiting.remove(task)
                    self._start(task)
                    continue
                for worker in self._finished_workers():
                    task, cell = self._running.pop(worker)
                    record = self._record(cell, worker)
                    self._free.append(worker)
                    rest = [*waiting, *(t for t, _ in self._running.values())]
                    self.on_cell(self._progress(cell, record, len(tasks), rest))
                    self._end(task)
        finally:
            for worker in [*self._free, *self._running]:
                worker.stop()
            shutil.rmtree(self._folds, ignore_errors=True)

    def _start(self, task: Task) -> None:
        """Give a task's cell to a free worker, or end the task where there is nothing to run."""
        cell = self._cell(task)
        if cell is None:
            self._end(task)
            return
        worker = self._free.pop()
        worker.start(self._job(cell, task.test))
        self._running[worker] = task, cell

    def _end(self, task: Task) -> None:
        self._left[task.block] -= 1
        if not self._left[task.block]:
            self.on_block(task.block)

    def _finished_workers(self) -> list[Worker]:
        """Wait for workers to answer."""
        ready = wait([worker.connection for worker in self._running])
        return [worker for worker in self._running if worker.connection in ready]

    def _progress(
        self, cell: Cell, record: Record | Failure, total: int, rest: Sequence[Task]
    ) -> Progress:
        seconds = Estimate(self.results.store).seconds(rest) / self.workers
        return Progress(cell, record, total - len(rest), total, seconds)

    def _next(self, waiting: Sequence[Task]) -> Task | None:
        """The first task that can start: its trial is known, and its cell does not run now."""
        running = [cell for _, cell in self._running.values()]
        for task in waiting:
            ready = task.trial is not None or self.results.tuned(task)
            if ready and self.results.cell(task) not in running:
                return task
        return None

    def _cell(self, task: Task) -> Cell | None:
        """The cell to run for a task, or None if there is nothing to run."""
        cell = self.results.cell(task)
        if cell is None:
            name = f"{task.dataset}, {task.variant}, seed {task.seed}"
            self.results.failures[name] = "no trial of its tuning succeeded"
        elif cell.name not in self.results.failures and not self.results.finished(cell, task.test):
            return cell
        return None

    def _job(self, cell: Cell, test: bool) -> Job:
        settings, bootstrap = self.grid.settings(cell), self.grid.experiment.bootstrap
        table = self.tables[cell.dataset]
        ranks = (settings.training or {}).get("ranks", 1)
        return Job(
            name=cell.name,
            table=table.folder,
            table_fingerprint=table.fingerprint,
            folder=str(self.run_folder(cell)),
            folds_folder=str(self._folds),
            settings=settings,
            seed=cell.seed,
            test=test,
            threads=max(1, len(os.sched_getaffinity(0)) // (self.workers * ranks)),
            replicates=bootstrap.replicates,
            bootstrap_seed=bootstrap.seed,
        )

    def run_folder(self, cell: Cell) -> Path:
        """Where a cell's checkpoints are until its test metrics are known."""
        digest = cell_fingerprint(cell, self.grid.settings(cell), self._data(cell))
        return self.folder / f"{cell.name}-{digest[:8]}"

    def _record(self, cell: Cell, worker: Worker) -> Record | Failure:
        """Record what a worker reports of a cell."""
        of_cell = cell, self.grid.settings(cell), self._data(cell)
        try:
            record = self.results.store.write(*of_cell, worker.result())
        except TrainingError as error:
            self.results.failures[cell.name] = str(error)
            return self.results.store.write_failure(*of_cell, str(error))
        if record.test is not None:  # its checkpoint, and those of beaten trials, can go
            beaten = self.results.tuning(cell.dataset, cell.variant, cell.seed).values()
            for other in [cell, *beaten] if cell in beaten else [cell]:
                shutil.rmtree(self.run_folder(other), ignore_errors=True)
        return record

    def _data(self, cell: Cell) -> str:
        return self.results.fingerprints[cell.dataset]
