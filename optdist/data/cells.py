"""Counts rows, positive labels and value by bin of each feature, in parts that add up.

The bins of a number are its training quantiles and what lies between two of them, so that a value
that many rows share has a bin of its own; those of a category are the most frequent entries of its
vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from optdist.data.clocks import Clock, days_of
from optdist.data.encoding import encode, log_transform, read_numbers, table_columns
from optdist.data.feature_table import EVERY_SPLIT
from optdist.data.schema import (
    FIRST_ID,
    MISSING_ID,
    UNKNOWN_ID,
    CategoricalFeature,
    FeatureSchema,
    NumericFeature,
    encoded_name,
)

AUDITED = 10_000  # categories of a feature that have a bin each; the others share one
COARSE_NUMBERS, COARSE_CATEGORIES = 10, 20  # bins of a feature whose drift is measured
LABEL_BINS = 2_000  # equal steps of log(1 + label) up to the largest; bin 0 is a label of 0
FAR = 3  # interquartile ranges beyond the quartiles, from which on a number is an outlier

# what a cell counts: rows by split and bin, training rows by period and coarse bin, ...
BIN, PERIOD, OUTLIER, AFTER_CUT, LABEL_BIN = "bin", "period", "outlier", "after_cut", "label"
CELLS = "kind string, feature string, part int, bin int, rows long, positives long, total double"
_CELLS_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("feature", pa.string()),
        ("part", pa.int32()),
        ("bin", pa.int32()),
        ("rows", pa.int64()),
        ("positives", pa.int64()),
        ("total", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Counting:
    """What to count of each sample.

    Args:
        schema: the features, with vocabularies and quantiles of training.
        largest_label: of all splits [currency].
        cut: the column with a sample's day; None: samples have none.
        period_starts: the first day of each period, ascending, as days since 1970-01-01.
        clocks: feature -> how its values name days.
        cut_is_after: whether an event of the cut's own day belongs to the label.
    """

    schema: FeatureSchema
    largest_label: float
    cut: str | None = None
    period_starts: Sequence[int] = ()
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    cut_is_after: bool = True

    @property
    def columns(self) -> list[str]:
        """The sample's columns that are read."""
        cut = [self.cut] if self.cut else []
        return [*dict.fromkeys([*self.schema.raw_columns, *cut, "label", "split"])]

    def count(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count the rows of some batches.

        Args:
            batches: samples with at least `columns`.

        Returns:
            Rows of `CELLS`; those of one key add up.
        """
        cells: dict[tuple[str, str], np.ndarray] = {}
        for batch in batches:
            for key, counts in self._count_batch(batch):
                cells[key] = cells[key] + counts if key in cells else counts
        yield from (as_batch(kind, feature, counts) for (kind, feature), counts in cells.items())

    def _count_batch(self, batch: Any) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
        """Arrays [parts, bins, 3] of rows, positives and value by (kind, feature)."""
        rows = _Rows.of(batch, self)
        if not len(rows.split):
            return
        schema = self.schema
        ids = encode(batch, schema.model_copy(update={"numeric": []}))
        yield (LABEL_BIN, ""), rows.by_split(label_bins(rows.label, self.largest_label), LABEL_BINS)
        for category in schema.categorical:
            bins = category_bins(ids[encoded_name("cat", category.name)])
            yield from self._count_bins(rows, category, bins)
        numbers = table_columns(batch, [number.name for number in schema.numeric])
        for number in schema.numeric:
            raw = read_numbers(numbers[number.name], number.name)
            value = log_transform(raw, number.log1p)
            yield from self._count_bins(rows, number, number_bins(value, number))
            yield (OUTLIER, number.name), rows.by_split(is_outlier(value, number).astype(int), 2)
        if self.cut:
            table = table_columns(batch, list(self.clocks))
            for name, clock in self.clocks.items():
                days = days_of(table[name], clock)
                with np.errstate(invalid="ignore"):
                    late = days >= rows.day if self.cut_is_after else days > rows.day
                yield (AFTER_CUT, name), rows.by_split(late.astype(int), 2)

    def _count_bins(
        self, rows: _Rows, feature: CategoricalFeature | NumericFeature, bins: np.ndarray
    ) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
        size = bin_count(feature)
        yield (BIN, feature.name), rows.by_split(bins, size)
        if self.period_starts:
            coarse, number = coarse_bins(bins, feature)
            yield (
                (PERIOD, feature.name),
                rows.by_period(coarse, number, len(self.period_starts)),
            )


@dataclass(frozen=True)
class _Rows:
    """Split, label, day and period of the rows of a batch, each [B]."""

    split: np.ndarray
    label: np.ndarray
    day: np.ndarray
    period: np.ndarray

    @classmethod
    def of(cls, batch: Any, counting: Counting) -> _Rows:
        table = table_columns(batch, ["split", "label"])
        split = pc.index_in(table["split"], value_set=pa.array(EVERY_SPLIT)).to_numpy(False)
        day, period = np.zeros(0), np.zeros(0, np.int64)
        if counting.cut:
            column = table_columns(batch, [counting.cut])[counting.cut]
            day = days_of(column, Clock.DATE)
            period = np.searchsorted(counting.period_starts, day, side="right") - 1
        label = read_numbers(table["label"], "label")
        return cls(split.astype(np.int64), label, day, period)

    def by_split(self, bins: np.ndarray, size: int) -> np.ndarray:
        """[splits, size, 3]: rows, positive labels and value."""
        return self._sums(self.split * size + bins, len(EVERY_SPLIT), size, slice(None))

    def by_period(self, bins: np.ndarray, size: int, periods: int) -> np.ndarray:
        """[periods, size, 3] of the training rows."""
        return self._sums(self.period * size + bins, periods, size, self.split == 0)

    def _sums(self, index: np.ndarray, parts: int, size: int, which: Any) -> np.ndarray:
        index, label = index[which], self.label[which]
        weights = (np.ones_like(label), (label > 0).astype(float), label)
        sums = [np.bincount(index, w, minlength=parts * size) for w in weights]
        return np.stack(sums, axis=-1).reshape(parts, size, 3)


def as_batch(kind: str, feature: str, counts: np.ndarray) -> pa.RecordBatch:
    """The cells that have rows.

    Args:
        kind: what the cells count.
        feature: of which feature.
        counts: [parts, bins, 3] rows, positives and value.
    """
    part, position = np.nonzero(counts[..., 0])
    values = counts[part, position]
    columns = [
        pa.array([kind] * len(part)),
        pa.array([feature] * len(part)),
        part.astype(np.int32),
        position.astype(np.int32),
        values[:, 0].astype(np.int64),
        values[:, 1].astype(np.int64),
        values[:, 2],
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, _CELLS_SCHEMA, strict=True)],
        schema=_CELLS_SCHEMA,
    )


def as_cells(
    sums: pd.DataFrame, parts: int, sizes: Mapping[tuple[str, str], int] | None = None
) -> dict[tuple[str, str], np.ndarray]:
    """Arrays [parts, bins, 3] by (kind, feature) of rows of `CELLS`, each key there once.

    Args:
        sums: the cells that have rows.
        parts: how many parts were counted.
        sizes: the number of bins, where there are more than those with rows.
    """
    cells = {}
    for names, group in sums.groupby(["kind", "feature"]):
        key = (str(names[0]), str(names[1]))
        size = max((sizes or {}).get(key, 0), 1 + int(group["bin"].max()))
        counts = np.zeros((parts, size, 3))
        values = group[["rows", "positives", "total"]].to_numpy(np.float64)
        counts[group["part"], group["bin"]] = values
        cells[key] = counts
    return cells


def edges_of(number: NumericFeature) -> np.ndarray:
    """The distinct training quantiles, after the log1p."""
    return np.unique(number.quantiles)


def bin_count(feature: CategoricalFeature | NumericFeature) -> int:
    """How many bins a feature has, that of missing values included."""
    if isinstance(feature, NumericFeature):
        return 2 * len(edges_of(feature)) + 2
    return min(len(feature.vocabulary), AUDITED) + FIRST_ID + 1


def category_bins(ids: np.ndarray) -> np.ndarray:
    """The bin of each encoded category: its id, where the vocabulary's tail shares one."""
    return np.minimum(ids, AUDITED + FIRST_ID).astype(np.int64)


def number_bins(value: np.ndarray, number: NumericFeature) -> np.ndarray:
    """The bin of each number: 0 missing, odd between two training quantiles, even on one.

    Args:
        value: [B] after the log1p, NaN where missing.
        number: its quantiles. Bin 1 is below all of them, the last one above.
    """
    edges = edges_of(number)
    left = np.searchsorted(edges, value, side="left")
    bins = left + np.searchsorted(edges, value, side="right") + 1
    return np.where(np.isnan(value), MISSING_ID, bins).astype(np.int64)


def is_outlier(value: np.ndarray, number: NumericFeature) -> np.ndarray:
    """Which numbers [B], after the log1p, are far from the quartiles of training."""
    if not number.quantiles:
        return np.zeros(len(value), bool)
    quarter = len(number.quantiles) // 4
    low, high = number.quantiles[quarter], number.quantiles[-1 - quarter]
    reach = FAR * (high - low)
    if not reach:  # most rows share one value, and no other is far by that measure
        return np.zeros(len(value), bool)
    with np.errstate(invalid="ignore"):
        far: np.ndarray = (value < low - reach) | (value > high + reach)
    return far


def coarse_bins(
    bins: np.ndarray, feature: CategoricalFeature | NumericFeature
) -> tuple[np.ndarray, int]:
    """Fewer bins of a feature's bins, and how many there are: for the drift."""
    if isinstance(feature, NumericFeature):
        inner = bin_count(feature) - 1
        coarse = 1 + (bins - 1) * COARSE_NUMBERS // inner
        return np.where(bins == MISSING_ID, 0, coarse), COARSE_NUMBERS + 1
    last = FIRST_ID + COARSE_CATEGORIES
    return np.where(bins == UNKNOWN_ID, UNKNOWN_ID, np.minimum(bins, last)), last + 1


def label_bins(label: np.ndarray, largest: float) -> np.ndarray:
    """The bin of each label [B] >= 0: 0 for zero, the others equal steps of log(1 + label)."""
    steps = np.log1p(label) / max(np.log1p(largest), 1e-12) * (LABEL_BINS - 1)
    return np.where(label > 0, np.clip(np.ceil(steps), 1, LABEL_BINS - 1), 0).astype(np.int64)
