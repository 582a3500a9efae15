"""One cell: trained in a worker process, without Spark, and summed up as plain data."""

from __future__ import annotations

import datetime as dt
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from optdist.data.feature_table import FeatureTable
from optdist.evaluation.bootstrap import pack, resampled_metrics
from pipelines.experiments.run.folds import fold_table

_SCORED_ROWS = 50_000  # at most, to measure the speed of scoring
Record = dict[str, Any]


class Job(BaseModel):
    """What a worker is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    table: str  # the finished feature table's folder
    table_fingerprint: str
    folder: str  # of the run's checkpoints, which a later attempt goes on from
    folds_folder: str  # where the tables of cross-validation are kept
    settings: Record  # of `Grid.settings`
    seed: int
    test: bool
    threads: int
    replicates: int
    bootstrap_seed: int


def run_cell(job: Job) -> Record:
    """Train and evaluate a cell.

    Returns:
        {"inference", "validation", "test" (None where the job says not to read it), "history" (the
        validation Norm-GINI of each epoch), "best_epoch", "epochs", "cost", "sdn", "bootstrap",
        "date", "versions"}, in plain Python values.
    """
    started = time.monotonic()
    if "split" in job.settings:
        job = _cross_validated(job)
    if "lightgbm" in job.settings:
        from pipelines.experiments.run.boosting import train_boosting as train
    else:
        from pipelines.experiments.run.network import train_network as train
    record, predictions = train(job)
    if predictions is not None and job.replicates:
        record["bootstrap"] = _bootstrap(predictions, job)
    # a run that went on from a checkpoint took at least the time of its epochs
    seconds = max(time.monotonic() - started, record["cost"]["seconds"])
    record["cost"]["cell_seconds"] = seconds
    versions = {name: _version(name) for name in ("optdist", "tensorflow-cpu", "lightgbm", "numpy")}
    return record | {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "versions": versions | {"python": platform.python_version()},
    }


def _cross_validated(job: Job) -> Job:
    """The job on the table of its folds."""
    folds = job.settings["split"]["folds"]
    table = fold_table(FeatureTable.open(job.table), folds, job.seed, Path(job.folds_folder))
    return job.model_copy(
        update={"table": str(table.path), "table_fingerprint": table.manifest["fingerprint"]}
    )


def scoring_rows(table: FeatureTable) -> Any:
    """Raw validation rows, as an Arrow table, to measure the speed of scoring on."""
    columns = table.schema.raw_columns
    parts, rows = [], 0
    for file in sorted(Path(table.samples_path("validation")).glob("*.parquet")):
        parts.append(pq.ParquetFile(file).read(columns=columns))
        rows += len(parts[-1])
        if rows >= _SCORED_ROWS:
            break
    return pa.concat_tables(parts).slice(0, _SCORED_ROWS).combine_chunks()


def rows_per_second(score: Any, rows: Any) -> float:
    """Rows that `score(rows)` handles in a second, after a first call that is not counted."""
    score(rows.slice(0, 1000))
    started = time.monotonic()
    score(rows)
    return len(rows) / (time.monotonic() - started)


def _bootstrap(predictions: Mapping[str, np.ndarray], job: Job) -> Record:
    by_rule = {
        name.removeprefix("predicted_"): values
        for name, values in predictions.items()
        if name.startswith("predicted_")
    }
    found = resampled_metrics(
        predictions["label"], by_rule, predictions["group_key"], job.replicates, job.bootstrap_seed
    )
    packed = {
        rule: {metric: pack(values) for metric, values in metrics.items()}
        for rule, metrics in found.items()
    }
    return {"replicates": job.replicates, "seed": job.bootstrap_seed, "metrics": packed}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
