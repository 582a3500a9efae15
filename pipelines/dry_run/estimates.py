"""Estimates disk and time: by an earlier job under this root, else by a measured rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optdist.config import Config
from optdist.data.feature_table import FeatureTable
from optdist.errors import DataError
from optdist.layout import Layout, ScoresFolder
from optdist.tracking import Registry
from pipelines.dry_run.sizes import total_bytes
from pipelines.scoring.manifest import ScoresManifest, read_manifest

# Measured on two cores (docs/benchmarks.md); a start of Spark and its jobs takes the rest.
BUILT_ROWS_PER_SECOND = 6_000  # raw rows to a feature table
TRAINED_ROWS_PER_SECOND = 50_000  # of one epoch
SCORED_ROWS_PER_SECOND = 150_000  # samples to published scores
START_SECONDS = 20
ROUGH = "rough, by a rate of two cores (docs/benchmarks.md)"


@dataclass(frozen=True)
class Amount:
    """An estimate, and where it comes from."""

    value: float
    source: str


def bytes_of_features(config: Config, samples: int) -> Amount:
    """The disk of a feature table.

    Args:
        config: its features, and where earlier ones are.
        samples: how many it will have.
    """
    earlier = _newest_table(config.layout)
    if earlier:
        each = total_bytes([earlier.path]) / max(earlier.manifest.counts["samples"], 1)
        return Amount(each * samples, f"by {earlier.path.name}, built before")
    columns = len(config.dataset.features.categorical) + len(config.dataset.features.numeric)
    keys = len(config.dataset.sample_id) + 4  # label, split, two hashes
    return Amount(12.0 * (columns + keys) * samples, "rough, 12 bytes a value, raw and encoded")


def seconds_of_features(config: Config, raw_rows: int | None) -> Amount | None:
    """The time of building a feature table; None: the number of raw rows is not known.

    Args:
        config: where earlier tables are.
        raw_rows: of the main table.
    """
    for table in _tables(config.layout):
        events = table.manifest.counts.get("events", table.manifest.counts["samples"])
        if table.manifest.seconds and events and raw_rows:
            each = table.manifest.seconds / events
            return Amount(each * raw_rows, f"by {table.path.name}, built before")
    if raw_rows is None:
        return None
    return Amount(START_SECONDS + raw_rows / BUILT_ROWS_PER_SECOND, ROUGH)


def seconds_of_training(config: Config, registry: Registry | None, rows: int) -> Amount:
    """The time of a training run, as if it used all of its epochs.

    Args:
        config: the model, its epochs, and the store of earlier runs.
        registry: has earlier runs; None: there is none.
        rows: training rows.
    """
    run = _newest_run(config, registry) if registry else None
    if run:
        return Amount(run[1] * rows / run[2], f"by MLflow run {run[0]}")
    seconds = START_SECONDS + config.training.epochs * rows / TRAINED_ROWS_PER_SECOND
    return Amount(seconds, f"{ROUGH}, for {config.training.epochs} epochs")


def bytes_of_scores(config: Config, samples: int) -> Amount:
    """The disk of a date's scores and of the samples that are kept for a rerun.

    Args:
        config: features and quantiles, and where earlier scores are.
        samples: how many are scored.
    """
    earlier = _newest_scores(config.layout.scores)
    if earlier:
        folders = [Path(earlier.path), config.layout.scores.path / earlier.input]
        each = total_bytes(folders) / max(earlier.rows, 1)
        return Amount(each * samples, f"by the scores of {earlier.run_date}")
    columns = len(config.dataset.features.categorical) + len(config.dataset.features.numeric)
    values = columns + 15 + len(config.scoring.quantiles)
    return Amount(8.0 * values * samples, "rough, 8 bytes a value")


def seconds_of_scoring(config: Config, raw_rows: int | None, samples: int) -> Amount:
    """The time of scoring a date.

    Args:
        config: where earlier scores are.
        raw_rows: of the main table; None: not known, or not read.
        samples: how many are scored.
    """
    earlier = _newest_scores(config.layout.scores)
    if earlier and earlier.seconds and earlier.rows:
        each = earlier.seconds / earlier.rows
        return Amount(each * samples, f"by the scores of {earlier.run_date}")
    read = (raw_rows or 0) / BUILT_ROWS_PER_SECOND
    return Amount(START_SECONDS + read + samples / SCORED_ROWS_PER_SECOND, ROUGH)


def in_time(seconds: float) -> str:
    """A duration in the unit that fits."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _tables(layout: Layout) -> Iterator[FeatureTable]:
    """The data set's finished feature tables, the newest first."""
    folders = [path for path in layout.feature_tables.glob("*") if FeatureTable.is_finished(path)]
    for path in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            yield FeatureTable.open(path)
        except DataError:  # of another version
            continue


def _newest_table(layout: Layout) -> FeatureTable | None:
    return next(_tables(layout), None)


def _newest_scores(scores: ScoresFolder) -> ScoresManifest | None:
    for folder in reversed(scores.dates()):
        manifest = read_manifest(folder)
        if manifest:
            return manifest
    return None


def _newest_run(config: Config, registry: Registry) -> tuple[str, float, int] | None:
    """The newest finished run of this data set and model: its id, seconds and training rows."""
    for run in registry.finished_runs(config.tracking.experiment):
        tags, params = run.data.tags, run.data.params
        same = (tags.get("dataset"), tags.get("model")) == (config.dataset.name, config.model.name)
        rows = params.get("data.train", "")
        if same and rows.isdigit() and int(rows) and run.info.end_time:
            return run.info.run_id, (run.info.end_time - run.info.start_time) / 1000, int(rows)
    return None
