"""Defines the coordinates of a training run, and the tasks that ask for one."""

from __future__ import annotations

import re
from dataclasses import dataclass

LIGHTGBM = "LightGBM"  # the variant that is no network


@dataclass(frozen=True)
class Cell:
    """The coordinates of one training run.

    Args:
        dataset: the data set's name.
        variant: a model, an ablation or a value of a sweep, by its name in the tables.
        trial: names the learning rate, or LightGBM's parameters.
        seed: seed of the training.
    """

    dataset: str
    variant: str
    trial: str
    seed: int

    @property
    def name(self) -> str:
        """The name of the cell's record."""
        return f"{slug(self.dataset)}.{slug(self.variant)}.{slug(self.trial)}.seed{self.seed}"


@dataclass(frozen=True)
class Task:
    """A request for a cell.

    Args:
        block: the tasks after which the report is written again.
        dataset: the data set's name.
        variant: as of a `Cell`.
        seed: seed of the training.
        base: the model whose tuning decides the trial.
        trial: as of a `Cell`; None where tuning decides it.
        test: whether the test split is read; it is not while learning rates are compared.
    """

    block: str
    dataset: str
    variant: str
    seed: int
    base: str
    trial: str | None = None
    test: bool = True


def slug(text: str) -> str:
    """Text as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-").lower()
