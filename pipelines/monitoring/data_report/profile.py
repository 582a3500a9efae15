"""Measures a feature table's samples for the data report, in a few aggregations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame

from optdist.config import DatasetConfig
from optdist.data.cells import (
    BIN,
    LABEL_BIN,
    LABEL_BINS,
    Counting,
    as_cells,
    bin_count,
)
from optdist.data.clocks import Clock, clock_of
from optdist.data.feature_table import EVERY_SPLIT
from optdist.data.schema import (
    FeatureSchema,
)
from pipelines.cells import sum_cells
from pipelines.monitoring.data_report.duplicates import count_duplicates, find_ids
from pipelines.monitoring.data_report.features import Cells, describe, with_labels
from pipelines.monitoring.data_report.periods import (
    by_period,
    day_of,
    period_starts,
    sum_by_split,
)
from pipelines.monitoring.data_report.statistics import (
    DataReport,
    DateCount,
    SplitStatistics,
)
from pipelines.sources.columns import column

LEAST_ROWS = 30  # positive ones, and others, that AUC is measured on


def measure(
    samples: DataFrame,
    schema: FeatureSchema,
    dataset: DatasetConfig,
    dated: Sequence[DateCount],
    least_rows: int,
) -> DataReport:
    """Measure all samples of a table.

    Args:
        samples: raw samples with `split`, `label`, `group_key` and the features.
        schema: what training learned of the features.
        dataset: what the columns are.
        dated: the samples of each split and day.
        least_rows: training rows that a category must have to be named.
    """
    source = dataset.source
    day, cut_is_after = day_of(source)
    cut = day if day in samples.columns else None
    starts = period_starts(row.day for row in dated if row.day is not None)
    largest = max((row.largest for row in dated), default=0.0)
    types = {field.name: field.dataType.simpleString() for field in samples.schema}
    clocks = find_clocks(schema, types)
    counting = Counting(
        schema=schema,
        largest_label=largest,
        cut=cut,
        period_starts=[(start - dt.date(1970, 1, 1)).days for start in starts],
        clocks=clocks,
        cut_is_after=cut_is_after,
    )
    cells = count_cells(samples, counting)
    splits = sum_by_split(dated)
    audited, evidence = audited_splits(splits)
    ids = find_ids(samples.where("split = 'train'"), schema, dataset)
    return DataReport(
        dataset=dataset.name,
        description=dataset.description,
        fingerprint="",
        cut=cut,
        largest_label=largest,
        splits=with_labels(splits, cells[LABEL_BIN, ""]),
        periods=by_period(dated, starts),
        features=[
            describe(feature, types, cells, audited, ids, clocks, least_rows)
            for feature in schema.features
        ],
        measured_on=audited,
        evidence=evidence,
        duplicates=count_duplicates(samples, schema, dataset),
    )


def find_clocks(schema: FeatureSchema, types: Mapping[str, str]) -> dict[str, Clock]:
    """The features whose values name dates."""
    clocks = {f.name: clock_of(f) for f in schema.features}
    dates = {name: Clock.DATE for name in clocks if types[name] == "date"}
    return {name: clock for name, clock in clocks.items() if clock is not None} | dates


def count_cells(samples: DataFrame, counting: Counting) -> Cells:
    """The cells of all rows."""
    sums = sum_cells(samples.select(*map(column, counting.columns)), counting.count)
    sizes = {(BIN, feature.name): bin_count(feature) for feature in counting.schema.features}
    sizes[LABEL_BIN, ""] = LABEL_BINS
    return as_cells(sums, max(len(counting.period_starts), len(EVERY_SPLIT)), sizes)


def audited_splits(splits: Mapping[str, SplitStatistics]) -> tuple[list[str], str | None]:
    """The splits that AUC is measured on, and why that is too little evidence, or None.

    Training rows would make every feature of many values look good: their means are learned there.
    """
    for audited in (["validation"], ["validation", "test"]):
        known = [splits[name] for name in audited if name in splits]
        positives = sum(split.positives for split in known)
        zeros = sum(split.rows for split in known) - positives
        if min(positives, zeros) >= LEAST_ROWS:
            return audited, None
    return audited, (
        f"{' and '.join(audited)} have {positives:,} rows with a positive label and {zeros:,} with "
        f"none; the audit needs {LEAST_ROWS} of each"
    )
