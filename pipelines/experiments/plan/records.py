"""Defines the records of an experiment: its cells with their results, and its data sets."""

from __future__ import annotations

import math
from typing import Any

from pydantic import model_serializer

from optdist.config import fingerprint
from pipelines.experiments.plan.coordinates import Cell
from pipelines.experiments.plan.measurements import Measurements, Metrics, Part, gini

# Raise it when the same settings learn something else than before, and say below what differs:
# such cells are trained again, and a report of earlier records carries the note.
FORMAT = 2
EARLIER = {
    1: "These runs were made before the seeds of a run were derived independently (records of "
    "format 1). Then perceptron i of a stack, as an SDN, a tower or a channel network, began with "
    "seed s from the weights with which perceptron i - 1 began with seed s + 1, and epoch e read "
    "the rows in the order of epoch e - 1 with seed s + 1. The standard deviations and t-tests "
    "over seeds take the seeds as independent, so for networks they may understate how much runs "
    "differ. Norm-GINI was also computed by another rule, which adds 1/n to both Gini coefficients "
    "of n rows: a constant had 1/n over that of the perfect order instead of 0. Running the "
    "experiment again trains every cell again.",
}


class FoldsSettings(Part):
    """Cross-validation: how many folds the rows are dealt into."""

    folds: int


class CellSettings(Part):
    """All settings, next to data and seed, that decide what a network or LightGBM learns.

    They are plain values, so that records outlive changes of the settings' classes.
    """

    model: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    lightgbm: dict[str, Any] | None = None
    split: FoldsSettings | None = None

    @model_serializer
    def _sections(self) -> dict[str, Any]:
        return {name: section for name, section in self if section is not None}

    @property
    def plain(self) -> dict[str, Any]:
        """The sections that are there, as JSON has them."""
        return self.model_dump(mode="json")


class Attempt(Part):
    """A cell that was run: its coordinates, its data and its settings."""

    format: int
    dataset: str
    variant: str
    trial: str
    seed: int
    data: str  # the data's fingerprint
    fingerprint: str  # of everything that decides what the cell learns
    settings: CellSettings

    @property
    def cell(self) -> Cell:
        """The cell that was run."""
        return Cell(self.dataset, self.variant, self.trial, self.seed)


class Record(Measurements, Attempt):
    """A finished cell."""

    @property
    def validation_gini(self) -> float:
        """The validation Norm-GINI by which trials are chosen."""
        return gini(self.validation, self.inference)


class Failure(Attempt):
    """A cell that failed; validation metrics of an earlier attempt are kept: they may have won."""

    error: str
    inference: str | None = None
    validation: dict[str, Metrics] | None = None
    test: None = None

    @property
    def validation_gini(self) -> float | None:
        """The validation Norm-GINI of an earlier attempt, or None."""
        if self.validation is None or self.inference is None:
            return None
        return gini(self.validation, self.inference)


class Clusters(Part):
    """Histograms of log(1 + value) of clusters of rows."""

    edges: list[float]  # [bins + 1]
    counts: list[list[int]]  # [clusters][bins], the largest cluster first


class DatasetRecord(Part):
    """A data set as the report describes it.

    Args:
        format: this record's format.
        data: the data's fingerprint.
        name: the data set's.
        description: the data set's.
        counts: rows of each split, and how many are positive; rows before the split.
        label: statistics of the training labels.
        categorical: number of categorical features.
        numeric: number of numeric features.
        mean_label: split -> mean label, in currency units.
        clusters: clusters of training rows; None if no feature is numeric.
    """

    format: int
    data: str
    name: str
    description: str
    counts: dict[str, int]
    label: dict[str, float | None]
    categorical: int
    numeric: int
    mean_label: dict[str, float] | None = None
    clusters: Clusters | None = None


def cell_fingerprint(cell: Cell, settings: CellSettings, data: str) -> str:
    """A fingerprint of everything that decides what a cell learns.

    Args:
        cell: which training run of the grid.
        settings: its settings of model and training.
        data: the fingerprint of its data set.
    """
    return fingerprint([FORMAT, data, settings.plain, cell.seed])


def rounded(value: Any) -> Any:
    """A value as records keep it: six significant digits, and null for what is not finite."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value
