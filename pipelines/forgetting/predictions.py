"""Takes customers' rows out of the predictions of held-out rows that training runs keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from optdist.errors import DataError, TrainingError
from optdist.layout import Layout
from optdist.training import RunFolder
from pipelines.forgetting.matching import Hashes


def run_folders(layout: Layout, others: set[str]) -> Iterator[tuple[RunFolder, Path]]:
    """The run folders that may be of the data set, and what a job locks that works on each.

    Args:
        layout: the data set's folders.
        others: runs that are known to be of other data sets.
    """
    unfinished = set(layout.unfinished_runs())
    for path in sorted((layout.root / "runs").glob("*")):
        is_other = path.name.startswith("unfinished-") and path not in unfinished
        if path.is_dir() and not is_other and path.name not in others:
            yield RunFolder(path), path
    for folder in sorted((layout.root / "experiments").glob("*")):
        runs = layout.experiment(folder.name).runs
        for path in sorted(runs.glob("*")):
            if path.is_dir():
                yield RunFolder(path), runs


def count_predictions(folder: RunFolder, hashes: Hashes) -> int:
    """The customers' rows among a run's predictions of rows that were held out.

    Raises:
        DataError: a file cannot be read.
    """
    count = 0
    for split in folder.predicted_splits:
        rows = _read(folder, split)
        count += int(hashes.contain(rows["row_key"], rows["group_key"]).sum())
    return count


def remove_predictions(folder: RunFolder, hashes: Hashes) -> None:
    """Write a run's predictions of held-out rows again without the customers' rows."""
    for split in folder.predicted_splits:
        rows = _read(folder, split)
        stay = ~hashes.contain(rows["row_key"], rows["group_key"])
        if not stay.all():
            kept = {name: values[stay] for name, values in rows.items()}
            folder.write_predictions(kept, split)


def _read(folder: RunFolder, split: str) -> dict[str, np.ndarray]:
    try:
        rows = folder.predictions(split)
    except TrainingError as error:
        raise DataError(
            f"The {split} predictions of {folder.path} cannot be read, so nobody can be found in "
            f"them: {error} Remove the file."
        ) from error
    if not {"row_key", "group_key"} <= rows.keys():
        raise DataError(f"The {split} predictions of {folder.path} have no keys: remove the file.")
    return rows
