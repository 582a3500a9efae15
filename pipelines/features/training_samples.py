"""Writes a feature table's raw samples by split, quarantines bad rows and counts both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import Config, DatasetConfig, SplitConfig
from optdist.data.feature_table import OUT_OF_TIME, SPLITS, UnfinishedTable
from optdist.data.profile import DayCount
from optdist.errors import DataError
from optdist.files import uri
from pipelines.features.no_positives import explain_no_positive
from pipelines.features.sampler import Samples, find_sampler
from pipelines.features.samples import build_samples
from pipelines.features.splits import GAP, split_of, with_keys
from pipelines.monitoring.data_report.periods import count_by_date, day_of, sum_by_split
from pipelines.monitoring.data_report.statistics import DateCount
from pipelines.monitoring.profiles import count_days, totals_of
from pipelines.sources.categories import categorical_text
from pipelines.sources.formats.registry import explain_read_errors
from pipelines.sources.quarantine import ReasonCount, check_bad_rows, rows_by_reason


@dataclass(frozen=True)
class Written:
    """What was written of samples, and what was found on the way."""

    samples: Samples
    counts: dict[str, int]
    dated: list[DateCount]  # samples of each split and day
    quarantined: list[ReasonCount]
    value: float | None  # of the good events, in absolute amounts; None: not known [currency]
    days: list[DayCount]  # the good events of each day


@explain_read_errors()
def write_samples(
    spark: SparkSession, config: Config, as_of: dt.date | None, table: UnfinishedTable
) -> Written:
    """Write a table's samples and quarantine.

    Args:
        spark: the session.
        config: the data set, its split and the allowed share of bad rows.
        as_of: read nothing after this day; None: all that the data have.
        table: where to write.

    Raises:
        DataError: too many rows are bad, or a split has no rows or no positive label.
    """
    samples = build_samples(spark, config.dataset, as_of, config.split)
    try:
        keyed = with_split(samples, config.dataset, config.split)
        gap = keyed.where(F.col("split") == GAP)
        left_out = gap.count() if samples.out_of_time else 0
        keyed = keyed.where(F.col("split") != GAP)
        keyed.write.partitionBy("split").parquet(uri(table.samples))
        samples.quarantine.write.parquet(uri(table.quarantine))
        by_day = count_days(samples.events, samples.event_columns)
        quarantine = spark.read.parquet(uri(table.quarantine))
        vanished = not quarantine.isEmpty() and samples.count_vanished(", ".join(config.dataset.id))
    finally:
        samples.release()
    counts, value = totals_of(by_day)
    written = spark.read.schema(keyed.schema).parquet(uri(table.samples))
    day, _ = day_of(config.dataset.source)
    dated = count_by_date(written, day if day in written.columns else None)
    by_split = rows_and_positives(dated)
    in_splits = sum(rows for rows, _ in by_split.values())
    good = counts | {"samples": in_splits + left_out}
    setting = f"see {table.quarantine}; build.max_quarantined_share"
    limit = config.build.max_quarantined_share
    source = config.dataset.source
    quarantined = check_bad_rows(quarantine, good, limit, setting, value, source=source)
    reasons = rows_by_reason(quarantined)
    if samples.out_of_time:
        counts[GAP] = left_out
    counts |= {"incomplete": samples.incomplete, "quarantined": sum(reasons.values())}
    counts["vanished"] = int(vanished)
    counts["samples"] = in_splits
    require_labels(samples, config.dataset, by_split, reasons)
    for split, (rows, positive) in by_split.items():
        counts |= {split: rows, f"{split}_positive": positive}
    return Written(samples, counts, dated, quarantined, value.get("events"), by_day or [])


def with_split(samples: Samples, dataset: DatasetConfig, split: SplitConfig) -> DataFrame:
    """Good samples with their keys and the split that each falls in, or `GAP`.

    Args:
        samples: what was made.
        dataset: keys and features.
        split: the shares and the seed.

    Raises:
        DataError: a categorical feature is of a type that scoring would refuse.
    """
    for name in dataset.features.categorical:
        categorical_text(samples.rows, name)
    keyed = with_keys(samples.rows, dataset)
    return keyed.withColumn("split", split_of(split, samples.out_of_time))


def require_labels(
    samples: Samples,
    dataset: DatasetConfig,
    by_split: dict[str, tuple[int, int]],
    reasons: Mapping[str, int],
) -> None:
    """Refuse samples that nothing can be learned from.

    Args:
        samples: what was made.
        dataset: its sampler explains why there is none.
        by_split: rows, and those with a positive label, of each split that has rows.
        reasons: rows quarantined, by reason.

    Raises:
        DataError: there is no sample, or a split has no rows or no positive label.
    """
    rows = sum(count for count, _ in by_split.values())
    if not rows:
        raise DataError(find_sampler(dataset).explain_no_sample(samples, reasons))
    late = [OUT_OF_TIME] if samples.out_of_time else []
    require_rows(by_split, dataset.split_key, [*SPLITS, *late])
    if not any(positive for _, positive in by_split.values()):
        raise DataError(explain_no_positive(rows, dataset, samples.events))
    require_positives(by_split)


def count_by_split(samples: DataFrame) -> dict[str, tuple[int, int]]:
    """The rows, and those with a positive label, of each split that has rows."""
    return rows_and_positives(count_by_date(samples, None))


def rows_and_positives(dated: Sequence[DateCount]) -> dict[str, tuple[int, int]]:
    """The same of counts by split and day."""
    return {name: (split.rows, split.positives) for name, split in sum_by_split(dated).items()}


def require_rows(
    by_split: dict[str, tuple[int, int]], split_key: list[str], splits: Sequence[str] = SPLITS
) -> None:
    """Require rows in each split.

    Args:
        by_split: rows and positive labels of each split that has rows.
        split_key: what is split as a whole, for the message.
        splits: the splits.

    Raises:
        DataError: a split has no rows.
    """
    for split in splits:
        if split not in by_split:
            raise DataError(
                f"The {split} split is empty. Give more rows, another split.seed, or larger shares "
                f"of split.* (keys of {', '.join(split_key)} are split as a whole)."
            )


def require_positives(by_split: dict[str, tuple[int, int]]) -> None:
    """Raise a DataError if a split has no positive label."""
    for split, (rows, positive) in by_split.items():
        if not positive:
            raise DataError(
                f"None of the {rows:,} rows of the {split} split has a positive label, so "
                f"nothing can be ranked there. Give more rows or another split.seed."
            )
