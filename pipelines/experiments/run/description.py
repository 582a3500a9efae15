"""Describes a data set for the report: its counts, its labels and the clusters of its users."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from scipy.cluster.vq import kmeans2

from optdist.config import DatasetConfig
from optdist.data.feature_table import SPLITS, FeatureTable
from optdist.data.schema import encoded_name
from pipelines.experiments.plan.records import Clusters, DatasetRecord

DESCRIPTION = 2  # raise it when `describe` says more
CLUSTERS, BINS = 4, 30
_ROWS = 100_000  # at most, of the training split, for the clusters


def describe(dataset: DatasetConfig, table: FeatureTable, data: str) -> DatasetRecord:
    """Describe a data set for the report.

    Args:
        dataset: its settings.
        table: its finished feature table.
        data: the data's fingerprint.
    """
    return DatasetRecord(
        format=DESCRIPTION,
        data=data,
        name=dataset.name,
        description=dataset.description,
        counts=table.manifest.counts,
        label=table.schema.label.model_dump(exclude={"quantiles"}),
        categorical=len(table.schema.categorical),
        numeric=len(table.schema.numeric),
        mean_label={split: mean_label(table, split) for split in SPLITS},
        clusters=value_by_cluster(table),
    )


def mean_label(table: FeatureTable, split: str) -> float:
    """The mean label of a split, in currency units."""
    return float(table.read(split, ["label"]).column(0).to_numpy().mean(dtype=np.float64))


def value_by_cluster(table: FeatureTable) -> Clusters | None:
    """Histograms of log(1 + value) in four k-means clusters of training rows (Fig. 1).

    Clusters are of the encoded numeric features: z-scores, all of the same weight.

    Returns:
        The histograms; None where no feature is numeric.
    """
    names = [encoded_name("num", feature.name) for feature in table.schema.numeric]
    if not names:
        return None
    parts, rows = [], 0
    for file in table.split_files("train"):
        path = table.split_path("train") / file.name
        parts.append(pq.ParquetFile(path).read(columns=[*names, "label"]).to_pandas())
        rows += len(parts[-1])
        if rows >= _ROWS:
            break
    points = np.concatenate([part[names].to_numpy(np.float64) for part in parts])
    value = np.log1p(np.concatenate([part["label"].to_numpy(np.float64) for part in parts]))
    _, cluster = kmeans2(points, CLUSTERS, minit="++", seed=1)
    edges = np.linspace(0, value.max(), BINS + 1)
    counts = [np.histogram(value[cluster == i], edges)[0] for i in range(CLUSTERS)]
    counts.sort(key=lambda c: -c.sum())
    return Clusters(edges=edges.tolist(), counts=[c.tolist() for c in counts if c.sum()])
