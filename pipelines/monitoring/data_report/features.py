"""Describes each feature and its labels from the counts by bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optdist.data.cells import (
    AFTER_CUT,
    BIN,
    LABEL_BIN,
    OUTLIER,
    PERIOD,
    bin_count,
)
from optdist.data.clocks import Clock, raw_quantiles
from optdist.data.feature_table import EVERY_SPLIT, SPLITS
from optdist.data.schema import (
    FIRST_ID,
    MISSING_ID,
    UNKNOWN_ID,
    CategoricalFeature,
    NumericFeature,
)
from optdist.evaluation.binned import bin_scores, binned_auc, binned_gini, stability_index
from pipelines.monitoring.data_report.statistics import (
    Category,
    FeatureStatistics,
    SplitStatistics,
)

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
STEPS = 40  # of the histogram, next to its zeros
COMMON = 5  # categories that are named
LEAST_OF_CATEGORY = 30  # rows of a category, in training and held out, that say something of it

Cells = Mapping[tuple[str, str], np.ndarray]  # (kind, feature) -> [parts, bins, 3]


def with_labels(
    splits: Mapping[str, SplitStatistics], labels: np.ndarray
) -> dict[str, SplitStatistics]:
    """The splits with quantiles and a histogram of their labels.

    Args:
        splits: the counts.
        labels: [splits, LABEL_BINS, 3], rows by label.
    """
    complete = {}
    for place, name in enumerate(EVERY_SPLIT):
        if name in splits:
            update = {
                "quantiles": label_quantiles(labels[place]),
                "positive_quantiles": label_quantiles(labels[place, 1:]),
                "histogram": _histogram(labels[place, :, 0]),
            }
            complete[name] = splits[name].model_copy(update=update)
    return complete


def label_quantiles(labels: np.ndarray) -> dict[str, float]:
    """The quantiles of labels, each as the mean of its bin, which is hardly a percent wide.

    Args:
        labels: [label bins, 3] rows, positive labels and value.
    """
    used = labels[labels[:, 0] > 0]
    if not len(used):
        return {}
    share = np.cumsum(used[:, 0]) / used[:, 0].sum()
    places = np.minimum(np.searchsorted(share, LEVELS), len(used) - 1)
    means = used[places, 2] / used[places, 0]
    return {f"{level:g}": _rounded(v) for level, v in zip(LEVELS, means, strict=True)}


def _histogram(rows: np.ndarray) -> list[int]:
    """The zeros, and the rows of STEPS equal parts of the other bins."""
    parts = np.array_split(rows[1:], STEPS)
    return [int(rows[0]), *(int(part.sum()) for part in parts)]


def describe(
    feature: CategoricalFeature | NumericFeature,
    types: Mapping[str, str],
    cells: Cells,
    audited: Sequence[str],
    ids: set[str],
    clocks: Mapping[str, Clock],
    least_rows: int,
) -> FeatureStatistics:
    """The statistics of one feature.

    Args:
        feature: of the schema.
        types: Spark's type of each column.
        cells: the counts of all features.
        audited: the splits that AUC and Norm-GINI are of.
        ids: the features that name entities.
        clocks: feature -> how it names dates.
        least_rows: training rows that a category must have to be named.
    """
    name, is_number = feature.name, isinstance(feature, NumericFeature)
    bins = cells[BIN, name]
    late = cells.get((AFTER_CUT, name))
    about: dict[str, Any] = {}
    if isinstance(feature, NumericFeature):
        about["out_of_range"] = _shares(bins, [1, bin_count(feature) - 1])
        about["outliers"] = _shares(cells[OUTLIER, name], [1])
        about["quantiles"] = {} if name in ids else number_quantiles(feature)
    else:
        about["unknown"] = _shares(bins, [UNKNOWN_ID])
        about["vocabulary"] = len(feature.vocabulary)
        about["common"] = {} if name in ids else common_categories(feature, bins, least_rows)
        about["telling"] = most_telling(feature, bins, least_rows)
    auc, gini = audit_bins(bins, cells[LABEL_BIN, ""], [EVERY_SPLIT.index(s) for s in audited])
    periods = cells.get((PERIOD, name))
    return FeatureStatistics(
        name=name,
        is_number=is_number,
        type=types[name],
        missing=_shares(bins, [MISSING_ID]),
        after_cut={} if late is None else _shares(late, [1]),
        clock=clocks[name].value if name in clocks else None,
        auc=auc,
        gini=gini,
        drift=[] if periods is None else drift_of(periods[..., 0]),
        is_id=name in ids,
        **about,
    )


def audit_bins(
    bins: np.ndarray, labels: np.ndarray, places: Sequence[int]
) -> tuple[float | None, float | None]:
    """AUC and Norm-GINI of a feature whose bins are scored with their training means.

    Args:
        bins: [splits, bins, 3].
        labels: [splits, label bins, 3].
        places: the splits to measure on.
    """
    held = bins[list(places)].sum(axis=0)
    share, mean = bin_scores(bins[0])
    return (
        binned_auc(share, held),
        binned_gini(mean, held, labels[list(places)].sum(axis=0)),
    )


def most_telling(feature: CategoricalFeature, bins: np.ndarray, least_rows: int) -> Category | None:
    """The category that says most surely that a label is positive.

    Args:
        feature: its vocabulary.
        bins: [splits, bins, 3] rows, positive labels and value.
        least_rows: training rows that a category must have to be named.
    """
    held_out = bins[1 : len(SPLITS)].sum(axis=0)
    counts = np.stack([bins[0], held_out])
    rows, positives = counts[..., 0], counts[..., 1]
    share = (positives / np.maximum(rows, 1)).min(axis=0)
    share[(rows < LEAST_OF_CATEGORY).any(axis=0)] = -1.0
    best = int(np.lexsort((rows[1], share))[-1])
    if share[best] < 0:
        return None
    names = {MISSING_ID: "no value", UNKNOWN_ID: "an unseen or rare value"}
    names |= {FIRST_ID + i: f"`{text}`" for i, text in enumerate(feature.vocabulary)}
    is_common = best < FIRST_ID or rows[0, best] >= least_rows
    text = names.get(best) if is_common and best < bins.shape[1] - 1 else None
    return Category(text=text, share=float(share[best]), rows=int(rows[1, best]))


def drift_of(periods: np.ndarray) -> list[float]:
    """The stability index of each period's training rows against those of all [periods, bins]."""
    whole = periods.sum(axis=0)
    return [round(stability_index(part, whole), 4) if part.sum() else 0.0 for part in periods]


def common_categories(
    feature: CategoricalFeature, bins: np.ndarray, least_rows: int
) -> dict[str, int]:
    """The most frequent categories, by training rows.

    Args:
        feature: its vocabulary, the most frequent first.
        bins: [splits, bins, 3].
        least_rows: training rows that a category must have to be named.
    """
    counts = bins[0, FIRST_ID : FIRST_ID + COMMON, 0]
    named = zip(feature.vocabulary[:COMMON], counts, strict=False)
    return {text: int(count) for text, count in named if count >= least_rows}


def number_quantiles(number: NumericFeature) -> dict[str, float]:
    """Least, quartiles and largest of training's numbers, as they are in the samples."""
    if not number.quantiles:
        return {}
    values = raw_quantiles(number)
    step = (len(values) - 1) // 4
    return {f"{i / 4:g}": _rounded(values[i * step]) for i in range(5)}


def _rounded(value: float) -> float:
    """A value to three digits: a report describes rows and shows none."""
    return float(f"{value:.3g}")


def _shares(counts: np.ndarray, bins: Sequence[int]) -> dict[str, float]:
    """The share of each split's rows in some bins."""
    shares = {}
    for place, split in enumerate(EVERY_SPLIT):
        rows = counts[place, :, 0].sum()
        if rows:
            inside = sum(counts[place, b, 0] for b in bins if b < counts.shape[1])
            shares[split] = float(inside / rows)
    return shares
