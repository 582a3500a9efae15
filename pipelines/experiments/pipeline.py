"""Runs an experiment: features with Spark, then cells without it, then the report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.files import locked
from optdist.layout import Layout
from optdist.tracking import Tracker
from pipelines.experiments.datasets import build_tables, data_fingerprint
from pipelines.experiments.plan.config import ExperimentConfig, load_experiment
from pipelines.experiments.plan.coordinates import Task
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.results import Results
from pipelines.experiments.plan.schedule import choose_tasks
from pipelines.experiments.plan.store import Store
from pipelines.experiments.progress import log_cell, print_progress
from pipelines.experiments.report.writing import write_report
from pipelines.experiments.run.runner import Progress, Runner

_DOCS = Path(__file__).resolve().parents[2] / "docs"


class Outcome(BaseModel):
    """The outcome of an experiment."""

    records: Path
    report: Path
    failures: dict[str, str]


def run_experiment(
    name: str | Path,
    env: str = "local",
    overrides: Sequence[str] = (),
    workers: int | None = None,
    only: str = "*",
    report_only: bool = False,
    spark: SparkSession | None = None,
) -> Outcome:
    """Run the unfinished cells of an experiment and write its report.

    Args:
        name: the name of a file in `conf/experiments`, or a path that ends in .yaml.
        env: the name of a file in `conf/env`.
        overrides: `section.key=value` each, for all cells.
        workers: how many cells train at once; None is one for each core that a cell's ranks leave.
        only: a pattern of `dataset.model`, in lower case and with dashes, as in records' names.
        report_only: train nothing; the raw data is not read either.
        spark: a session to use and to leave open; by default one is started where features must be
            built, and stopped before the first cell starts.

    Raises:
        BusyError: another job runs this experiment.
    """
    experiment = load_experiment(name)
    grid = Grid(experiment, env, overrides)
    base = grid.config(grid.datasets[0])
    folder = base.layout.experiment(experiment.name)
    store = Store(records_folder(experiment, base.layout), report=report_only)
    tasks = [] if report_only else choose_tasks(grid, only)
    results = Results(grid, store, _fingerprints(grid, store, tasks))
    tables = build_tables(results, tasks, spark)
    tracker = Tracker(base)
    lock = nullcontext() if report_only else locked(folder.runs)
    with lock, tracker.run(f"experiment {experiment.name}", again=True) as run:

        def report_cell(progress: Progress) -> None:
            print_progress(progress)
            log_cell(tracker, run, progress.record)

        workers = workers or max(1, len(os.sched_getaffinity(0)) // base.training.ranks)
        write = partial(write_report, results, folder.report, page(experiment))
        runner = Runner(results, tables, folder.runs, workers, report_cell, lambda block: write())
        runner.run(tasks)
        write()
        run.log_folder(folder.report, "report")
    return Outcome(
        records=store.folder, report=folder.report / "report.html", failures=results.failures
    )


def page(experiment: ExperimentConfig) -> Path | None:
    """The report's file in the repository, for an experiment that is kept there."""
    name = experiment.publish
    return _DOCS / f"{name}.md" if name else None


def records_folder(experiment: ExperimentConfig, layout: Layout) -> Path:
    """The folder of an experiment's records."""
    published = page(experiment)
    if published:
        return published.parent / "results" / experiment.name
    return layout.experiment(experiment.name).results


def format_outcome(outcome: Outcome) -> str:
    """The closing lines: where everything is, and what failed."""
    lines = [f"\nrecords  {outcome.records}", f"report   {outcome.report}"]
    lines += [f"FAILED   {name}: {reason}" for name, reason in outcome.failures.items()]
    return "\n".join(lines)


def _fingerprints(grid: Grid, store: Store, tasks: Sequence[Task]) -> dict[str, str]:
    """Data set -> its data's fingerprint; the recorded one where no task reads the data."""
    read = {task.dataset for task in tasks}
    fingerprints = {}
    for dataset in grid.datasets:
        known = store.dataset(dataset)
        recorded = known.data if known else ""
        is_read = dataset in read
        fingerprints[dataset] = data_fingerprint(grid.config(dataset)) if is_read else recorded
    return fingerprints
