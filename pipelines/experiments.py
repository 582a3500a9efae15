"""The experiment pipeline: features by Spark, then cells without it, then the report."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import CONF_DIR, Config, fingerprint
from optdist.errors import ConfigError, DataError
from optdist.experiments.clusters import value_by_cluster
from optdist.experiments.config import Experiment, load_experiment
from optdist.experiments.grid import Cell, Grid, Task, slug
from optdist.experiments.results import Results
from optdist.experiments.runner import Data, Progress, Runner
from optdist.experiments.store import Store
from optdist.table import FeatureTable
from optdist.tracking import Run, Tracker
from pipelines.features import build_features
from pipelines.session import spark_session
from pipelines.tables import resolved_path


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
    """
    experiment = load_experiment(name)
    grid = Grid(experiment, env, overrides)
    base = grid.config(grid.datasets[0])
    folder = base.root / "experiments" / experiment.name
    store = Store(records_folder(experiment, base))
    tasks = [] if report_only else chosen_tasks(grid, only)
    datasets = [d for d in grid.datasets if report_only or any(t.dataset == d for t in tasks)]
    if report_only:
        fingerprints = {d: (store.dataset(d) or {"data": ""})["data"] for d in datasets}
    else:
        fingerprints = {d: data_fingerprint(grid.config(d)) for d in datasets}
    results = Results(grid, store, fingerprints)
    tables = build_tables(results, tasks, spark)
    tracker = Tracker(base)
    with tracker.run(f"experiment {experiment.name}", again=True) as run:
        log = _Log(tracker, run, results)
        workers = workers or max(1, len(os.sched_getaffinity(0)) // base.training.ranks)
        runner = Runner(results, tables, folder / "runs", workers, log, lambda block: None)
        runner.run(tasks)
    return Outcome(records=store.folder, report=folder, failures=results.failures)


def records_folder(experiment: Experiment, config: Config) -> Path:
    """Where an experiment's records are."""
    if experiment.publish == "docs":
        return CONF_DIR.parent / "docs" / "results" / experiment.name
    return config.root / "experiments" / experiment.name / "results"


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


def build_tables(
    results: Results, tasks: Sequence[Task], spark: SparkSession | None
) -> dict[str, Data]:
    """The feature tables of the data sets that have unfinished tasks."""
    tables, own = {}, spark is None
    for dataset in dict.fromkeys(task.dataset for task in tasks):
        known = results.store.dataset(dataset)
        data = results.fingerprints[dataset]
        if (
            known
            and known["data"] == data
            and all(results.done(task) for task in tasks if task.dataset == dataset)
        ):
            continue
        config = results.grid.config(dataset)
        spark = spark or spark_session(config, f"features of {results.grid.experiment.name}")
        table = build_features(spark, config)
        tables[dataset] = Data(str(table.path), table.manifest["fingerprint"])
        if not known or known["data"] != data:
            results.store.write_dataset(dataset, describe(config, table, data))
    if own and spark is not None:
        spark.stop()  # cells train without it, and need its memory
    return tables


def describe(config: Config, table: FeatureTable, data: str) -> dict[str, Any]:
    """What the report says of a data set."""
    return {
        "data": data,
        "name": config.dataset.name,
        "description": config.dataset.description,
        "counts": table.manifest["counts"],
        "label": table.schema.label.model_dump(exclude={"quantiles"}),
        "categorical": len(table.schema.categorical),
        "numeric": len(table.schema.numeric),
        "clusters": value_by_cluster(table),
    }


def data_fingerprint(config: Config) -> str:
    """Of all that decides a data set's rows and splits: the same on every machine.

    Raw files count by their content, a URL by its name alone, and a setting that has its default
    counts for nothing, so that a new setting changes no fingerprint.
    """
    dataset = config.dataset.model_dump(mode="json", exclude_defaults=True, exclude={"description"})
    tables = dataset["source"].pop("tables")
    for name, table in config.dataset.source.tables.items():
        tables[name].pop("path")
        tables[name]["content"] = _content(resolved_path(table.path))
    return fingerprint(
        {
            "dataset": dataset,
            "tables": tables,
            "split": config.split.model_dump(),
            "build": config.build.model_dump(exclude={"max_quarantined_share"}),
            "time_zone": config.spark.get("spark.sql.session.timeZone"),
        }
    )


def _content(path: str) -> list[str]:
    if "://" in path:
        return [path]
    root = Path(path)
    if not root.exists():
        raise DataError(f"{path} does not exist. Set the table's path in the data set's YAML.")
    files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
    digests = []
    for file in files:
        with file.open("rb") as content:
            digests.append(hashlib.file_digest(content, "sha256").hexdigest())
    return digests


class _Log:
    """A line and a nested MLflow run for each cell."""

    def __init__(self, tracker: Tracker, run: Run, results: Results) -> None:
        self.tracker, self.run, self.results = tracker, run, results

    def __call__(self, progress: Progress) -> None:
        cell, record = progress.cell, progress.record
        print(f"[{progress.done:>4}/{progress.total}] {line(cell, record)}", end="")
        print(f", about {duration(progress.seconds_left)} left", flush=True)
        settings = self.results.grid.settings(cell)
        with self.tracker.run(cell.name, parent=self.run) as run:
            run.log_params({"dataset": cell.dataset, "variant": cell.variant, "seed": cell.seed})
            run.log_params(
                {f"{part}.{key}": v for part, keys in settings.items() for key, v in keys.items()}
            )
            if "error" in record:
                run.log_params({"error": record["error"][:500]})
                return
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
