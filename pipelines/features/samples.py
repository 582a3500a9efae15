"""Turns raw rows into samples: one row per id with features and, for training, a label.

Each kind of source has its sampler, which registers itself when it is imported here; a source of
one's own brings its sampler along (`kind: package.module:Class`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from pyspark.sql import SparkSession

from optdist.config import DatasetConfig, SplitConfig
from optdist.data.schema import LearnedHistory
from pipelines.features import first_purchases, snapshots, table_samples  # noqa: F401
from pipelines.features.auto_history import with_learned
from pipelines.features.event_samples import EventSampler
from pipelines.features.out_of_time import find_out_of_time
from pipelines.features.sampler import Samples, find_sampler
from pipelines.sources.formats.registry import explain_read_errors
from pipelines.sources.inference import Types, infer_types, print_types, typed_dataset


@explain_read_errors()
def build_samples(
    spark: SparkSession,
    dataset: DatasetConfig,
    as_of: dt.date | None = None,
    split: SplitConfig | None = None,
) -> Samples:
    """Labelled samples: id, features, `label`; with transactions also `first_day`.

    Args:
        spark: the session.
        dataset: where rows come from, and what of them makes a sample.
        as_of: for transactions, read nothing after this day, and use only samples whose label
            window ended by it.
        split: which samples are training ones, from which `history: auto` learns; None: all.

    Raises:
        DataError: columns are missing, or no sample can be made.
    """
    types = infer_types(spark, dataset)
    print_types(types)
    typed = typed_dataset(dataset, types)
    sampler = find_sampler(typed)
    if isinstance(sampler, EventSampler):
        sampler = replace(sampler, split=split)
    samples = sampler.training_samples(spark, as_of)
    late = samples.out_of_time  # transactions find it first, for what they learn of training rows
    if split and not late:
        late = find_out_of_time(samples.rows, typed.source, split)
    return replace(samples, types=types, out_of_time=late)


def scoring_samples(
    spark: SparkSession,
    dataset: DatasetConfig,
    run_date: dt.date,
    acquired_within_days: int | None = None,
    types: Types | None = None,
    history: LearnedHistory | None = None,
) -> Samples:
    """Unlabelled samples of everyone known at the end of `run_date`; nothing later is read.

    Args:
        spark: the session.
        dataset: where rows come from, and what of them makes a sample.
        run_date: the last day that is read.
        acquired_within_days: leave out whoever came longer ago, in days; None: nobody.
        types: what training read text columns as; None: not known, so inferred again.
        history: what training made of `history: auto`; None: nothing.

    Raises:
        DataError: columns are missing.
    """
    if types is None:
        types = infer_types(spark, dataset)
        print_types(types)
    dataset = with_learned(typed_dataset(dataset, types), history)
    samples = find_sampler(dataset).scoring_samples(spark, run_date, acquired_within_days)
    return replace(samples, types=types)
