"""Counts samples for their profile, in parts that add up: bins, moments, forms of ids.

The bins are the schema's own, as of `optdist.data.cells`. Quantiles come from a grid that is even
around training's mean and grows wider far from it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from optdist.data.cells import (
    as_batch,
    bin_count,
    category_bins,
    coarse_bins,
    edges_of,
    number_bins,
)
from optdist.data.clocks import Clock, days_of
from optdist.data.encoding import encode, log_transform, plain_text, read_numbers, table_columns
from optdist.data.profile import LEVELS, ColumnProfile, PartProfile
from optdist.data.schema import (
    MISSING_ID,
    UNKNOWN_ID,
    CategoricalFeature,
    FeatureSchema,
    NumericFeature,
    encoded_name,
)

SHAPE, GRID, MOMENT, FORM = "shape", "grid", "moment", "form"
_PER_UNIT, _FARTHEST = 10, 160  # steps of the grid near the mean, and on each side of it
_LONGEST = 99  # characters of an id that are told apart
Cells = Mapping[tuple[str, str], np.ndarray]  # (kind, name) -> [parts, bins, 3]


@dataclass(frozen=True)
class Profiling:
    """What to count of each sample.

    Args:
        schema: the features, with vocabularies and quantiles of training.
        ids: the columns that name an entity.
        cut: the column with a sample's day; None: samples have none.
        starts: the first day of each part, ascending, as days since 1970-01-01; earlier samples
            belong to the first.
    """

    schema: FeatureSchema
    ids: Sequence[str] = ()
    cut: str | None = None
    starts: Sequence[int] = (0,)

    @property
    def columns(self) -> list[str]:
        """The sample's columns that are read."""
        cut = [self.cut] if self.cut else []
        return [*dict.fromkeys([*self.schema.raw_columns, *cut, *self.ids])]

    def count(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count the rows of some batches.

        Args:
            batches: samples with at least `columns`.

        Returns:
            Rows of `cells.CELLS`; those of one key add up.
        """
        cells: dict[tuple[str, str], np.ndarray] = {}
        for batch in batches:
            if batch.num_rows:
                for key, counts in self._count_batch(batch):
                    cells[key] = cells[key] + counts if key in cells else counts
        yield from (as_batch(kind, name, counts) for (kind, name), counts in cells.items())

    def _count_batch(self, batch: Any) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
        part = self._parts(batch)
        sums = _Sums(part, max(len(self.starts), 1))
        ids = encode(batch, self.schema.model_copy(update={"numeric": []}))
        for category in self.schema.categorical:
            bins = category_bins(ids[encoded_name("cat", category.name)])
            yield (SHAPE, category.name), sums.rows(*coarse_bins(bins, category))
        numbers = table_columns(batch, [number.name for number in self.schema.numeric])
        for number in self.schema.numeric:
            value = log_transform(read_numbers(numbers[number.name], number.name), number.log1p)
            bins = number_bins(value, number)
            yield (SHAPE, number.name), sums.rows(*coarse_bins(bins, number))
            z = (value - number.mean) / number.std
            yield (GRID, number.name), sums.rows(grid_of(z), 2 * _FARTHEST + 2)
            yield (MOMENT, number.name), sums.moments(z, bins, number)
        for name in self.ids:
            for form, lengths, rows in id_forms(table_columns(batch, [name])[name]):
                yield (f"{FORM} {name}", form), sums.of(rows).rows(lengths, _LONGEST + 1)

    def _parts(self, batch: Any) -> np.ndarray:
        if not self.cut:
            return np.zeros(batch.num_rows, np.int64)
        days = days_of(table_columns(batch, [self.cut])[self.cut], Clock.DATE)
        part = np.searchsorted(self.starts, np.nan_to_num(days), side="right") - 1
        return np.maximum(part, 0)


@dataclass(frozen=True)
class _Sums:
    """Adds up rows by part."""

    part: np.ndarray
    parts: int

    def of(self, rows: np.ndarray) -> _Sums:
        """The sums of some rows alone."""
        return _Sums(self.part[rows], self.parts)

    def rows(self, bins: np.ndarray, size: int) -> np.ndarray:
        """[parts, size, 3]: how many rows are in each bin."""
        counts = np.bincount(self.part * size + bins, minlength=self.parts * size)
        return self._filled(counts.reshape(self.parts, size), None)

    def moments(self, z: np.ndarray, bins: np.ndarray, number: NumericFeature) -> np.ndarray:
        """[parts, 3, 3]: values, their squares, and rows beyond training's values."""
        known = ~np.isnan(z)
        z = np.clip(np.where(known, z, 0.0), -1e6, 1e6)
        far = np.zeros(len(z), bool)
        if len(edges_of(number)):
            far = (bins == 1) | (bins == bin_count(number) - 1)
        rows = np.stack([self._sum(w) for w in (known, known, far)], axis=1)
        return self._filled(rows, np.stack([self._sum(w) for w in (z, z * z, far)], axis=1))

    def _sum(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.part, weights.astype(np.float64), self.parts)

    def _filled(self, rows: np.ndarray, total: np.ndarray | None) -> np.ndarray:
        zeros = np.zeros_like(rows, np.float64)
        return np.stack([rows, zeros, zeros if total is None else total], axis=-1).astype(float)


def grid_of(z: np.ndarray) -> np.ndarray:
    """The grid's bin of deviations [B] from training's mean; 0 is missing."""
    step = np.clip(np.round(np.arcsinh(z) * _PER_UNIT), -_FARTHEST, _FARTHEST)
    return np.where(np.isnan(z), 0, np.nan_to_num(step) + _FARTHEST + 1).astype(np.int64)


def value_of_grid(bins: np.ndarray) -> np.ndarray:
    """The deviation that a bin of the grid stands for."""
    return np.asarray(np.sinh((bins - _FARTHEST - 1) / _PER_UNIT))


def id_forms(column: pa.Array) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The forms of ids: which kinds of characters they have, without the characters.

    Args:
        column: ids of any type, [B].

    Returns:
        For each form its lengths, and which rows have it. `9` are digits, `09` digits after a
        leading zero, `A` and `a` letters; other characters stand for themselves.
    """
    is_float = pa.types.is_floating(column.type)
    text = pc.fill_null(plain_text(column), "")
    coded = text.dictionary_encode()
    texts, index = coded.dictionary, coded.indices.to_numpy(zero_copy_only=False)
    forms = pa.array([form_of(t, is_float=is_float) for t in texts.to_pylist()], pa.string())
    lengths = np.minimum(pc.utf8_length(texts).to_numpy(zero_copy_only=False), _LONGEST)
    kinds = forms.dictionary_encode()
    kind = kinds.indices.to_numpy(zero_copy_only=False)[index]
    for number, form in enumerate(kinds.dictionary.to_pylist()):
        rows = np.nonzero(kind == number)[0]
        yield form, lengths[index[rows]].astype(np.int64), rows


def form_of(text: str, *, is_float: bool = False) -> str:
    """The form of one id; at most four characters that are neither digits nor letters are kept.

    Example:
        >>> form_of("C-0017"), form_of("17.0"), form_of("0017")
        ('9A-', '9.', '09')
    """
    kinds = "".join(
        sign
        for sign, is_there in (
            ("0", len(text) > 1 and text[0] == "0" and text[1].isdigit()),
            ("9", any(c.isdigit() for c in text)),
            ("A", any(c.isupper() for c in text)),
            ("a", any(c.isalpha() and not c.isupper() for c in text)),
        )
        if is_there
    )
    others = sorted({c for c in text if not c.isalnum()})[:4]
    return kinds + "".join(others) + ("." if is_float and "." not in others else "")


def part_of(
    cells: Cells, schema: FeatureSchema, which: Sequence[int], days: tuple[dt.date, dt.date] | None
) -> PartProfile:
    """The profile of the samples of some parts.

    Args:
        cells: the counts.
        schema: what they were counted by.
        which: the parts.
        days: the first and the last day of these samples; None: they have none.
    """
    columns = {}
    for feature in schema.features:
        columns[feature.name] = _column(cells, feature, list(which))
    rows = max((column.rows for column in columns.values()), default=0)
    first, last = map(str, days) if days else (None, None)
    return PartProfile(first=first, last=last, rows=rows, columns=columns)


def _column(
    cells: Cells, feature: CategoricalFeature | NumericFeature, which: list[int]
) -> ColumnProfile:
    size = coarse_bins(np.zeros(1, np.int64), feature)[1]
    shape = _rows(cells.get((SHAPE, feature.name)), which, size)
    rows, missing = int(shape.sum()), int(shape[MISSING_ID])
    counts = [int(count) for count in shape]
    if isinstance(feature, CategoricalFeature):
        unknown = int(shape[UNKNOWN_ID])
        return ColumnProfile(rows=rows, missing=missing, unknown=unknown, shape=counts)
    moments = cells.get((MOMENT, feature.name))
    sums = np.zeros((3, 3))
    if moments is not None:
        padded = np.zeros((len(moments), 3, 3))
        padded[:, : moments.shape[1]] = moments
        sums = padded[which].sum(axis=0)
    values, outside = sums[0, 0], int(sums[2, 0])
    if not values:
        return ColumnProfile(rows=rows, missing=missing, shape=counts)
    mean = sums[0, 2] / values
    std = float(np.sqrt(max(sums[1, 2] / values - mean**2, 0.0)))
    grid = _rows(cells.get((GRID, feature.name)), which, 2 * _FARTHEST + 2)[1:]
    return ColumnProfile(
        rows=rows,
        missing=missing,
        outside=outside,
        mean=round(float(mean), 5),
        std=round(std, 5),
        quantiles=_quantiles(grid),
        shape=counts,
    )


def _quantiles(grid: np.ndarray) -> list[float]:
    """The quantiles at LEVELS of counts by bin of the grid, without its bin of missing values."""
    share = np.cumsum(grid) / grid.sum()
    places = np.searchsorted(share, np.asarray(LEVELS) - 1e-9)
    return [round(float(value), 3) for value in value_of_grid(places + 1)]


def _rows(counts: np.ndarray | None, which: list[int], size: int) -> np.ndarray:
    """[size] rows by bin of some parts together."""
    rows = np.zeros(size)
    if counts is not None:
        rows[: counts.shape[1]] = counts[which, :, 0].sum(axis=0)
    return rows
