"""An encoded feature table made in memory, for tests that need no Spark."""

import numpy as np
import pandas as pd
import pyarrow as pa

from optdist.config import FeaturesConfig
from optdist.data import encoding
from optdist.data.feature_table import SPLITS, FeatureTable
from optdist.data.fitting import fit_schema

FEATURES = FeaturesConfig(categorical=["city"], numeric={"spend": {"log1p": True}})


def frame(rows=6000, seed=0):
    """Raw rows whose value depends on city and spend in a known way."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame({"city": rng.choice(list("abc"), rows), "spend": rng.exponential(20, rows)})
    p = np.where(made["city"] == "a", 0.8, 0.2)
    mu = np.where(made["city"] == "a", 3.0, 1.0) + 0.3 * np.log1p(made["spend"])
    made["label"] = (rng.random(rows) < p) * np.exp(rng.normal(mu, 0.5))
    return made


def counts(raw, edges):
    """The counts of the manifest."""
    made = {"samples": len(raw)}
    for split, low, high in zip(SPLITS, edges, edges[1:], strict=False):
        made[split] = high - low
        made[f"{split}_positive"] = int((raw["label"][low:high] > 0).sum())
    return made


def write_table(folder, rows=6000, groups=6) -> FeatureTable:
    """Write splits, schema and manifest as the feature job lays them out."""
    raw = frame(rows)
    schema = fit_schema(raw[: int(0.7 * rows)], FEATURES, "label")
    columns = encoding.encode(raw, schema) | {
        "label": raw["label"].to_numpy(np.float32),
        "row_key": np.arange(rows),
        "group_key": np.arange(rows),
    }
    whole, edges = pa.table(columns), [0, int(0.7 * rows), int(0.8 * rows), rows]
    table = FeatureTable.create(folder)
    table.write_schema(schema)
    for split, low, high in zip(SPLITS, edges, edges[1:], strict=False):
        table.write_split(split, whole.slice(low, high - low), groups)
        samples = table.samples_path(split)
        samples.mkdir(parents=True)
        raw[low:high].to_parquet(samples / "part-00000.parquet", index=False)
    return table.finish(counts(raw, edges), fingerprint="made", dataset="made")
