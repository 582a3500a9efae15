"""Finds what holds a data set's rows below the root, and how a customer is found in each file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optdist.layout import Layout
from pipelines.sources.columns import GROUP_KEY, REASON, ROW_KEY

STAGED = "_forgetting-"  # before the name of a folder that will take another one's place
_LEFT = (STAGED, "_removed-", "_old-")


class Kind(Enum):
    """What tells a customer's rows in a file."""

    IDS = "ids"
    HASHES = "hashes"  # of ids, in encoded rows
    TEXT = "text"  # whole bad rows in JSON
    NOBODY = "nobody"  # aggregates
    PARTS = "parts"  # some columns of the id alone: nobody can be found by them
    DAMAGED = "damaged"


@dataclass(frozen=True)
class DataFile:
    """A Parquet file."""

    path: Path
    kind: Kind
    types: str  # of the columns that are looked at: files of the same types are read together


@dataclass(frozen=True)
class Place:
    """A folder that is replaced as a whole, and what a job locks before it writes there."""

    path: Path
    lock: Path

    @property
    def staged(self) -> Path:
        """Where its new content is prepared."""
        return self.path.with_name(f"{STAGED}{self.path.name}")


def places_of(layout: Layout) -> Iterator[Place]:
    """The data set's feature tables and folders of scores, unfinished and forgotten ones too.

    What has ids comes after the folds that were made of it, in which its ids tell the hashes.
    """
    yield from _folds(layout)
    for folder in _dataset_folders(layout):
        known = folder in (layout.feature_tables, layout.scores.path, layout.backtest.path)
        if not known and next(folder.rglob("*.parquet"), None):
            yield Place(folder, folder)
    for table in _folders(layout.feature_tables):
        yield Place(table, table)
    scores = layout.scores
    for path, lock in (*scores.kept_inputs(), *scores.staged()):
        if path.is_dir() and not path.name.startswith(_LEFT):
            yield Place(path, lock)
    for path in _folders(scores.quarantine("x").parent):
        yield Place(path, scores.path / path.name)
    for path in scores.dates():
        yield Place(path, path)


def roots_of(layout: Layout) -> list[Path]:
    """The folders that hold all Parquet files of the data set, each below one of them."""
    return [*_dataset_folders(layout), *(place.path for place in _folds(layout))]


def leftovers_of(layout: Layout) -> Iterator[Place]:
    """What was prepared or replaced when a job was killed: what it was to be, and its lock."""
    others = [layout.root / "experiments", layout.root / "runs"]
    for root in (layout.feature_tables, layout.scores.path, *others):
        for parent, names, _ in os.walk(root):
            for name in [name for name in names if name.startswith(_LEFT)]:
                names.remove(name)
                path = Path(parent, name)
                yield Place(path, _lock_of(layout, path))


def original(path: Path) -> Path:
    """The place of a leftover."""
    prefix = next(prefix for prefix in _LEFT if path.name.startswith(prefix))
    return path.with_name(path.name.removeprefix(prefix))


def data_files(folder: Path, columns: Sequence[str]) -> list[DataFile]:
    """The Parquet files below a folder; what links lead to is not of it.

    Args:
        folder: a folder.
        columns: the columns that name a customer.
    """
    return [
        _look(Path(parent, name), columns)
        for parent, _, names in os.walk(folder)
        for name in sorted(names)
        if name.endswith(".parquet") and not name.startswith(".")
    ]


def _look(path: Path, columns: Sequence[str]) -> DataFile:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return DataFile(path, Kind.DAMAGED, "")
    names = {name.lower(): name for name in schema.names}
    if {"row", REASON} <= names.keys():  # names that samples and scores cannot have
        return DataFile(path, Kind.TEXT, "")
    present = [names[name.lower()] for name in columns if name.lower() in names]
    if len(present) == len(columns):
        types = "; ".join(f"{name} {schema.field(name).type}" for name in present)
        # hashes stand next to the ids in samples alone
        return DataFile(path, Kind.IDS, f"{types} {ROW_KEY in names}")
    if {ROW_KEY, GROUP_KEY} <= names.keys():
        return DataFile(path, Kind.HASHES, "")
    return DataFile(path, Kind.PARTS if present else Kind.NOBODY, "")


def _folds(layout: Layout) -> Iterator[Place]:
    """The feature tables that experiments have made of the data set's for cross-validation."""
    for folder in _folders(layout.root / "experiments"):
        for manifest in sorted(folder.rglob("manifest.json")):
            try:
                is_ours = json.loads(manifest.read_text()).get("dataset") == layout.dataset
            except (OSError, ValueError, AttributeError):
                continue
            if is_ours:
                yield Place(manifest.parent, layout.experiment(folder.name).runs)


def _dataset_folders(layout: Layout) -> list[Path]:
    """The folder of the data set in each folder below the root."""
    others = {layout.root / "experiments", layout.root / "runs", layout.artifacts}
    parents = [path for path in _folders(layout.root) if path not in others]
    return [path for parent in parents if (path := parent / layout.dataset).is_dir()]


def _lock_of(layout: Layout, path: Path) -> Path:
    """What a job locks that writes where a leftover is."""
    experiments, scores = layout.root / "experiments", layout.scores
    if path.is_relative_to(experiments):
        return layout.experiment(path.relative_to(experiments).parts[0]).runs
    if path.is_relative_to(scores.path):
        parent = path.parent
        inputs = parent.parent == scores.inputs("x").parent
        return scores.date(parent.name) if inputs else scores.path / original(path).name
    return original(path)


def _folders(parent: Path) -> list[Path]:
    folders = [path for path in parent.glob("*") if path.is_dir() and not path.is_symlink()]
    return sorted(path for path in folders if not path.name.startswith(_LEFT))
