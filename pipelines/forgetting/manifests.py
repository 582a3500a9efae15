"""Brings manifests up to date with rows that were removed, so that jobs go on using them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from optdist.data.feature_table import FeatureTable, UnfinishedTable
from optdist.errors import DataError
from optdist.files import uri, write_json
from optdist.layout import ScoresFolder
from optdist.sums import folder_digest
from pipelines.scoring.checks import score_statistics
from pipelines.scoring.manifest import ScoresManifest, read_manifest, write_manifest
from pipelines.sources.columns import LABEL
from pipelines.sources.quarantine import count_reasons, rows_by_reason


def update_table(spark: SparkSession, table_folder: Path, staged: Path) -> None:
    """Count a feature table's rows again; one that no job can use stays without a count.

    Args:
        spark: the session.
        table_folder: the table as it is.
        staged: the prepared folder that takes its place.
    """
    try:
        old = FeatureTable.open(table_folder).manifest
    except DataError:  # not finished, or damaged
        return
    table = UnfinishedTable(staged)
    counts = dict(old.counts)
    for split in old.splits:
        counts |= _count_split(spark, table, split)
    if "samples" in counts:
        counts["samples"] = sum(counts[split] for split in old.splits)
    if "quarantined" in counts and table.quarantine.exists():
        counts["quarantined"] = count_rows(table.quarantine)
    forgotten = {split: old.counts[split] - counts[split] for split in old.splits}
    about = old.model_dump(exclude={"counts", "splits", "sums", "forgotten"})
    about["forgotten"] = {
        split: count + old.forgotten.get(split, 0) for split, count in forgotten.items()
    }
    table.finish(counts, **about)


def whole_parts(scores: ScoresFolder, folder: Path) -> list[str]:
    """The digests in a date's manifest that its files agree with.

    Args:
        scores: the data set's scores.
        folder: the date's folder.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return []
    return [
        name for name, now in _digests(scores, folder, manifest) if getattr(manifest, name) == now
    ]


def update_scores(
    spark: SparkSession, scores: ScoresFolder, run_date: str, folder: Path, whole: Sequence[str]
) -> bool:
    """Count a date's scores and bad rows again, if its manifest has other numbers.

    Args:
        spark: the session.
        scores: the data set's scores.
        run_date: the date.
        folder: the date's folder, or the prepared one that takes its place.
        whole: the `whole_parts` before rows were removed; what was damaged stays refused.

    Returns:
        Whether the manifest was written.
    """
    old = read_manifest(folder)
    if old is None:
        return False
    quarantine = scores.quarantine(run_date)
    quarantined = old.quarantined
    if quarantine.exists() and count_rows(quarantine) != sum(quarantined.values()):
        quarantined = rows_by_reason(count_reasons(spark.read.parquet(uri(quarantine))))
    update: dict[str, Any] = {n: now for n, now in _digests(scores, folder, old) if n in whole}
    update["quarantined"] = quarantined
    rows = count_rows(folder)
    if rows != old.rows:
        statistics = score_statistics(spark, folder, [])
        update["rows"] = rows
        update["total_predicted"] = float(statistics["total"] or 0.0)
        update["checksum"] = statistics["checksum"]
    manifest = old.model_copy(update=update)
    if manifest == old:
        return False
    write_manifest(folder, manifest)
    write_json(scores.manifest_copy(run_date), manifest.model_dump())
    return True


def count_rows(folder: Path) -> int:
    """The rows of the Parquet files below a folder, by their footers."""
    return sum(pq.read_metadata(path).num_rows for path in _parquet(folder))


def _digests(
    scores: ScoresFolder, folder: Path, manifest: ScoresManifest
) -> Iterator[tuple[str, str]]:
    yield "input_digest", folder_digest(scores.path / manifest.input)
    yield "files_digest", folder_digest(folder)


def _count_split(spark: SparkSession, table: UnfinishedTable, split: str) -> dict[str, int]:
    rows, positive = table.split_manifest(split).rows, 0
    if rows:
        label = F.col(LABEL)
        encoded = spark.read.parquet(uri(table.split_path(split)))
        [row] = encoded.agg(F.count_if(label > 0)).collect()
        positive = row[0]
    return {split: rows, f"{split}_positive": positive}


def _parquet(folder: Path) -> Sequence[Path]:
    return [
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(".parquet") and not name.startswith(".")
    ]
