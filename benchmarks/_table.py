"""Writes a synthetic encoded feature table of the shape of `complete_journey`, without Spark."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from optdist.config import FeaturesConfig
from optdist.data import encoding
from optdist.data.feature_table import FeatureTable
from optdist.data.fitting import fit_schema

CATEGORICAL = {f"c{i:02d}": size for i, size in enumerate([2500, 1500, 300, 300, 120] + [12] * 10)}
NUMERIC = [f"n{i:02d}" for i in range(12)]


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    """Raw rows: 15 categorical features, 12 numeric ones and a label that depends on some."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for name, size in CATEGORICAL.items():
        columns[name] = np.minimum(rng.zipf(1.3, rows), size).astype(str)
    for name in NUMERIC:
        columns[name] = rng.exponential(20, rows)
    mu = 1 + 0.02 * columns["n00"] + (columns["c05"] == "1")
    columns["label"] = (rng.random(rows) < 0.4) * np.exp(rng.normal(mu, 1.0))
    return pd.DataFrame(columns)


def write_train_split(folder: Path, rows: int, groups: int = 40) -> FeatureTable:
    """Write one training split as the feature job lays it out: one row group per file."""
    raw = frame(rows)
    features = FeaturesConfig(
        categorical=list(CATEGORICAL), numeric={name: {"log1p": True} for name in NUMERIC}
    )
    schema = fit_schema(raw, features, "label")
    columns = encoding.encode(raw, schema) | {
        "label": raw["label"].to_numpy(np.float32),
        "row_key": np.arange(rows),
        "group_key": np.arange(rows),
    }
    table = FeatureTable.create(folder)
    table.write_schema(schema)
    table.write_split("train", pa.table(columns), groups)
    return table.finish({"train": rows}, fingerprint="synthetic", dataset="synthetic")
