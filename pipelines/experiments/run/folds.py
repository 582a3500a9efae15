"""Splits the training and validation rows of a table again for cross-validation.

The entities of both splits fall into folds by a hash of their key. A run holds one fold out as its
test split, stops and calibrates on the next, and trains on the rest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from optdist.config import fingerprint
from optdist.data.feature_table import SPLITS, FeatureTable
from optdist.data.fitting import label_statistics
from optdist.data.schema import MISSING_ID, UNKNOWN_ID, FeatureSchema
from optdist.errors import DataError
from optdist.evaluation.bootstrap import entity_hash


def fold_of(group_key: np.ndarray, folds: int, repeat: int) -> np.ndarray:
    """The fold of each row, in [0, folds), by a hash of its entity's key int64 [N].

    Args:
        group_key: int64 [N], the same in all rows of an entity.
        folds: how many folds, >= 2.
        repeat: which deal of the entities into folds, >= 0.
    """
    return (entity_hash(group_key, repeat) % np.uint64(folds)).astype(np.int64)


def fold_table(table: FeatureTable, folds: int, seed: int, folder: Path) -> FeatureTable:
    """The table of a run's folds, written where it does not exist yet.

    Numbers stay encoded as the table has them (fitted without labels, on all of its training rows).
    A category that the run's own training rows lack is out of vocabulary, and label statistics are
    theirs. Memory holds the encoded rows of both splits once.

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
    identity = fingerprint([table.manifest.fingerprint, folds, seed])
    path = folder / identity
    if not FeatureTable.is_finished(path):
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
    folds = FeatureTable.create(path)
    label = label_statistics(splits["train"].column("label").to_numpy())
    folds.write_schema(table.schema.model_copy(update={"label": label}))
    folds.share_samples(table)  # to measure the speed of scoring on
    counts: dict[str, int] = {}
    for split, rows in splits.items():
        folds.write_split(split, rows, groups=len(table.split_files(split)))
        positive = int((rows.column("label").to_numpy() > 0).sum())
        counts |= {split: len(rows), f"{split}_positive": positive}
    folds.finish(counts, fingerprint=identity, dataset=table.manifest.dataset)
