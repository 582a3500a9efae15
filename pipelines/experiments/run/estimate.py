"""Estimates how long the tasks of an experiment take."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.experiments.plan.coordinates import Task
from pipelines.experiments.plan.records import Record
from pipelines.experiments.plan.store import Store


class Estimate:
    """Seconds by the finished cells of a model and data set, or of the data set, or of any."""

    def __init__(self, store: Store) -> None:
        """Read the costs of the cells in a store."""
        self._known: dict[tuple[str, str], list[float]] = {}
        for record in store.records():
            if isinstance(record, Record):
                for key in _keys(record.dataset, record.variant):
                    self._known.setdefault(key, []).append(record.cost.cell_seconds)

    def seconds(self, tasks: Sequence[Task]) -> float:
        """The time that `tasks` take one after the other; 0 before any cell is finished."""
        return sum(self._mean(task) for task in tasks)

    def _mean(self, task: Task) -> float:
        keys = _keys(task.dataset, task.variant)
        values = next((self._known[key] for key in keys if key in self._known), [0.0])
        return sum(values) / len(values)


def _keys(dataset: str, variant: str) -> tuple[tuple[str, str], ...]:
    return (dataset, variant), (dataset, ""), ("", "")
