"""Reads the rows that a run was measured on: labels, predictions, and days if there are some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from optdist.config import SourceConfig
from optdist.data.feature_table import FeatureTable
from optdist.training import RunFolder
from pipelines.monitoring.data_report.periods import day_of
from pipelines.sources.columns import ROW_KEY


@dataclass(frozen=True)
class HeldOut:
    """The rows of a split, [N] each.

    Args:
        split: whose rows.
        label: in currency units.
        predicted: the predicted mean, in currency units.
        day: the sample's day, datetime64[D]; None: samples have none.
        low: lower end of the interval; None: the model predicts none.
        high: its upper end.
        selected: the network that predicts the row; None: the model selects none.
    """

    split: str
    label: np.ndarray
    predicted: np.ndarray
    day: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    selected: np.ndarray | None = None

    @property
    def inside(self) -> np.ndarray | None:
        """Which labels lie inside their interval."""
        if self.low is None or self.high is None:
            return None
        inside: np.ndarray = (self.label >= self.low) & (self.label <= self.high)
        return inside

    @classmethod
    def read(
        cls,
        folder: RunFolder,
        table: FeatureTable,
        source: SourceConfig,
        split: str,
        inference: str,
    ) -> Self:
        """The rows that a run has predicted, with their days from the raw samples.

        Args:
            folder: the run's.
            table: its features.
            source: says which column has a sample's day.
            split: whose rows.
            inference: the rule that the model predicts by.
        """
        rows = folder.predictions(split)
        day, _ = day_of(source)
        return cls(
            split,
            rows["label"].astype(np.float64),
            rows[f"predicted_{inference}"].astype(np.float64),
            _days(table, split, day, rows[ROW_KEY]) if day else None,
            rows.get("interval_low"),
            rows.get("interval_high"),
            rows.get("selected_sdn"),
        )


def _days(table: FeatureTable, split: str, column: str, keys: np.ndarray) -> np.ndarray | None:
    """The day of each key; None where the samples do not have the column."""
    try:
        samples = table.read_samples(split, [ROW_KEY, column], len(keys)).to_pandas()
    except (KeyError, ValueError):
        return None
    days = pd.to_datetime(samples[column]).dt.tz_localize(None)
    by_key = pd.Series(days.to_numpy("datetime64[D]"), samples[ROW_KEY])
    found: np.ndarray = by_key.reindex(keys).to_numpy("datetime64[D]")
    return found
