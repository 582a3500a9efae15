"""Splits the training and validation rows of a table again for cross-validation.

The entities of both splits fall into folds by a hash of their key. A run holds one fold out as its
test split, stops and calibrates on the next, and trains on the rest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optdist.config import fingerprint
from optdist.data.encoding import label_statistics
from optdist.data.feature_table import MANIFEST, SCHEMA, SPLITS, FeatureTable
from optdist.data.schema import MISSING_ID, UNKNOWN_ID, FeatureSchema
from optdist.errors import DataError
from optdist.evaluation.bootstrap import entity_hash
from optdist.files import write_json


def fold_of(group_key: np.ndarray, folds: int, repeat: int) -> np.ndarray:
    """The fold of each row, in [0, folds), by a hash of its entity's key int64 [N]."""
    return (entity_hash(group_key, repeat) % np.uint64(folds)).astype(np.int64)


def fold_table(table: FeatureTable, folds: int, seed: int, folder: Path) -> FeatureTable:
    """The table of a run's folds, written where it does not exist yet.

    Numbers stay encoded as the table has them (fitted without labels, on all of its training rows).
    A category that the run's own training rows lack is out of vocabulary, and label statistics are
    theirs. The encoded rows of both splits are held in memory once.

    Args:
        table: a finished feature table.
        folds: how many, >= 3.
        seed: the run's, >= 1. Runs 1 to `folds` hold out one fold each, the next as many do so
            with the entities dealt again.
        folder: where such tables are kept.

    Raises:
        DataError: a fold has no rows, or the training folds no positive label.
    """
    repeat, held_out = divmod(seed - 1, folds)
    identity = fingerprint([table.manifest["fingerprint"], folds, seed])
    path = folder / identity
    if not (path / MANIFEST).exists():
        rows = pa.concat_tables([table.read(split) for split in ("train", "validation")])
        fold = fold_of(rows.column("group_key").to_numpy(), folds, repeat)
        test, validation = fold == held_out, fold == (held_out + 1) % folds
        parts = {"train": ~test & ~validation, "validation": validation, "test": test}
        splits = {split: rows.filter(pa.array(parts[split])) for split in SPLITS}
        for split in ("validation", "test"):
            splits[split] = _known_categories(splits[split], splits["train"], table.schema)
        for split, part in splits.items():
            if not len(part):
                raise DataError(f"Fold {held_out + 1} of {folds} has no {split} rows.")
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder))
        _write(table, splits, partial, identity)
        try:
            os.replace(partial, path)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return FeatureTable.open(path)


def _known_categories(rows: pa.Table, train: pa.Table, schema: FeatureSchema) -> pa.Table:
    """Rows whose categories are out of vocabulary where training rows do not have them."""
    for name in schema.categorical_columns:
        ids = rows.column(name).to_numpy()
        seen = np.isin(ids, train.column(name).to_numpy()) | (ids == MISSING_ID)
        known = np.where(seen, ids, UNKNOWN_ID).astype(np.int32)
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(known))
    return rows


def _write(table: FeatureTable, splits: dict[str, pa.Table], path: Path, identity: str) -> None:
    """Write a table as the feature job lays it out, with as many row groups a split."""
    label = label_statistics(splits["train"].column("label").to_numpy())
    table.schema.model_copy(update={"label": label}).save(path / SCHEMA)
    # raw rows, to measure the speed of scoring on
    (path / "samples").symlink_to((table.path / "samples").resolve())
    written: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for split, rows in splits.items():
        folder = path / "encoded" / split
        files: list[dict[str, Any]] = []
        folder.mkdir(parents=True)
        edges = np.linspace(0, len(rows), min(len(rows), len(table.split_files(split))) + 1)
        for low, high in zip(edges.astype(int), edges[1:].astype(int), strict=False):
            name = f"part-{len(files):05d}.parquet"
            pq.write_table(rows.slice(low, high - low), folder / name)
            files.append({"name": name, "rows": int(high - low)})
        written[split] = {"files": files, "rows": len(rows)}
        counts |= {
            split: len(rows),
            f"{split}_positive": int((rows.column("label").to_numpy() > 0).sum()),
        }
    write_json(
        path / MANIFEST,
        {
            "fingerprint": identity,
            "dataset": table.manifest["dataset"],
            "splits": written,
            "counts": counts,
        },
    )
