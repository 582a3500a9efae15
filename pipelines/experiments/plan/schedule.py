"""Orders the tasks of a grid by importance.

Wherever a run stops, it leaves a complete, smaller table: learning rates and the first seed of each
data set, then each further seed on all data sets, then ablations, then sweeps.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from optdist.errors import ConfigError
from pipelines.experiments.plan.config import AblationsConfig, SweepsConfig
from pipelines.experiments.plan.coordinates import Task, slug
from pipelines.experiments.plan.grid import Grid


def schedule(grid: Grid) -> list[Task]:
    """All tasks of a grid, in order."""
    return list(_tasks(grid))


def choose_tasks(grid: Grid, pattern: str) -> list[Task]:
    """The tasks whose `dataset.model` matches a pattern, and the tuning that they depend on.

    Raises:
        ConfigError: no task matches.
    """
    tasks = schedule(grid)
    names = {(t.dataset, t.variant): f"{slug(t.dataset)}.{slug(t.variant)}" for t in tasks}
    chosen = {key for key, name in names.items() if fnmatch.fnmatch(name, pattern)}
    if not chosen:
        raise ConfigError(f"No task matches {pattern!r}. Choose from: {', '.join(names.values())}.")
    tuned = {(t.dataset, t.base) for t in tasks if (t.dataset, t.variant) in chosen}
    return [
        t
        for t in tasks
        if (t.dataset, t.variant) in chosen or (not t.test and (t.dataset, t.variant) in tuned)
    ]


def _tasks(grid: Grid) -> Iterator[Task]:
    experiment = grid.experiment
    for i, seed in enumerate(experiment.seeds):
        for dataset in grid.datasets:
            if i == 0 or experiment.folds:
                yield from _tuning(grid, dataset, grid.tune_seed(seed))
            for model in grid.models:
                yield Task(f"{dataset}, seed {seed}", dataset, model, seed, model)
    if experiment.ablations:
        variants = {dataset: list(grid.ablations(dataset)) for dataset in grid.datasets}
        yield from _extra(grid, experiment.ablations, "ablations", variants)
    if experiment.sweeps:
        variants = {dataset: _swept(grid, dataset) for dataset in grid.datasets}
        yield from _extra(grid, experiment.sweeps, "sweeps", variants)


def _tuning(grid: Grid, dataset: str, seed: int) -> Iterator[Task]:
    block = f"{dataset}, tuning" + (f", seed {seed}" if grid.experiment.folds else "")
    for model in grid.models:
        for trial in grid.trials(model) if len(grid.trials(model)) > 1 else ():
            yield Task(block, dataset, model, seed, model, trial, test=False)


def _extra(
    grid: Grid, part: AblationsConfig | SweepsConfig, title: str, variants: dict[str, list[str]]
) -> Iterator[Task]:
    for seed in part.seeds:
        for dataset in grid.named(part.datasets):
            for variant in [part.model, *variants[dataset]]:
                block = f"{dataset}, {title}, seed {seed}"
                yield Task(block, dataset, variant, seed, part.model)


def _swept(grid: Grid, dataset: str) -> list[str]:
    variants = [v for values in grid.sweep(dataset).values() for v in values.values()]
    return [variant for variant in variants if variant in grid.variants.sweeps]
