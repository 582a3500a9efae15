"""Puts a report together: its head, a section for each table or figure, and what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.experiments.plan.records import EARLIER, Failure, Record
from pipelines.experiments.plan.results import Results
from pipelines.experiments.plan.schedule import schedule
from pipelines.experiments.report.ablations import table3
from pipelines.experiments.report.costs import choices, costs
from pipelines.experiments.report.data_sets import table1
from pipelines.experiments.report.in_short import in_short
from pipelines.experiments.report.models import table2
from pipelines.experiments.report.paper_figures import figure1, figure4, figure5
from pipelines.experiments.report.rows import rows_of
from pipelines.rendering import Block, Heading, Table, Text


def blocks(results: Results, paper: Mapping[str, Any]) -> list[Block]:
    """All of a report.

    Args:
        results: the finished cells.
        paper: the paper's own figures, by data set.
    """
    grid = results.grid
    tables = {d: rows_of(results, d, grid.models, grid.experiment.seeds) for d in grid.datasets}
    tables = {dataset: rows for dataset, rows in tables.items() if rows}
    parts = (
        _head(results),
        table1(results, paper),
        in_short(results, tables),
        table2(results, paper, tables),
        choices(results, tables),
        costs(results, tables),
        table3(results, paper),
        figure4(results),
        figure5(tables),
        figure1(results),
        _failed(results),
    )
    return [block for part in parts for block in part]


def _head(results: Results) -> Iterator[Block]:
    experiment = results.grid.experiment
    done = [record for record in results.current() if isinstance(record, Record)]
    name = experiment.name
    yield Heading(1, f"Results: {name}")
    yield Text(
        f"{experiment.description} Made by `./spark-submit.sh jobs/experiment.py {name}` "
        f"from the records of its training runs; no figure is typed by hand."
    )
    if not done:
        yield Text("No cell is finished yet.")
        return
    hours = sum(record.cost.cell_seconds for record in done) / 3600
    dates = sorted(record.date[:10] for record in done)
    versions = done[-1].versions
    tasks = schedule(results.grid)
    ended = sum(results.done(task) for task in tasks)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    yield Text(
        f"{ended} of {len(tasks)} tasks are finished, by {len(done)} training runs ({when}): "
        f"{hours:.1f} hours of worker processes in all. Python {versions['python']}, "
        f"TensorFlow {versions['tensorflow-cpu']}, LightGBM {versions['lightgbm']}."
    )
    folds = experiment.folds
    yield Text(_CROSS_VALIDATED.format(folds=folds) if folds else _ONE_SPLIT)
    if done[-1].format in EARLIER:
        yield Text(EARLIER[done[-1].format])


_ONE_SPLIT = (
    "All models see the same encoded features and the same split. A learning rate (or LightGBM's "
    "parameters) is chosen by Norm-GINI on the validation split alone, with one seed; every "
    "model's sum is calibrated on training and validation rows; the test split is read once per "
    "final run. Seeds vary the training. ± is the standard deviation over seeds."
)
_CROSS_VALIDATED = (
    "Cross-validation in {folds} folds: the entities of the training and validation splits are "
    "dealt into folds, and the test split stays unread. Seed s holds out fold s, which is called "
    "test below; on the next fold it chooses its learning rate (or LightGBM's parameters), stops, "
    "and calibrates its intervals; it trains on the rest. After {folds} seeds the entities are "
    "dealt again. All models see the same folds. ± is the standard deviation over seeds, whose "
    "test rows differ; models are compared seed by seed, and the t-tests allow for training rows "
    "that overlap (Nadeau and Bengio, 2003)."
)


def _failed(results: Results) -> Iterator[Block]:
    failures = [record for record in results.current() if isinstance(record, Failure)]
    if failures:
        yield Heading(2, "Failed")
        lines = [[f"{r.dataset}, {r.variant}, {r.trial}, seed {r.seed}", r.error] for r in failures]
        yield Table(["cell", "reason"], lines)
