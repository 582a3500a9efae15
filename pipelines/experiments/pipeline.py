"""The experiment pipeline: features by Spark, then cells without it, then the report."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.errors import ConfigError, TrainingError
from optdist.files import locked
from optdist.tracking import Run, Tracker
from pipelines.experiments.plan.config import Experiment, load_experiment
from pipelines.experiments.plan.grid import Cell, Grid, Task, slug
from pipelines.experiments.plan.results import Results
from pipelines.experiments.plan.store import Store
from pipelines.experiments.report.write import write_report
from pipelines.experiments.run.feature_tables import build_tables, data_fingerprint
from pipelines.experiments.run.runner import Progress, Runner

_DOCS = Path(__file__).resolve().parents[2] / "docs"


class Outcome(BaseModel):
    """What an experiment ends with."""

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
    """Run what is not finished of an experiment and write its report.

    Args:
        name: of a file in `conf/experiments`, or a path that ends in .yaml.
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
    store = Store(records_folder(experiment, base))
    tasks = [] if report_only else chosen_tasks(grid, only)
    read = {task.dataset for task in tasks}  # of the others, what is recorded counts
    fingerprints = {
        d: data_fingerprint(grid.config(d))
        if d in read
        else (store.dataset(d) or {}).get("data", "")
        for d in grid.datasets
    }
    results = Results(grid, store, fingerprints)
    tables = build_tables(results, tasks, spark)
    tracker = Tracker(base)
    alone = nullcontext() if report_only else locked(folder.runs)
    with alone, tracker.run(f"experiment {experiment.name}", again=True) as run:
        log = _Log(tracker, run, results)
        workers = workers or max(1, len(os.sched_getaffinity(0)) // base.training.ranks)
        write = partial(write_report, results, folder.report, page(experiment))
        runner = Runner(results, tables, folder.runs, workers, log, lambda block: write())
        runner.run(tasks)
        write()
        run.log_folder(folder.report, "report")
    return Outcome(
        records=store.folder, report=folder.report / "report.html", failures=results.failures
    )


def page(experiment: Experiment) -> Path | None:
    """The report's file in the repository, for an experiment that is kept there."""
    name = experiment.publish
    return _DOCS / f"{name}.md" if name else None


def records_folder(experiment: Experiment, config: Config) -> Path:
    """Where an experiment's records are."""
    kept = page(experiment)
    if kept:
        return kept.parent / "results" / experiment.name
    return config.layout.experiment(experiment.name).results


def chosen_tasks(grid: Grid, only: str) -> list[Task]:
    """The tasks whose `dataset.model` matches a pattern, and the tuning that they depend on.

    Raises:
        ConfigError: none matches.
    """
    tasks = grid.tasks()
    named = {(t.dataset, t.variant): f"{slug(t.dataset)}.{slug(t.variant)}" for t in tasks}
    chosen = {key for key, text in named.items() if fnmatch.fnmatch(text, only)}
    if not chosen:
        raise ConfigError(f"No task matches {only!r}. There are: {', '.join(named.values())}.")
    tuned = {(t.dataset, t.base) for t in tasks if (t.dataset, t.variant) in chosen}
    return [
        t
        for t in tasks
        if (t.dataset, t.variant) in chosen or (not t.test and (t.dataset, t.variant) in tuned)
    ]


class _Log:
    """A line and a nested MLflow run for each cell."""

    def __init__(self, tracker: Tracker, run: Run, results: Results) -> None:
        self.tracker, self.run, self.results = tracker, run, results

    def __call__(self, progress: Progress) -> None:
        cell, record = progress.cell, progress.record
        print(f"[{progress.done:>4}/{progress.total}] {line(cell, record)}", end="")
        print(f", about {duration(progress.seconds_left)} left", flush=True)
        settings = self.results.grid.settings(cell)
        with suppress(TrainingError), self.tracker.run(cell.name, parent=self.run) as run:
            run.log_params({"dataset": cell.dataset, "variant": cell.variant, "seed": cell.seed})
            run.log_params(
                {f"{part}.{key}": v for part, keys in settings.items() for key, v in keys.items()}
            )
            if "error" in record:
                run.log_params({"error": record["error"][:500]})
                raise TrainingError(record["error"])  # ends this run as failed
            for split in ("validation", "test"):
                for rule, metrics in (record[split] or {}).items():
                    known = {name: v for name, v in metrics.items() if v is not None}
                    run.log_metrics(known, prefix=f"{split}_{rule}_")
            speed = {k: v for k, v in record["cost"].items() if not isinstance(v, dict)}
            run.log_metrics(speed, prefix="cost_")


def line(cell: Cell, record: dict[str, Any]) -> str:
    """What a cell came to."""
    place = f"{cell.dataset}  {cell.variant}  {cell.trial}  seed {cell.seed}"
    if "error" in record:
        return f"{place}  FAILED: {record['error']}"
    rule = record["inference"]
    found = f"val Norm-GINI {record['validation'][rule]['normalized_gini']:.4f}"
    if record["test"]:
        found += f"  test {record['test'][rule]['normalized_gini']:.4f}"
    return f"{place}  {found}  {record['cost']['cell_seconds']:.0f} s"


def summary(outcome: Outcome) -> str:
    """The closing lines: where everything is, and what failed."""
    lines = [f"\nrecords  {outcome.records}", f"report   {outcome.report}"]
    lines += [f"FAILED   {name}: {reason}" for name, reason in outcome.failures.items()]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
