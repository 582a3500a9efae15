"""Defines the job that a worker gets."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from pipelines.experiments.plan.records import CellSettings


class Job(BaseModel):
    """A cell to train.

    Args:
        name: the cell's name.
        table: the finished feature table's folder.
        table_fingerprint: the feature table's fingerprint.
        folder: for the run's checkpoints, from which a later attempt continues.
        folds_folder: for the tables of cross-validation.
        settings: everything, next to data and seed, that decides what the cell learns.
        seed: seed of the training.
        test: whether the test split is read.
        threads: for each rank.
        replicates: resamples of the bootstrap.
        bootstrap_seed: seed of the resamples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    table: str
    table_fingerprint: str
    folder: str
    folds_folder: str
    settings: CellSettings
    seed: int
    test: bool
    threads: int
    replicates: int
    bootstrap_seed: int
