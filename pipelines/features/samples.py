"""Turns raw rows into samples: one row per id with features and, for training, a label.

Each kind of source has its sampler, which registers itself when it is imported here; a source of
one's own brings its sampler along (`kind: package.module:Class`).
"""

from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession

from optdist.config import DatasetConfig
from pipelines.features import first_purchases, snapshots, table_samples  # noqa: F401
from pipelines.features.sampler import Samples, find_sampler
from pipelines.sources.formats.registry import explain_read_errors


@explain_read_errors()
def build_samples(
    spark: SparkSession, dataset: DatasetConfig, as_of: dt.date | None = None
) -> Samples:
    """Labelled samples: id, features, `label`; with transactions also `first_day`.

    Args:
        spark: the session.
        dataset: where rows come from, and what of them makes a sample.
        as_of: for transactions, read nothing after this day, and use only samples whose label
            window ended by it.

    Raises:
        DataError: columns are missing, or no sample can be made.
    """
    return find_sampler(dataset).training_samples(spark, as_of)


def scoring_samples(
    spark: SparkSession,
    dataset: DatasetConfig,
    run_date: dt.date,
    acquired_within_days: int | None = None,
) -> Samples:
    """Unlabelled samples of everyone known at the end of `run_date`; nothing later is read.

    Args:
        spark: the session.
        dataset: where rows come from, and what of them makes a sample.
        run_date: the last day that is read.
        acquired_within_days: leave out whoever came longer ago, in days; None: nobody.

    Raises:
        DataError: columns are missing.
    """
    return find_sampler(dataset).scoring_samples(spark, run_date, acquired_within_days)
