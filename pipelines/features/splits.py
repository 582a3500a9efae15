"""Assigns samples to train, validation and test by a seeded hash of their split key."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, SplitConfig
from optdist.data.feature_table import OUT_OF_TIME
from pipelines.features.out_of_time import OutOfTime
from pipelines.sources.columns import GROUP_KEY, ROW_KEY, column

GAP = "gap"  # samples whose label windows reach into the newest dates: in no split


def with_keys(samples: DataFrame, dataset: DatasetConfig) -> DataFrame:
    """Add `row_key` and `group_key`, hashes of the sample's id and of the split key."""
    keys = {ROW_KEY: hash_of(dataset.sample_id), GROUP_KEY: hash_of(dataset.split_key)}
    return samples.withColumns(keys)


def split_of(split: SplitConfig, late: OutOfTime | None = None) -> Column:
    """The split of a row, by a seeded hash of its `group_key`: no other row changes it.

    Args:
        split: the shares and the seed.
        late: the newest dates, which are a split of their own, with a gap before; None: there are
            none.
    """
    draw = F.pmod(F.xxhash64(F.lit(split.seed), F.col(GROUP_KEY)), F.lit(1_000_000)) / 1_000_000
    by_customer = (
        F.when(draw < split.train, "train")
        .when(draw < split.train + split.validation, "validation")
        .otherwise("test")
    )
    if late is None:
        return by_customer
    return F.when(late.held_out, OUT_OF_TIME).when(late.in_gap, GAP).otherwise(by_customer)


def hash_of(names: Sequence[str]) -> Column:
    """The hash of columns, which names a row in encoded files."""
    return F.xxhash64(*[column(name).cast("string") for name in names])
