"""Checks what an experiment needs, and estimates what its unfinished cells take."""

from __future__ import annotations

from collections.abc import Sequence

from optdist.config import Config
from optdist.files import find_holder
from pipelines.dry_run.estimates import in_time
from pipelines.dry_run.features import check_features
from pipelines.dry_run.quick_session import quick_session
from pipelines.dry_run.registry import check_registry
from pipelines.dry_run.report import WARNING, Report
from pipelines.experiments.pipeline import records_folder
from pipelines.experiments.plan.config import load_experiment
from pipelines.experiments.plan.coordinates import Task
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.schedule import choose_tasks
from pipelines.experiments.plan.store import Store
from pipelines.experiments.run.estimate import Estimate


def dry_run_experiment(
    name: str, env: str, overrides: Sequence[str], only: str, *, report_only: bool
) -> Report:
    """What `jobs/experiment.py` would do.

    Args:
        name: the experiment's name or file.
        env: the job's option.
        overrides: the job's `--set`.
        only: the job's option.
        report_only: the job's option.
    """
    report = Report(f"experiment {name}")
    with report.check("configuration") as attempt:
        experiment = load_experiment(name)
        grid = Grid(experiment, env, overrides)
        attempt.say(f"{len(grid.datasets)} data sets, {len(grid.models)} models")
    if attempt.failed:
        return report
    base = grid.config(grid.datasets[0])
    tasks: list[Task] = []
    with report.check("cells") as attempt:
        tasks = [] if report_only else choose_tasks(grid, only)
        store = Store(records_folder(experiment, base.layout), report=report_only)
        finished = len(store.records())
        attempt.say(f"{len(tasks)} to look at; {finished} records in {store.folder}")
    if not attempt.failed and tasks:
        seconds = Estimate(store).seconds(tasks)
        by = "by the records, all cells one after the other, finished ones included"
        report.estimate(
            "cells",
            f"at most {in_time(seconds)} ({by})" if seconds else "time not known: no record",
        )
    holder = find_holder(base.layout.experiment(experiment.name).runs)
    if holder:
        report.add("experiment", WARNING, f"a job seems to run it ({holder})")
    check_registry(report, base)
    for dataset in dict.fromkeys(task.dataset for task in tasks):
        _check_dataset(report, grid.config(dataset))
    return report


def _check_dataset(report: Report, config: Config) -> None:
    """Look at one of the data sets, with its name in front of what is found."""
    own = Report(config.dataset.name, written=config.written)
    spark = quick_session(config.spark, f"dry run of {config.dataset.name}")
    check_features(own, spark, config, None)
    name = config.dataset.name
    for line in own.lines:
        report.add(f"{name}: {line.check}", line.state, line.sentence)
    for what, text in own.estimates.items():
        report.estimate(f"{name}: {what}", text)
