"""Trains one cell in a worker process, without Spark, and measures it."""

from __future__ import annotations

import datetime as dt
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

from optdist.data.feature_table import FeatureTable
from optdist.evaluation.bootstrap import resampled_metrics
from pipelines.experiments.plan.measurements import Measurements, PackedValues, Resamples
from pipelines.experiments.run.folds import fold_table
from pipelines.experiments.run.jobs import Job


def run_cell(job: Job) -> Measurements:
    """Train and evaluate a cell."""
    started = time.monotonic()
    if job.settings.split:
        job = _cross_validated(job, job.settings.split.folds)
    if job.settings.lightgbm:
        from pipelines.experiments.run.boosting import train_boosting as train
    else:
        from pipelines.experiments.run.network import train_network as train
    trained, predictions = train(job)
    # a run that continues from a checkpoint took at least the time of its epochs
    seconds = max(time.monotonic() - started, trained.cost.seconds)
    cost = trained.cost.model_copy(update={"cell_seconds": seconds})
    return Measurements(
        **dict(trained) | {"cost": cost},
        bootstrap=_resamples(predictions, job) if predictions and job.replicates else None,
        date=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        versions=_versions(),
    )


def _cross_validated(job: Job, folds: int) -> Job:
    """The job on the table of its folds."""
    table = fold_table(FeatureTable.open(job.table), folds, job.seed, Path(job.folds_folder))
    return job.model_copy(
        update={"table": str(table.path), "table_fingerprint": table.manifest.fingerprint}
    )


def _resamples(predictions: Mapping[str, np.ndarray], job: Job) -> Resamples:
    by_rule = {
        name.removeprefix("predicted_"): values
        for name, values in predictions.items()
        if name.startswith("predicted_")
    }
    resampled = resampled_metrics(
        predictions["label"], by_rule, predictions["group_key"], job.replicates, job.bootstrap_seed
    )
    packed = {
        rule: {metric: PackedValues.pack(values) for metric, values in metrics.items()}
        for rule, metrics in resampled.items()
    }
    return Resamples(replicates=job.replicates, seed=job.bootstrap_seed, metrics=packed)


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for name in ("optdist", "tensorflow-cpu", "lightgbm", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions | {"python": platform.python_version()}
