"""Builds the tables of choices made on validation, and of the cost of training and scoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from pipelines.experiments.plan.coordinates import LIGHTGBM
from pipelines.experiments.plan.measurements import Cost
from pipelines.experiments.plan.results import Results
from pipelines.experiments.report.rows import NONE, Row, mean_of, mean_sd, seed_records
from pipelines.rendering import Block, Heading, Table, Text

_HEADER = (
    "model",
    "parameters",
    "training rows/s",
    "best epoch",
    "s to best epoch",
    "s in all",
    "scoring rows/s",
)


def choices(results: Results, tables: Mapping[str, Sequence[Row]]) -> Iterator[Block]:
    """The trials that won, and the validation metric that settings are judged by."""
    if not tables:
        return
    yield Heading(2, "Chosen on validation")
    yield Text(
        "The learning rate or trial that was chosen, and Norm-GINI on validation rows over seeds: "
        "by this, and not by the test split, settings are judged."
    )
    lines = []
    for model in results.grid.models:
        line = [model]
        for dataset in tables:
            line += [_trials(results, dataset, model), _validated(results, dataset, model)]
        lines.append(line)
    header = [part for d in tables for part in (f"{d}, chosen", f"{d}, validation")]
    yield Table(["model", *header], lines)
    if results.grid.experiment.lightgbm:
        trials = enumerate(results.grid.experiment.lightgbm.trials, 1)
        listed = [f"trial{i}: {', '.join(f'{k} {v}' for k, v in t.items())}" for i, t in trials]
        yield Text(f"{LIGHTGBM}'s trials. {'; '.join(listed)}.")


def costs(results: Results, tables: Mapping[str, Sequence[Row]]) -> Iterator[Block]:
    """The cost of each model; none in cross-validation, whose folds are smaller than the data."""
    if not tables or results.grid.experiment.folds:
        return
    yield Heading(2, "Cost")
    yield Text(
        "Means over seeds. Each run has a worker process to itself, while other workers share the "
        "machine. The seconds of a network are those of its training steps. An epoch of "
        f"{LIGHTGBM} is a boosting round, its parameters are leaves, and its seconds contain "
        "binning and a Norm-GINI of the validation split each round. Scoring starts from raw rows "
        "and includes encoding."
    )
    for dataset, rows in tables.items():
        yield Heading(3, dataset)
        yield Table(_HEADER, [_cost_line(row) for row in rows])


def _trials(results: Results, dataset: str, model: str) -> str:
    """The trial chosen, or how often each was where every seed has its own."""
    seeds = dict.fromkeys(map(results.grid.tune_seed, results.grid.experiment.seeds))
    choices = [results.choice(dataset, model, seed) for seed in seeds]
    counts = Counter(choice[0] for choice in choices if choice)
    if len(seeds) == 1:
        return next(iter(counts), NONE)
    return ", ".join(f"{trial} ({n})" for trial, n in counts.most_common()) or NONE


def _validated(results: Results, dataset: str, model: str) -> str:
    records = seed_records(results, dataset, model, results.grid.experiment.seeds).values()
    return mean_sd(np.array([record.validation_gini for record in records]))


def _cost_line(row: Row) -> list[str]:
    def mean(value: Callable[[Cost], float | None]) -> float:
        return mean_of(row, lambda record: value(record.cost))

    return [
        row.label,
        f"{mean(lambda cost: cost.parameters):,.0f}",
        f"{mean(lambda cost: cost.train_rows_per_second):,.0f}",
        f"{mean_of(row, lambda record: record.best_epoch):.1f}",
        f"{mean(lambda cost: cost.seconds_to_best):,.1f}",
        f"{mean(lambda cost: cost.seconds):,.1f}",
        f"{mean(lambda cost: (cost.score_rows_per_second or {}).get(row.rule)):,.0f}",
    ]
