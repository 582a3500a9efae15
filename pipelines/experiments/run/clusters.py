"""Clusters of users and their value (Fig. 1), as counts that can be drawn anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.cluster.vq import kmeans2

from optdist.data.feature_table import FeatureTable

CLUSTERS, BINS = 4, 30
_ROWS = 100_000  # at most, of the training split


def value_by_cluster(table: FeatureTable) -> dict[str, Any] | None:
    """Histograms of log(1 + value) in four k-means clusters of training rows.

    Clusters are of the encoded numeric features, z-scores of one weight each.

    Returns:
        {"edges": [BINS + 1], "counts": [clusters][BINS]}, the largest cluster first; None where no
        feature is numeric.
    """
    names = [f"num_{feature.name}" for feature in table.schema.numeric]
    if not names:
        return None
    parts, rows = [], 0
    for file in table.split_files("train"):
        path = table.split_path("train") / file["name"]
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
    return {"edges": edges.tolist(), "counts": [c.tolist() for c in counts if c.sum()]}
